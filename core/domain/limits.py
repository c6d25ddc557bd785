"""Limits of spending and of unattended work: those that a user sets, and the quotas that an administrator sets."""

import re

import msgspec

from core.domain.agent_inputs import AgentLimits
from core.domain.records import Record

WARN_AT = (80, 100)  # per cent of a month's limit
SCOPES = ("run", "agent", "user", "quota", "platform", "unpriced")
# What the answer to a refused call begins with, so that pages can tell which limit it was and who can raise it.
REFUSED_SCOPE = re.compile(rf"spend_limit_({'|'.join(SCOPES)})\b|max_(turns): this run")


class Limits(Record, frozen=True, kw_only=True):
    """A user's limits; 0 is no limit. There is one row for each user, with this id.

    `run_usd`, `turns` (calls of the model) and `duration_s` hold for each run of each agent. `agent_month_usd` holds
    for each agent in a calendar month (UTC), `user_month_usd` for all of them together.
    """

    id: str = "limits"
    run_usd: float = 0.0
    agent_month_usd: float = 0.0
    user_month_usd: float = 0.0
    turns: int = 0
    duration_s: int = 0


class Quota(Record, frozen=True, kw_only=True):
    """The limit that an administrator sets for a calendar month (UTC); 0 is no limit."""

    id: str = "quota"
    user_month_usd: float = 0.0
    platform_month_usd: float = 0.0


class LimitsInForce(msgspec.Struct, frozen=True, kw_only=True):
    """All limits that hold for one agent of one user; 0 is no limit."""

    run_usd: float = 0.0
    turns: int = 0
    duration_s: int = 0
    agent_month_usd: float = 0.0
    user_month_usd: float = 0.0
    quota_month_usd: float = 0.0
    platform_month_usd: float = 0.0


def in_force(limits: Limits, agent: AgentLimits, *, quota: Quota | None, platform: Quota) -> LimitsInForce:
    """Combine the rows: where a user and their agent both have a limit, the smaller one holds.

    `quota` is the user's own quota, None if an administrator has set none for them.
    """
    return LimitsInForce(
        run_usd=_smaller(limits.run_usd, agent.run_usd),
        turns=int(_smaller(limits.turns, agent.turns)),
        duration_s=int(_smaller(limits.duration_s, agent.duration_s)),
        agent_month_usd=_smaller(limits.agent_month_usd, agent.month_usd),
        user_month_usd=limits.user_month_usd,
        quota_month_usd=(quota or platform).user_month_usd,
        platform_month_usd=platform.platform_month_usd,
    )


def _smaller(one: float, other: float) -> float:
    return min(one, other) if one and other else one or other


def scope_of_refusal(detail: str) -> str:
    """Return which of our limits refused a call, by the detail of its turn; empty if none did."""
    found = REFUSED_SCOPE.search(detail)
    return (found[1] or found[2]) if found else ""
