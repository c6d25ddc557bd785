"""Enforces the disk quota of users: it first ends the work in a full home, with a notice, then the box."""

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

CHECK_S: Final = 2.0  # between two checks; a fast disk can take a few GB meanwhile
STRIKES: Final = 3  # checks in a row at which a home was over its quota: then its box ends
CALL_S: Final = 1.5


async def watch(
    spawner: Spawner, *, living: Callable[[], list[RunnerClient]], stop: Callable[[UserId], Awaitable[None]]
) -> None:
    """Check the homes of all `living` runners every CHECK_S seconds until cancelled."""
    strikes: dict[str, int] = {}

    async def check() -> None:
        overfull = [client for client in living() if await spawner.over_quota(client.box)]
        counted = {client.box.id: strikes.get(client.box.id, 0) + 1 for client in overfull}
        strikes.clear()
        strikes.update(counted)
        for client in overfull:
            log.warning("the home of %s is full (%d)", client.box.user, strikes[client.box.id])
            if strikes[client.box.id] >= STRIKES:
                await stop(client.box.user)
                continue
            with suppress(PlatformError):  # a runner that does not answer is ended at the third check
                await client.report_disk_full(timeout_s=CALL_S)

    await repeat(check, every_s=CHECK_S, name="the check of disk quotas")
