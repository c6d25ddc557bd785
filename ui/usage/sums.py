"""Sums of usage rows, and how their cost is said: free, unknown, or an amount."""

from collections.abc import Iterable
from dataclasses import dataclass

from core.domain.events import PRACTICE
from core.domain.usage import UsageRow
from ui.layout.i18n import Translations

NONE = "–"


@dataclass(slots=True)
class Sum:
    """The sum of some rows. The practice model answered `free_calls`; `unpriced_calls` have no known price."""

    key: str
    calls: int = 0
    free_calls: int = 0
    unpriced_calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def add(self, row: UsageRow) -> None:
        """Count one more row in."""
        self.calls += row.calls
        self.free_calls += row.calls if row.model == PRACTICE else 0
        self.unpriced_calls += row.unpriced_calls
        self.input_tokens += row.input_tokens + row.cache_write_tokens + row.cache_read_tokens
        self.cached_tokens += row.cache_read_tokens
        self.output_tokens += row.output_tokens
        self.cost_usd += row.cost_usd

    @property
    def tokens(self) -> int:
        """All tokens, read and written."""
        return self.input_tokens + self.output_tokens


def summed(keyed: Iterable[tuple[str, UsageRow]]) -> list[Sum]:
    """Return a sum for each key, the most expensive first."""
    sums: dict[str, Sum] = {}
    for key, row in keyed:
        sums.setdefault(key, Sum(key)).add(row)
    return sorted(sums.values(), key=lambda one: (-one.cost_usd, -one.tokens, one.key))


def total(rows: Iterable[UsageRow]) -> Sum:
    """The sum of all rows."""
    whole = Sum("")
    for row in rows:
        whole.add(row)
    return whole


def cost(of: Sum, words: Translations) -> str:
    """The cost in words. A call without a known price is said to be unknown, and never counts as nothing."""
    if not of.calls:
        return NONE
    unknown = words.t("usage.unknown")
    if of.unpriced_calls:
        return f"{words.money(of.cost_usd)} + {unknown}" if of.cost_usd else unknown
    return words.t("head.free") if of.free_calls == of.calls else words.money(of.cost_usd)
