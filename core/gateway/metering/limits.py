"""Spending limits: a model call that would pass one is refused before it is made.

What a call will cost is not known before it has been answered, so a cost is *reserved* for it: an estimate that counts
like money spent until the call is booked. Calls that are made at once therefore see each other, and together they pass
a limit by no more than each of them costs more than its estimate. Reservations are those of one gateway process: where
several serve one user, each of them may let in one call too many.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.domain.errors import BadInput
from core.domain.records import SYSTEM, UserId, now
from core.domain.usage import agent_month_key, month_key, session_key
from core.gateway.providers import Call
from core.store import Store

Scope = Literal["run", "agent", "user", "platform"]
REFUSED = "spend_limit"  # core.runner.turn_result reads it: the turn ends as `limit`
READS = 5  # of a row that is booked on while it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimit:
    """A limit in US dollars: of a run in all, or of an agent, a user or the platform in a calendar month (UTC)."""

    scope: Scope
    usd: float


class SpendLimits(Protocol):
    """Knows the limits. It is asked before every call, so it answers from memory or with one read."""

    async def of(self, call: Call) -> Sequence[SpendLimit]:
        """Return the limits that hold for this call; none if it may cost any amount."""


class NoLimits:
    """A platform without spending limits."""

    async def of(self, call: Call) -> Sequence[SpendLimit]:
        return ()


class SpendGuard:
    """Reserves the estimated cost of calls under way, and refuses calls that would pass a limit."""

    def __init__(self, store: Store, limits: SpendLimits) -> None:
        self._store, self._limits = store, limits
        self._reserved: dict[tuple[UserId, str], float] = defaultdict(float)
        self._bookings: dict[tuple[UserId, str], int] = defaultdict(int)

    async def admit(self, call: Call, estimate_usd: float | None) -> "Reservation":
        """Reserve this much for a call.

        Raises: BadInput (`spend_limit`): a limit would be passed, or it cannot be kept because the call has no price.
        """
        rows = [(limit, row_of(limit.scope, call)) for limit in await self._limits.of(call)]
        if rows and estimate_usd is None:
            raise BadInput("the price of this model is not known, so no spending limit can hold it", code=REFUSED)
        spent = [await self._spent(row) for _, row in rows]
        cost = estimate_usd or 0.0
        # No await from here on: two calls must not both see room for one.
        for (limit, row), before in zip(rows, spent, strict=True):
            if before + self._reserved[row] + cost > limit.usd:
                raise BadInput(f"the {limit.scope}'s spending limit of US${limit.usd:g} is reached", code=REFUSED)
        for _, row in rows:
            self._reserved[row] += cost
        return Reservation(self._reserved, self._bookings, tuple(row for _, row in rows), cost)

    async def _spent(self, row: tuple[UserId, str]) -> float:
        """Return what the Store has, read again if a call was booked meanwhile and so is no longer reserved."""
        owner, key = row
        spent = 0.0
        for _ in range(READS):
            booked = self._bookings[row]
            spent = (await self._store.usage(key, owner=owner)).get("cost_usd", 0.0)
            if booked == self._bookings[row]:
                break
        return spent


@dataclass(slots=True)
class Reservation:
    """The amount that one call has reserved; it is released once, after the call was booked."""

    _reserved: dict[tuple[UserId, str], float]
    _bookings: dict[tuple[UserId, str], int]
    _rows: tuple[tuple[UserId, str], ...]
    _usd: float

    def release(self) -> None:
        """Idempotent."""
        for row in self._rows:
            self._bookings[row] += 1
            self._reserved[row] -= self._usd
            if self._reserved[row] < 1e-9:
                del self._reserved[row]
        self._rows = ()


def row_of(scope: Scope, call: Call) -> tuple[UserId, str]:
    """Return owner and key of the counter row that a limit applies to."""
    match scope:
        case "run":
            return call.user, session_key(call.session)
        case "agent":
            return call.user, agent_month_key(call.agent, now())
        case "user":
            return call.user, month_key(now())
        case "platform":
            return SYSTEM, month_key(now())
