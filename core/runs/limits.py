"""Reads and changes the limits of users and the quotas of administrators."""

import asyncio
import math
from typing import TypeVar

from core.domain.agent_inputs import MOST_S, MOST_TURNS, MOST_USD, AgentLimits
from core.domain.errors import BadInput, NotFound
from core.domain.limits import Limits, LimitsInForce, Quota, in_force
from core.domain.records import SYSTEM, Agent, UserId
from core.store import Store

R = TypeVar("R", Limits, Quota)


async def limits_of(store: Store, user: UserId) -> Limits:
    """Return the user's limits; none are set until they set some."""
    return await _found(store, Limits(), owner=user) or Limits()


async def quota_of(store: Store, user: UserId) -> Quota | None:
    """Return the user's own quota (with SYSTEM: the platform's); None if an administrator has set none."""
    return await _found(store, Quota(), owner=user)


async def limits_in_force(store: Store, agent: str, *, user: UserId) -> LimitsInForce:
    """Read all limits that hold for an agent of a user; of an agent that does not exist, those of the others."""
    own, quota, platform = await asyncio.gather(limits_of(store, user), quota_of(store, user), quota_of(store, SYSTEM))
    try:
        of_agent = (await store.get(Agent, agent, owner=user)).limits
    except NotFound:
        of_agent = AgentLimits()
    return in_force(own, of_agent, quota=quota, platform=platform or Quota())


async def change_limits(store: Store, limits: Limits | Quota, *, user: UserId) -> None:
    """Set all of them. They hold from the next model call on. Raises: BadInput: one is negative or no number."""
    for name in limits.__struct_fields__:
        if name.endswith("_usd"):
            usd = getattr(limits, name)
            if not math.isfinite(usd) or not 0 <= usd <= MOST_USD:
                raise BadInput(f"a limit is 0 to {MOST_USD:,.0f} US dollars", code="bad_limit")
    if isinstance(limits, Limits):
        if not 0 <= limits.duration_s <= MOST_S:
            raise BadInput(f"a run lasts 0 to {MOST_S} seconds", code="bad_limit")
        if not 0 <= limits.turns <= MOST_TURNS:
            raise BadInput(f"a run has 0 to {MOST_TURNS} turns", code="bad_limit")
    await store.put(limits, owner=user)


async def _found(store: Store, unset: R, *, owner: UserId) -> R | None:
    """Return the kept record with the kind and id of `unset`; None if there is none."""
    try:
        return await store.get(type(unset), unset.id, owner=owner)
    except NotFound:
        return None
