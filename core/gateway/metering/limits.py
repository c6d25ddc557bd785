"""Spending limits: a model call that would pass one is refused before it is made.

What a call will cost is not known before it has been answered, so a cost is *reserved* for it: an estimate that counts
like money spent until the call is booked. Calls that are made at once therefore see each other, and together they pass
a limit by no more than each of them costs more than its estimate. Reservations are those of one gateway process: where
several serve one user, each of them may let in one call too many.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from core.domain.errors import BadInput
from core.domain.records import SYSTEM, UserId, now
from core.domain.usage import agent_month_key, month_key, session_key
from core.gateway.providers import Call
from core.store import Store

Scope = Literal["run", "turns", "agent", "user", "quota", "platform"]
REFUSED = "spend_limit"  # core.runner.turn_result reads it: the turn ends as `limit`
OUT_OF_TURNS = "max_turns"  # as does this
READS = 5  # of a row that is booked on while it is read
WHOSE = {
    "run": "this run's spending limit of US${usd:g} is reached; the agent's owner can raise it",
    "agent": "this agent's monthly spending limit of US${usd:g} is reached; its owner can raise it",
    "user": "the user's monthly spending limit of US${usd:g} is reached; the user can raise it",
    "quota": "the user's monthly quota of US${usd:g} is reached; an administrator can raise it",
    "platform": "the platform's monthly spending limit of US${usd:g} is reached; an administrator can raise it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimit:
    """A limit in US dollars: of a run in all, or of an agent, a user or the platform in a calendar month (UTC).

    `quota` is a user's month as an administrator limits it. `turns` is limited in `calls` of the model instead.
    """

    scope: Scope
    usd: float = 0.0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class LimitCounter:
    """A number in the Store that a limit applies to."""

    owner: UserId
    key: str
    counter: str


class SpendLimits(Protocol):
    """Knows the limits. It is asked before every call, so it answers from memory or with a few reads at once."""

    async def of(self, call: Call) -> Sequence[SpendLimit]:
        """Return the limits that hold for this call; none if it may cost any amount."""


class NoLimits:
    """A platform without spending limits."""

    async def of(self, call: Call) -> Sequence[SpendLimit]:
        return ()


class Warnings(Protocol):
    """Hears how much of a month's limit is spent, as often as that is seen."""

    async def spent(self, call: Call, limit: SpendLimit, row: LimitCounter, usd: float) -> None:
        """`usd` is what has been spent of `limit`; as much as the limit itself if a call was refused."""


class NoWarnings:
    """Tells nobody."""

    async def spent(self, call: Call, limit: SpendLimit, row: LimitCounter, usd: float) -> None:
        return


class SpendGuard:
    """Reserves the estimated cost of calls under way, and refuses calls that would pass a limit."""

    def __init__(self, store: Store, limits: SpendLimits, warnings: Warnings | None = None) -> None:
        self._store, self._limits, self._warnings = store, limits, warnings or NoWarnings()
        self._reserved: dict[LimitCounter, float] = defaultdict(float)
        self._bookings: dict[LimitCounter, int] = defaultdict(int)

    async def admit(self, call: Call, estimate_usd: float | None) -> "Reservation":
        """Reserve this much for a call.

        Raises: BadInput (`spend_limit`, `max_turns`): a limit would be passed, or it cannot be kept because the call
        has no price.
        """
        limits = await self._limits.of(call)
        if estimate_usd is None and any(limit.usd for limit in limits):
            raise BadInput(
                "spend_limit_unpriced: the price of this model is not known, so no spending limit can hold it",
                code=REFUSED,
            )
        held = []
        for limit in limits:
            row = row_of(limit.scope, call)
            held.append(_Held(limit, row, await self._spent(row)))
        # No await from here to the reservation: two calls must not both see room for one.
        for one in held:
            most, cost = _amounts(one.limit, estimate_usd)
            if one.before + self._reserved[one.row] + cost > most:
                await self._warnings.spent(call, one.limit, one.row, most)
                raise _refusal(one.limit)
        amounts = {one.row: _amounts(one.limit, estimate_usd)[1] for one in held}
        for row, amount in amounts.items():
            self._reserved[row] += amount
        return Reservation(self._reserved, self._bookings, amounts, call, self._warnings, held)

    async def _spent(self, row: LimitCounter) -> float:
        """Return what the Store has, read again if a call was booked meanwhile and so is no longer reserved."""
        spent = 0.0
        for _ in range(READS):
            booked = self._bookings[row]
            spent = (await self._store.usage(row.key, owner=row.owner)).get(row.counter, 0.0)
            if booked == self._bookings[row]:
                break
        return spent


@dataclass(frozen=True, slots=True)
class _Held:
    """A limit that holds for a call, and what was spent of it when the call was let in."""

    limit: SpendLimit
    row: LimitCounter
    before: float


@dataclass(slots=True)
class Reservation:
    """The amounts that one call has reserved; they are released once, after the call was booked."""

    _reserved: dict[LimitCounter, float]
    _bookings: dict[LimitCounter, int]
    _amounts: Mapping[LimitCounter, float]
    _call: Call
    _warnings: Warnings
    _held: Sequence[_Held]

    async def booked(self, usd: float) -> None:
        """Tell what has been spent of each month's limit, now that the call has cost this much."""
        for one in self._held:
            await self._warnings.spent(self._call, one.limit, one.row, one.before + usd)

    def release(self) -> None:
        """Release the amounts. Idempotent."""
        for row, amount in self._amounts.items():
            self._bookings[row] += 1
            self._reserved[row] -= amount
            if self._reserved[row] < 1e-9:
                del self._reserved[row]
        self._amounts = {}


def row_of(scope: Scope, call: Call) -> LimitCounter:
    """Return the number that a limit applies to."""
    match scope:
        case "run":
            return LimitCounter(call.user, session_key(call.session), "cost_usd")
        case "turns":
            return LimitCounter(call.user, session_key(call.session), "calls")
        case "agent":
            return LimitCounter(call.user, agent_month_key(call.agent, now()), "cost_usd")
        case "user" | "quota":
            return LimitCounter(call.user, month_key(now()), "cost_usd")
        case "platform":
            return LimitCounter(SYSTEM, month_key(now()), "cost_usd")


def _amounts(limit: SpendLimit, estimate_usd: float | None) -> tuple[float, float]:
    """Return the most that the limit allows, and how much of that a call reserves."""
    return (float(limit.calls), 1.0) if limit.calls else (limit.usd, estimate_usd or 0.0)


def _refusal(limit: SpendLimit) -> BadInput:
    if limit.scope == "turns":
        return BadInput(f"max_turns: this run has made its {limit.calls} calls of the model", code=OUT_OF_TURNS)
    return BadInput(f"spend_limit_{limit.scope}: {WHOSE[limit.scope].format(usd=limit.usd)}", code=REFUSED)
