"""Who fills the disk is stopped, nobody else: first what works there, with a word in the conversation, then the box."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from core.domain.errors import PlatformError
from core.domain.records import UserId
from core.fleet.runner_client import RunnerClient
from core.lib.tasks import repeat
from core.spawner import Spawner

log = logging.getLogger("oma.disks")

LOOK_S: Final = 2.0  # between two looks at the homes: what a fast disk takes in meanwhile is a few GB
STRIKES: Final = 3  # looks in a row at which a home went on growing although it was told to stop: then its box ends
CALL_S: Final = 1.5


async def watch(
    spawner: Spawner, *, living: Callable[[], list[RunnerClient]], stop: Callable[[UserId], Awaitable[None]]
) -> None:
    """Look at the homes of all `living` runners until cancelled."""
    strikes: dict[str, int] = {}

    async def look() -> None:
        overfull = [client for client in living() if await spawner.over_quota(client.box)]
        counted = {client.box.id: strikes.get(client.box.id, 0) + 1 for client in overfull}
        strikes.clear()
        strikes.update(counted)
        for client in overfull:
            log.warning("the home of %s is full (%d)", client.box.user, strikes[client.box.id])
            if strikes[client.box.id] >= STRIKES:
                await stop(client.box.user)
                continue
            with suppress(PlatformError):  # one that does not answer is ended at the third look
                await client.report_disk_full(timeout_s=CALL_S)

    await repeat(look, every_s=LOOK_S, name="the look at the homes")
