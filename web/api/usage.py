"""The usage and its limits: a user's own, and those of administrators."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

import msgspec
from fastapi import Query

from core.domain.limits import Limits, Quota
from core.domain.records import UserId
from core.domain.usage import UsageRow
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller

Day = Annotated[date | None, Query(description="a day (UTC), included")]
COUNTED = ("calls", "input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens", "unpriced_calls")


class LimitSet(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars, calls of the model (`turns`), and seconds; 0 is no limit.

    `user_month_usd` and `agent_month_usd` hold for a calendar month (UTC), the others for each run of any agent. The
    limits of one agent are part of its definition.
    """

    run_usd: float = 0.0
    agent_month_usd: float = 0.0
    user_month_usd: float = 0.0
    turns: int = 0
    duration_s: int = 0


class PlatformLimitSet(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars in a calendar month (UTC), 0 is no limit: of each user without a quota of their own, and of all."""

    user_month_usd: float = 0.0
    platform_month_usd: float = 0.0


class UserQuota(msgspec.Struct, frozen=True, kw_only=True):
    """The most that a user may spend in a calendar month (UTC), in US dollars; 0 is no limit."""

    user_month_usd: float


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
    """Sums, one for each agent, model, day or user."""

    usage: list[UsageSum]


def router(services: Services) -> ApiRouter:
    """`/usage` and `/limits`, and the same for administrators."""
    api = ApiRouter("usage")
    _usage(api, services)
    _limits(api, services)
    _quotas(api, services)
    return api


def _usage(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/usage")
    async def usage(
        user: Caller,
        by: Literal["agent", "model", "day"] = "day",
        first: Annotated[Day, Query(alias="from")] = None,
        last: Annotated[Day, Query(alias="to")] = None,
    ) -> UsageList:
        """Sum up what the caller used, by agent, model or day."""
        rows = await services.spending.usage(user=user.user_id, first=first, last=last)
        return UsageList(usage=_summed((str(getattr(row, by)), row) for row in rows))

    @api.endpoint("GET", "/admin/usage", problems=(404,))
    async def usage_of_all(
        user: Caller,
        by: Literal["user", "model", "day"] = "user",
        first: Annotated[Day, Query(alias="from")] = None,
        last: Annotated[Day, Query(alias="to")] = None,
    ) -> UsageList:
        """Sum up what all users used, by user, model or day; for administrators."""
        found = await services.spending.usage_of_all(by=user.user_id, first=first, last=last)
        rows = ((one.user.id if by == "user" else str(getattr(row, by)), row) for one in found for row in one.rows)
        return UsageList(usage=_summed(rows))


def _limits(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/limits")
    async def get_limits(user: Caller) -> LimitSet:
        """Read the caller's limits."""
        return msgspec.convert(await services.spending.limits(user=user.user_id), LimitSet, from_attributes=True)

    @api.endpoint("PUT", "/limits")
    async def put_limits(body: LimitSet, user: Caller) -> LimitSet:
        """Set the caller's limits, all of them. A model call that would pass one is refused before it is made."""
        await services.spending.set_limits(Limits(**msgspec.structs.asdict(body)), user=user.user_id)
        return body


def _quotas(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/admin/limits", problems=(404,))
    async def get_platform_limits(user: Caller) -> PlatformLimitSet:
        """Read the platform's limits; for administrators."""
        found = await services.spending.platform_quota(by=user.user_id)
        return msgspec.convert(found, PlatformLimitSet, from_attributes=True)

    @api.endpoint("PUT", "/admin/limits", problems=(404,))
    async def put_platform_limits(body: PlatformLimitSet, user: Caller) -> PlatformLimitSet:
        """Set the platform's limits; for administrators."""
        await services.spending.set_platform_quota(Quota(**msgspec.structs.asdict(body)), by=user.user_id)
        return body

    @api.endpoint("PUT", "/admin/users/{user_id}/limits", problems=(404,))
    async def put_user_quota(user_id: str, body: UserQuota, user: Caller) -> UserQuota:
        """Set the quota of one user, in place of the platform's; for administrators."""
        await services.spending.set_user_quota(UserId(user_id), body.user_month_usd, by=user.user_id)
        return body

    @api.endpoint("DELETE", "/admin/users/{user_id}/limits", problems=(404,))
    async def delete_user_quota(user_id: str, user: Caller) -> PlatformLimitSet:
        """Take the quota of one user away; the platform's limits, which are returned, hold again."""
        await services.spending.set_user_quota(UserId(user_id), None, by=user.user_id)
        return await get_platform_limits(user)


def _summed(keyed: Iterable[tuple[str, UsageRow]]) -> list[UsageSum]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(COUNTED, 0))
    costs: dict[str, float] = defaultdict(float)
    for key, row in keyed:
        costs[key] += row.cost_usd
        for name in COUNTED:
            sums[key][name] += getattr(row, name)
    return [UsageSum(key=key, cost_usd=costs[key], **amounts) for key, amounts in sums.items()]
