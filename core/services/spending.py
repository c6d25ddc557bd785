"""Usage and its limits: usage by day, the limits of a user, and the quotas."""

import asyncio
from datetime import date

import msgspec

from core.domain.audit import AuditAction
from core.domain.limits import Limits, LimitsInForce, Quota
from core.domain.records import SYSTEM, User, UserId, now
from core.domain.usage import DAYS, UsageRow, agent_month_key, days_prefix, month_key, usage_rows
from core.runs.limits import change_limits, limits_in_force, limits_of, quota_of
from core.services.audit import Audit
from core.services.users import UserAdmin
from core.store import Store

SIDE_BY_SIDE = 8  # users whose usage is read at the same time


class UserUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of a user in a period, with their quota (0: none) and their spending of this month."""

    user: User
    rows: list[UsageRow]
    quota: Quota | None
    month_usd: float


class Spending:
    """Use cases over the Store; `people` knows who is an administrator."""

    def __init__(self, store: Store, *, audit: Audit, people: UserAdmin) -> None:
        self._store, self._audit, self._people = store, audit, people

    async def usage(self, *, user: UserId, first: date | None = None, last: date | None = None) -> list[UsageRow]:
        """Return what was used by day, agent and model, oldest day first; both days (UTC) belong to the period."""
        prefix = days_prefix(first) if first and last and first.replace(day=1) == last.replace(day=1) else DAYS
        rows = usage_rows(await self._store.all_usage(owner=user, prefix=prefix))
        return [row for row in rows if (first is None or row.day >= first) and (last is None or row.day <= last)]

    async def usage_of_all(self, *, by: UserId, first: date | None = None, last: date | None = None) -> list[UserUsage]:
        """Return the same for every user. Raises: NotFound: `by` is no administrator."""
        users, room = await self._people.all(by=by), asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(user: User) -> UserUsage:
            async with room:
                return UserUsage(
                    user=user,
                    rows=await self.usage(user=user.user_id, first=first, last=last),
                    quota=await quota_of(self._store, user.user_id),
                    month_usd=await self.month_usd(user=user.user_id),
                )

        return list(await asyncio.gather(*map(one, users)))

    async def month_usd(self, *, user: UserId) -> float:
        """Return what the user has spent this month (UTC), as far as prices are known."""
        return (await self._store.usage(month_key(now()), owner=user)).get("cost_usd", 0.0)

    async def agent_month_usd(self, agent: str, *, user: UserId) -> float:
        """Return what one agent has spent this month (UTC), as far as prices are known."""
        return (await self._store.usage(agent_month_key(agent, now()), owner=user)).get("cost_usd", 0.0)

    async def platform_month_usd(self, *, by: UserId) -> float:
        """Return what all users together have spent this month. Raises: NotFound: `by` is no administrator."""
        await self._people.admin(by)
        return await self.month_usd(user=SYSTEM)

    async def limits(self, *, user: UserId) -> Limits:
        """Return the limits that the user has set for all their agents."""
        return await limits_of(self._store, user)

    async def set_limits(self, limits: Limits, *, user: UserId) -> Limits:
        """Raises: BadInput."""
        await change_limits(self._store, limits, user=user)
        await self._audit.record(AuditAction.LIMITS_CHANGED, who=user, about=user)
        return limits

    async def in_force(self, agent: str, *, user: UserId) -> LimitsInForce:
        """Return all limits that hold for the agent, those of administrators too; "" stands for any agent."""
        return await limits_in_force(self._store, agent, user=user)

    async def platform_quota(self, *, by: UserId) -> Quota:
        """Return the platform's limits. Raises: NotFound: `by` is no administrator."""
        await self._people.admin(by)
        return await quota_of(self._store, SYSTEM) or Quota()

    async def set_platform_quota(self, quota: Quota, *, by: UserId) -> Quota:
        """Raises: NotFound: `by` is no administrator. BadInput."""
        await self._people.admin(by)
        await change_limits(self._store, quota, user=SYSTEM)
        await self._audit.record(AuditAction.LIMITS_CHANGED, who=by, about=SYSTEM)
        return quota

    async def set_user_quota(self, user: UserId, usd: float | None, *, by: UserId) -> None:
        """Set the quota of one user; with None the platform's holds. Raises: NotFound: `by`, or the user. BadInput."""
        await self._people.admin(by)
        await self._store.get(User, user, owner=SYSTEM)
        if usd is None:
            await self._store.delete(Quota, Quota().id, owner=user)
        else:
            await change_limits(self._store, Quota(user_month_usd=usd), user=user)
        await self._audit.record(AuditAction.LIMITS_CHANGED, who=by, about=user)
