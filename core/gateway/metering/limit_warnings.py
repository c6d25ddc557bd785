"""Warnings before a month's limit is reached: an entry in the inbox at 80 and at 100 per cent of it, once each."""

import logging

from core.domain.errors import Unavailable
from core.domain.limits import WARN_AT
from core.domain.records import SYSTEM, Role, User, UserId, now
from core.domain.runs import Alert, AlertKind
from core.gateway.metering.limits import LimitCounter, SpendLimit
from core.gateway.providers import Call
from core.runs.transitions import alert
from core.store import Store

log = logging.getLogger("oma.gateway")

ADMINISTRATORS = 100
REMEMBERED = 10_000  # warnings that need not be looked up again
MICRO = 1_000_000  # a counter's name has no dot


class LimitWarnings:
    """Warnings of core.gateway.metering, written into the inbox of those who can do something about it.

    That a warning was given is a mark in the counter row of its month, with the limit in its name: whoever raises a
    limit is warned again at 80 per cent of the new one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._given: set[tuple[LimitCounter, str]] = set()

    async def spent(self, call: Call, limit: SpendLimit, row: LimitCounter, usd: float) -> None:
        """Warn if this much of the limit passes 80 or 100 per cent. If the Store is away, the next call does."""
        if limit.scope in ("run", "turns") or not limit.usd:
            return
        for percent in WARN_AT:
            mark = f"warned_{limit.scope}_{percent}_{limit.usd * MICRO:.0f}"
            if usd < limit.usd * percent / 100 or (row, mark) in self._given:
                continue
            try:
                await self._warn(call, limit, row, mark, percent)
                if len(self._given) >= REMEMBERED:
                    self._given.clear()
                self._given.add((row, mark))
            except Unavailable as error:
                log.warning("a warning about a spending limit is not written yet: %s", error)

    async def _warn(self, call: Call, limit: SpendLimit, row: LimitCounter, mark: str, percent: int) -> None:
        if mark in await self._store.usage(row.key, owner=row.owner):
            return
        at = now()
        one = Alert(
            id=f"budget-{limit.scope}-{call.agent if limit.scope == 'agent' else 'all'}-{at:%Y%m}-{percent}",
            kind=AlertKind.BUDGET,
            agent=call.agent if limit.scope == "agent" else "",
            reason=f"{limit.scope}_{percent}",
            at=at,
        )
        for owner in await self._who_is_told(call, limit):
            await alert(self._store, one, owner=owner)
        await self._store.add_usage(row.key, owner=row.owner, **{mark: 1.0})

    async def _who_is_told(self, call: Call, limit: SpendLimit) -> list[UserId]:
        """The user; of the platform's limit the administrators."""
        if limit.scope != "platform":
            return [call.user]
        admins = await self._store.find(User, owner=SYSTEM, where={"role": Role.ADMIN}, limit=ADMINISTRATORS)
        return [one.user_id for one in admins if not one.disabled]
