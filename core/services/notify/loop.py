"""Keeps the outbox worked off while the web process runs."""

import logging

from core.domain.errors import StoreUnavailable
from core.lib.tasks import Tasks, repeat
from core.services.notify.sender import Sender

log = logging.getLogger("oma.notify")

LOOK_S = 2.0


class NotificationLoop:
    """`async with NotificationLoop(sender)`: it runs while the context is open."""

    def __init__(self, sender: Sender, *, look_s: float = LOOK_S) -> None:
        self._sender, self._look_s = sender, look_s
        self._tasks = Tasks()

    async def __aenter__(self) -> "NotificationLoop":
        self._tasks.spawn(repeat(self._look, every_s=self._look_s, name="the outbox of notifications"), "notifications")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.cancel()

    async def _look(self) -> None:
        try:
            await self._sender.poll_once()
        except* StoreUnavailable as errors:
            log.warning("notifications have to wait: %s", errors.exceptions[0])
