"""Counts every model call that the gateway forwards, by the model that answered and at the price of the day.

A call is booked before the caller gets its end, so that a reader who sees the end of a turn finds all its calls in the
Store. A call that breaks off is booked with its usage until then. If the Store refuses, the booking is kept in memory
and repeated with the next one.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import msgspec

from core.domain.errors import StoreUnavailable
from core.domain.events import PRACTICE
from core.domain.records import SYSTEM, UserId, now
from core.domain.usage import agent_month_key, day_key, month_key, session_key
from core.gateway.metering.answer_usage import CHARS_A_TOKEN, AnswerUsage, CallUsage
from core.gateway.metering.limit_warnings import LimitWarnings
from core.gateway.metering.limits import NoLimits, Reservation, SpendGuard, SpendLimits
from core.gateway.metering.prices import price_list
from core.gateway.providers import Call
from core.lib.tasks import Tasks
from core.observability import metrics
from core.store import Store

log = logging.getLogger("oma.gateway")

USUAL_ANSWER_TOKENS = 1_000  # reserved for an answer; hardly any answer reaches `max_tokens`
ALIKE = 2.0  # a session's next call is assumed to cost at most this many times its last one
SESSIONS = 10_000  # sessions whose last cost is remembered
COUNTED = ("input_tokens", "output_tokens", "cache_read_tokens")


class _Asked(msgspec.Struct, frozen=True):
    model: str = ""
    max_tokens: int = USUAL_ANSWER_TOKENS


class Meter:
    """The meter of one gateway. `provider` is the setting's name; `regional`: see core.gateway.metering.prices."""

    def __init__(
        self, store: Store, *, provider: str = "", regional: bool = False, limits: SpendLimits | None = None
    ) -> None:
        self._store, self._free, self._regional = store, provider == PRACTICE, regional
        self._guard = SpendGuard(store, limits or NoLimits(), LimitWarnings(store))
        self._last_usd: dict[str, float] = {}
        self._unbooked: dict[UserId, dict[str, dict[str, float]]] = {}
        self._one = asyncio.Lock()
        self._tasks = Tasks()

    async def admit(self, call: Call) -> "MeteredCall":
        """Begin to meter a call. Raises: BadInput (`spend_limit`, `max_turns`): it would pass a limit."""
        return MeteredCall(self, call, await self._guard.admit(call, self._estimate_usd(call)))

    def use(self, *, provider: str, regional: bool) -> None:
        """Count further calls as those of this provider."""
        self._free, self._regional = provider == PRACTICE, regional

    async def close(self) -> None:
        """Book the calls that have not been booked yet."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._unbooked:
            await self._write({})

    def _estimate_usd(self, call: Call) -> float | None:
        """Estimate the cost of a call from its length, bounded by its session's last call; None: there is no price."""
        if self._free:
            return 0.0
        try:
            asked = msgspec.json.decode(call.body, type=_Asked)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return 0.0  # the API refuses it
        likely = CallUsage(
            model=asked.model,
            input_tokens=len(call.body) // CHARS_A_TOKEN,
            output_tokens=min(asked.max_tokens, USUAL_ANSWER_TOKENS),
        )
        cost = self.cost_usd(likely, at=now())
        last = self._last_usd.get(call.session)
        return cost if cost is None or last is None else min(cost, ALIKE * last)

    def cost_usd(self, used: CallUsage, *, at: datetime) -> float | None:
        """Return the cost in US dollars; None if no price is known."""
        return 0.0 if self._free else price_list().cost_usd(used, day=at.date(), regional=self._regional)

    async def book(self, call: Call, used: CallUsage) -> float:
        """Add a call to its rows; this completes even if the caller is cancelled. Return its cost in US dollars."""
        at = now()
        used = msgspec.structs.replace(used, model=PRACTICE) if self._free else used
        cost = self.cost_usd(used, at=at)
        if cost:
            self._last_usd[call.session] = cost
            if len(self._last_usd) > SESSIONS:
                del self._last_usd[next(iter(self._last_usd))]
        metrics.cost_usd.inc(cost or 0.0)
        rows = booked_rows(call, used, cost, at=at)
        await asyncio.shield(self._tasks.spawn(self._write(rows), "booking of a model call"))
        return cost or 0.0

    async def _write(self, rows: Mapping[UserId, Mapping[str, Mapping[str, float]]]) -> None:
        async with self._one:
            waiting, self._unbooked = self._unbooked, {}
            for owner, added in merged(waiting, rows).items():
                try:
                    await self._store.add_usage_rows(added, owner=owner)
                except StoreUnavailable as error:
                    log.error("model calls are not booked yet: %s", error)
                    self._unbooked[owner] = added


class MeteredCall:
    """Observes the answer of one call and books the call at its end."""

    def __init__(self, meter: Meter, call: Call, reservation: Reservation) -> None:
        self._meter, self._call, self._reservation = meter, call, reservation
        self._usage: AnswerUsage | None = None
        self._booked = False

    def begins(self, *, streams: bool) -> None:
        self._usage = AnswerUsage(streams=streams)

    async def passes(self, chunk: bytes) -> None:
        if self._usage:
            self._usage.feed(chunk)
            if self._usage.ended:
                await self.end()

    async def end(self) -> None:
        """Book the call, once, and give back what it reserved."""
        try:
            if self._usage and not self._booked:
                self._booked = True
                self._usage.end()
                if self._usage.used.model:
                    await self._reservation.booked(await self._meter.book(self._call, self._usage.used))
        finally:
            self._reservation.release()


def booked_rows(
    call: Call, used: CallUsage, cost_usd: float | None, *, at: datetime
) -> dict[UserId, dict[str, dict[str, float]]]:
    """Return owner, key and amounts of every row that a call is added to."""
    amounts: dict[str, float] = {"calls": 1.0} | {name: float(getattr(used, name)) for name in COUNTED}
    amounts["cache_write_tokens"] = float(used.cache_write_5m_tokens + used.cache_write_1h_tokens)
    amounts |= {"unpriced_calls": 1.0} if cost_usd is None else {"cost_usd": cost_usd}
    keys = (
        month_key(at),
        agent_month_key(call.agent, at),
        day_key(call.agent, used.model, at),
        session_key(call.session),
    )
    return {call.user: {key: amounts for key in keys}, SYSTEM: {month_key(at): amounts}}


def merged(
    *all_rows: Mapping[UserId, Mapping[str, Mapping[str, float]]],
) -> dict[UserId, dict[str, dict[str, float]]]:
    """Add rows up, by owner, key and counter."""
    sums: dict[UserId, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(float)))
    for rows in all_rows:
        for owner, keys in rows.items():
            for key, amounts in keys.items():
                for name, amount in amounts.items():
                    sums[owner][key][name] += amount
    return sums
