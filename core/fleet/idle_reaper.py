"""Runners that have had nothing to do for long are let go; waking one costs a second, or some on a cluster."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from core.domain.errors import PlatformError, Unavailable
from core.fleet.runner_client import RunnerClient
from core.lib.tasks import repeat

log = logging.getLogger("oma.runners")

ASK_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleLimits:
    """What each runner is told at init, and when the web lets an idle one go."""

    max_live_sessions: int = 4
    idle_cli_s: float = 600.0
    orphan_s: float = 900.0
    idle_runner_s: float = 1800.0

    @property
    def told(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("max_live_sessions", "idle_cli_s", "orphan_s")}


async def watch(
    living: Callable[[], list[RunnerClient]],
    let_go: Callable[[RunnerClient], Awaitable[None]],
    limits: IdleLimits,
    *,
    every_s: float,
) -> None:
    """Ask all `living` until cancelled. Several web processes may do so: the runner has the last word."""

    async def look() -> None:
        for client in living():
            try:
                status = await client.call("GET", "/v1/status", timeout_s=ASK_S)
            except PlatformError:
                continue
            idle_s = status.get("idle_s")  # words of a box: of any kind
            if not status.get("open_turns") and isinstance(idle_s, int | float) and idle_s > limits.idle_runner_s:
                try:
                    await let_go(client)
                except Unavailable as error:
                    log.warning("runner %s: %s", client.box.id, error)

    await repeat(look, every_s=every_s, name="the look at idle runners")
