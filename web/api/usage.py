"""What the caller used, and the limits of what they may use."""

from collections import defaultdict
from datetime import date
from typing import Annotated, Literal

import msgspec
from fastapi import Query

from core.domain.runs import Limits
from core.domain.usage import UsageRow
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller

Day = Annotated[date | None, Query(description="a day (UTC), included")]
COUNTED = ("calls", "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens", "unpriced_calls")


class LimitSet(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars and seconds; 0 is no limit. A run's hold for each run, the others for a calendar month (UTC)."""

    run_usd: float = 0.0
    agent_month_usd: float = 0.0
    user_month_usd: float = 0.0
    duration_s: int = 0


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """A sum. `cost_usd` is a lower bound if there are calls without a known price."""

    key: str
    calls: int
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    cost_usd: float
    unpriced_calls: int


class UsageList(msgspec.Struct, frozen=True, kw_only=True):
    """Sums, one for each agent, model or day."""

    usage: list[UsageSum]


def router(services: Services) -> ApiRouter:
    """`/usage` and `/limits`."""
    api = ApiRouter("usage")

    @api.endpoint("GET", "/usage")
    async def usage(
        user: Caller,
        by: Literal["agent", "model", "day"] = "day",
        first: Annotated[Day, Query(alias="from")] = None,
        last: Annotated[Day, Query(alias="to")] = None,
    ) -> UsageList:
        """Sum up what the caller used, by agent, model or day."""
        rows = await services.runs.usage(user=user.user_id)
        kept = [row for row in rows if (first is None or row.day >= first) and (last is None or row.day <= last)]
        return UsageList(usage=_summed(kept, by))

    @api.endpoint("GET", "/limits")
    async def get_limits(user: Caller) -> LimitSet:
        """Read the caller's limits."""
        return _shown(await services.runs.limits(user=user.user_id))

    @api.endpoint("PUT", "/limits")
    async def put_limits(body: LimitSet, user: Caller) -> LimitSet:
        """Set the caller's limits, all of them. A model call that would pass one is refused before it is made."""
        fields = {name: getattr(body, name) for name in body.__struct_fields__}
        return _shown(await services.runs.set_limits(Limits(**fields), user=user.user_id))

    return api


def _shown(limits: Limits) -> LimitSet:
    return LimitSet(**{name: getattr(limits, name) for name in LimitSet.__struct_fields__})


def _summed(rows: list[UsageRow], by: str) -> list[UsageSum]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTED, 0))
    costs: dict[str, float] = defaultdict(float)
    for row in rows:
        key = str(getattr(row, by))
        costs[key] += row.cost_usd
        for name in COUNTED:
            sums[key][name] += getattr(row, name)
    return [UsageSum(key=key, cost_usd=costs[key], **amounts) for key, amounts in sums.items()]
