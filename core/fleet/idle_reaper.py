"""The idle reaper stops runners that were idle for long. Starting one again costs a second."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.domain.errors import PlatformError, Unavailable
from core.domain.records import Box, LogKey
from core.fleet.runner_client import RunnerClient
from core.lib.tasks import repeat
from core.protocol.runner_api import Init

log = logging.getLogger("oma.runners")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleLimits:
    """The limits that each runner gets at init, and after how many idle seconds the web stops a runner."""

    max_live_sessions: int = 4
    idle_cli_s: float = 600.0
    orphan_s: float = 900.0
    idle_runner_s: float = 1800.0

    def init(self, box: Box, log_key: LogKey) -> Init:
        """Return the body with which the runner of this box is bound."""
        return Init(
            user=box.user,
            box=box.id,
            key=box.key,
            log_key=log_key.key,
            take_over=not log_key.taken_over,
            max_live_sessions=self.max_live_sessions,
            idle_cli_s=self.idle_cli_s,
            orphan_s=self.orphan_s,
        )


async def watch(
    living: Callable[[], list[RunnerClient]],
    stop_if_idle: Callable[[RunnerClient], Awaitable[None]],
    limits: IdleLimits,
    *,
    every_s: float,
) -> None:
    """Check all `living` runners every `every_s` seconds until cancelled. Each decides itself whether it is idle."""

    async def check() -> None:
        for client in living():
            try:
                status = await client.status()
            except PlatformError:
                continue
            if not status.open_turns and status.idle_s > limits.idle_runner_s:
                try:
                    await stop_if_idle(client)
                except Unavailable as error:
                    log.warning("runner %s: %s", client.box.id, error)

    await repeat(check, every_s=every_s, name="the check of idle runners")
