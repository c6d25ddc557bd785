"""Tests of addresses of /usage, and of costs that are free, unknown, or known in part."""

from datetime import date

import pytest

from core.domain.usage import UsageRow
from ui.layout.i18n import words
from ui.usage.periods import days_of_month, read
from ui.usage.sums import cost, summed, total

DAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, "2026-03-01", "2026-03-01"),
        ({"period": "last_month"}, "2026-02-01", "2026-02-28"),
        ({"period": "week"}, "2026-02-23", "2026-03-01"),
        ({"period": "days30"}, "2026-01-31", "2026-03-01"),
        ({"from": "2026-01-05", "to": "2026-01-07", "period": "week"}, "2026-01-05", "2026-01-07"),
        ({"from": "2026-01-09", "to": "2026-01-07"}, "2026-03-01", "2026-03-01"),
        ({"from": "yesterday", "to": "x" * 1000, "period": "ever"}, "2026-03-01", "2026-03-01"),
    ],
)
def test_a_period_is_read_from_the_address_and_leads_back_to_it(query: dict[str, str], first: str, last: str) -> None:
    asked = read(query, today=DAY, admin=False)
    assert (f"{asked.first}", f"{asked.last}") == (first, last)
    parts = dict(part.split("=") for part in asked.address().partition("?")[2].split("&") if part)
    assert read(parts, today=DAY, admin=False) == asked


def test_everybodys_usage_is_asked_for_by_administrators_only() -> None:
    query = {"whose": "all", "by": "model"}
    assert read(query, today=DAY, admin=True).everyone
    assert not read(query, today=DAY, admin=False).everyone
    assert read({"whose": "all", "by": "agent"}, today=DAY, admin=True).by == "user"
    assert read({"by": "user"}, today=DAY, admin=True).by == "agent"
    assert read(query, today=DAY, admin=True).address(whose="", by="") == "/usage"


def test_money_that_is_not_known_is_never_nothing() -> None:
    english = words("en", "UTC")

    def row(model: str, usd: float, unpriced: int = 0) -> UsageRow:
        return UsageRow(day=DAY, agent="a", model=model, calls=2, cost_usd=usd, unpriced_calls=unpriced)

    assert cost(total([row("claude-opus-5", 2.39)]), english) == "US$2.39"
    assert cost(total([row("new-model", 0.0, 2)]), english) == "unknown"
    assert cost(total([row("claude-opus-5", 2.39), row("new-model", 0.0, 2)]), english) == "US$2.39 + unknown"
    assert cost(total([row("practice", 0.0)]), english) == english.t("head.free")
    assert cost(total([row("practice", 0.0), row("claude-opus-5", 0.0)]), english) == "US$0.00"
    assert cost(total([]), english) == "–"
    assert [one.key for one in summed([("a", row("m", 1)), ("b", row("m", 3)), ("a", row("m", 1.5))])] == ["b", "a"]


def test_a_month_has_its_days() -> None:
    assert [days_of_month(date(2026, month, 9)) for month in (2, 4, 12)] == [28, 30, 31]
    assert days_of_month(date(2028, 2, 29)) == 29
