"""The keys of usage counters in the Store, and the rows of the usage list.

The gateway adds every model call to four rows of its user at once (core.gateway.metering.meter), and to one row of the
platform. All rows have the same counters: `calls`, `input_tokens`, `output_tokens`, `cache_write_tokens`,
`cache_read_tokens`, `cost_usd`, and `unpriced_calls`: how many of the calls have no known price and are not in
`cost_usd`. The rows of a month have `turns` besides, which the ingest counts.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

DAYS = "usage/"
CHARGED_USD, CHARGED_UNPRICED = "charged_usd", "charged_unpriced_calls"  # of a session's row: what its ended turns took
MODEL_CHARS = 60


def month_key(at: date) -> str:
    """Return the key of a user's month, or with the owner SYSTEM of the platform's."""
    return f"{at:%Y-%m}"


def agent_month_key(agent: str, at: date) -> str:
    """Return the key of an agent's month."""
    return f"agent/{agent}/{at:%Y-%m}"


def session_key(session: str) -> str:
    """Return the key of a session, and so of a run, for all its life."""
    return f"session/{session}"


def day_key(agent: str, model: str, at: date) -> str:
    """Return the key of an agent and a model on a day (UTC): the finest row, which the usage list shows."""
    return f"{DAYS}{at:%Y-%m-%d}/{agent}/{model[:MODEL_CHARS].replace('/', '_')}"


def days_prefix(at: date, *, whole_month: bool = True) -> str:
    """Return the prefix that the keys of all rows of a month, or of a day, share: for one `Store.all_usage`."""
    return f"{DAYS}{at:%Y-%m}" if whole_month else f"{DAYS}{at:%Y-%m-%d}/"


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of one model by one agent on one day. `cost_usd` is a lower bound if `unpriced_calls` is not 0."""

    day: date
    agent: str
    model: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0


def usage_rows(found: Mapping[str, Mapping[str, float]]) -> list[UsageRow]:
    """Return the rows of days from what `Store.all_usage` returned, oldest day first; others are left out."""
    rows = []
    for key, amounts in sorted(found.items()):
        if key.startswith(DAYS):
            day, agent, model = key.removeprefix(DAYS).split("/", 2)
            at = datetime.strptime(day, "%Y-%m-%d").date()
            rows.append(UsageRow(day=at, agent=agent, model=model, **_counters(amounts)))
    return rows


def _counters(amounts: Mapping[str, float]) -> dict[str, Any]:
    names = UsageRow.__struct_fields__
    return {name: x if name == "cost_usd" else int(x) for name, x in amounts.items() if name in names}
