"""The dead man's switch of schedules. It runs in the gateway, because the web is the process that may be down.

If a slot is due for longer than SILENT and still is the schedule's next slot, no web has written its row. Its owner
gets an alert in the inbox, once per slot.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from core.domain.errors import NotFound
from core.domain.records import SYSTEM, now
from core.domain.runs import Alert, AlertKind
from core.domain.schedules import DueSlot, Trigger
from core.runs.transitions import alert
from core.store import Store

LOOK_S = 60.0
SILENT = timedelta(minutes=5)
AT_ONCE = 500


class SilenceAlarm:
    """The check for overdue slots; it holds no state."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = now) -> None:
        self._store, self._clock = store, clock

    async def look(self) -> None:
        """Write an alert for every schedule with an overdue slot. Raises: Unavailable."""
        moment = self._clock()
        overdue = await self._store.find(
            DueSlot, owner=SYSTEM, oldest_by="due_at", below=moment - SILENT, limit=AT_ONCE
        )
        for slot in overdue:
            try:
                trigger = await self._store.get(Trigger, slot.id, owner=slot.user)
            except NotFound:
                continue  # deleted; the scheduler sweeps the slot
            if trigger.enabled:
                one = Alert(
                    id=f"silent-{slot.id}-{slot.due_at:%Y%m%d%H%M}",
                    kind=AlertKind.SILENT,
                    agent=slot.agent,
                    trigger=slot.id,
                    due_at=slot.due_at,
                    at=moment,
                )
                await alert(self._store, one, owner=slot.user)
