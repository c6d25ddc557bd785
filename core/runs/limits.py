"""Reads and changes a user's limits."""

import math

from core.domain.errors import BadInput, NotFound
from core.domain.records import UserId
from core.domain.runs import Limits
from core.store import Store

MOST_USD = 1_000_000.0
MOST_S = 7 * 24 * 3600


async def limits_of(store: Store, user: UserId) -> Limits:
    """Return the user's limits; all are 0 (no limit) until the user sets some."""
    try:
        return await store.get(Limits, Limits().id, owner=user)
    except NotFound:
        return Limits()


async def change_limits(store: Store, limits: Limits, *, user: UserId) -> Limits:
    """Replace all limits; they apply from the next model call on. Raises: BadInput: one is negative or not finite."""
    for usd in (limits.run_usd, limits.agent_month_usd, limits.user_month_usd):
        if not math.isfinite(usd) or not 0 <= usd <= MOST_USD:
            raise BadInput(f"a limit is 0 to {MOST_USD:,.0f} US dollars", code="bad_limit")
    if not 0 <= limits.duration_s <= MOST_S:
        raise BadInput(f"a run lasts 0 to {MOST_S} seconds", code="bad_limit")
    await store.put(limits, owner=user)
    return limits
