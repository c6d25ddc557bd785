"""The price list: the cost of a model call by the prices of its day, or None if no price is known."""

import re
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from core.gateway.metering.answer_usage import CallUsage

FILE = Path(__file__).with_name("prices.toml")
# Spellings of one model: claude-opus-4-5-20251101, claude-opus-4-5@20251101, claude-3-5-haiku-latest, …[1m]
SPELLING = re.compile(r"(?:anthropic/)?(?P<name>[a-z0-9.-]+?)(?:[-@]\d{8}|-latest)?(?:\[1m\])?")
MILLION = 1_000_000


class TokenRates(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars per million tokens of each kind."""

    input: float
    output: float
    cache_write_5m: float
    cache_write_1h: float
    cache_read: float

    def usd(self, used: CallUsage) -> float:
        return (
            used.input_tokens * self.input
            + used.output_tokens * self.output
            + used.cache_write_5m_tokens * self.cache_write_5m
            + used.cache_write_1h_tokens * self.cache_write_1h
            + used.cache_read_tokens * self.cache_read
        ) / MILLION


class LongPromptRates(TokenRates, frozen=True, kw_only=True):
    """The rates of a call whose prompt has more than `over` tokens."""

    over: int


class Price(TokenRates, frozen=True, kw_only=True, rename={"holds_from": "from"}):
    """The rates of some models, from a day on. `regional`: Google asks more for them inside a region."""

    models: tuple[str, ...]
    holds_from: date = date.min
    regional: bool = True
    long_prompt: LongPromptRates | None = None


class PriceList(msgspec.Struct, frozen=True, kw_only=True, rename={"prices": "price"}, forbid_unknown_fields=True):
    """All prices. `checked` is the day on which they were last compared with their source."""

    checked: date
    regional_factor: float
    us_only_factor: float
    web_search_usd: float
    prices: tuple[Price, ...]

    def cost_usd(self, used: CallUsage, *, day: date, regional: bool = False) -> float | None:
        """Return the cost of a call in US dollars; None if no price is known for it.

        `regional`: the provider is Vertex AI, at a place that is not `global`.
        """
        price = self.of(used.model, day)
        if price is None or used.fast:
            return None
        long = price.long_prompt
        rates: TokenRates = long if long and used.prompt_tokens > long.over else price
        factor = (self.regional_factor if regional and price.regional else 1.0) * (
            self.us_only_factor if used.us_only else 1.0
        )
        return rates.usd(used) * factor + used.web_searches * self.web_search_usd

    def of(self, model: str, day: date) -> Price | None:
        """Return the price of a model on that day; None if there is none."""
        found = SPELLING.fullmatch(model)
        held = [price for price in self.prices if found and found["name"] in price.models and price.holds_from <= day]
        return max(held, key=lambda price: price.holds_from, default=None)


@cache
def price_list() -> PriceList:
    """Return the list that is checked in beside this module."""
    return msgspec.toml.decode(FILE.read_bytes(), type=PriceList)


def offered_models() -> tuple[str, ...]:
    """Return the models that a person may choose from: the first name of each entry of the list, newest first."""
    return tuple(dict.fromkeys(price.models[0] for price in price_list().prices))
