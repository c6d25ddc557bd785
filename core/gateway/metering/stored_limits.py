"""The spending limits that users and administrators have set, for the meter."""

from collections.abc import Sequence

from core.domain.records import Session
from core.gateway.metering.limits import SpendLimit
from core.gateway.providers import Call
from core.runs.limits import limits_in_force
from core.store import Store

SESSIONS = 10_000  # cached: whether a session belongs to a run never changes


class StoredLimits:
    """SpendLimits of core.gateway.metering, read from the Store at every call."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_run: dict[str, bool] = {}

    async def of(self, call: Call) -> Sequence[SpendLimit]:
        """Return the limits for this call. The limit of a run applies only in a run's session."""
        limits = await limits_in_force(self._store, call.agent, user=call.user)
        found = []
        if (limits.run_usd or limits.turns) and await self._belongs_to_a_run(call):
            found += [SpendLimit(scope="run", usd=limits.run_usd), SpendLimit(scope="turns", calls=limits.turns)]
        found += [
            SpendLimit(scope="agent", usd=limits.agent_month_usd),
            SpendLimit(scope="user", usd=limits.user_month_usd),
            SpendLimit(scope="quota", usd=limits.quota_month_usd),
            SpendLimit(scope="platform", usd=limits.platform_month_usd),
        ]
        return [one for one in found if one.usd or one.calls]

    async def _belongs_to_a_run(self, call: Call) -> bool:
        if call.session not in self._is_run:
            if len(self._is_run) >= SESSIONS:
                self._is_run.pop(next(iter(self._is_run)))
            session = await self._store.get(Session, call.session, owner=call.user)
            self._is_run[call.session] = bool(session.run)
        return self._is_run[call.session]
