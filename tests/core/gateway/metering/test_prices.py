"""The price list: checked in with its day, by the model that answered, and silent about what it does not know."""

from datetime import date

import pytest
from msgspec import structs

from core.gateway.metering.answer_usage import CallUsage
from core.gateway.metering.prices import price_list

DAY = date(2026, 11, 30)
MILLION = 1_000_000


def cost(model: str, *, day: date = DAY, regional: bool = False, **used: int | bool) -> float | None:
    return price_list().cost_usd(CallUsage(model=model, **used), day=day, regional=regional)  # type: ignore[arg-type]


def test_every_kind_of_token_has_its_own_price() -> None:
    of_sonnet = {
        "input_tokens": 3.0, "output_tokens": 15.0, "cache_write_5m_tokens": 3.75, "cache_write_1h_tokens": 6.0,
        "cache_read_tokens": 0.3,
    }  # fmt: skip
    for kind, usd in of_sonnet.items():
        assert cost("claude-sonnet-4-6", **{kind: MILLION}) == pytest.approx(usd), kind
    assert cost("claude-sonnet-4-6", web_searches=100) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "model", ["claude-opus-4-5", "claude-opus-4-5-20251101", "claude-opus-4-5@20251101", "claude-opus-4-5[1m]"]
)
def test_all_spellings_of_a_model_have_one_price(model: str) -> None:
    assert cost(model, input_tokens=MILLION) == pytest.approx(5.0)


@pytest.mark.parametrize("model", ["claude-opus-9", "gpt-6", "", "claude-opus-4-5-latest-and-more", "claude"])
def test_a_model_that_is_not_in_the_list_has_no_price_and_is_not_free(model: str) -> None:
    assert cost(model, input_tokens=5) is None


def test_a_price_holds_from_its_day_on() -> None:
    assert cost("claude-sonnet-5-5", day=date(2026, 10, 6), cache_read_tokens=MILLION) == pytest.approx(0.2)
    assert cost("claude-sonnet-5-5", day=date(2026, 10, 7), cache_read_tokens=MILLION) == pytest.approx(0.1)


def test_a_long_prompt_is_dearer_as_a_whole() -> None:
    assert cost("claude-haiku-5-5", input_tokens=100_000) == pytest.approx(0.01)
    assert cost("claude-haiku-5-5", input_tokens=50_000, cache_read_tokens=50_001) == pytest.approx(0.02750005)


def test_what_google_asks_for_a_region_and_anthropic_for_the_country_is_added() -> None:
    assert cost("claude-haiku-4-5", regional=True, input_tokens=MILLION) == pytest.approx(1.1)
    assert cost("claude-3-5-haiku", regional=True, input_tokens=MILLION) == pytest.approx(0.8)
    assert cost("claude-opus-5", us_only=True, input_tokens=MILLION) == pytest.approx(5.5)


def test_the_price_of_the_fast_mode_is_not_known() -> None:
    assert cost("claude-opus-5", fast=True, input_tokens=MILLION) is None


def test_the_list_says_when_it_was_checked_and_names_each_model_once_a_day() -> None:
    prices = price_list()
    assert prices.checked <= date.today()
    named = [(model, price.holds_from) for price in prices.prices for model in price.models]
    assert len(named) == len(set(named))
    for price in prices.prices:
        assert all(structs.asdict(price)[kind] >= 0 for kind in ("input", "output", "cache_read"))
        assert price.cache_read <= price.input <= price.cache_write_5m <= price.cache_write_1h
