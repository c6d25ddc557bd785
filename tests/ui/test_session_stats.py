"""Model, context and cost in words: what is not known is not shown, and nothing is guessed."""

import pytest

from core.domain.events import PRACTICE, TurnFinished
from ui.layout.i18n import words
from ui.transcript.session_stats import Facts, SessionStats, after, facts, spoken

SONNET = "claude-sonnet-4-5-20250929"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SONNET, "Sonnet 4.5"),
        ("claude-opus-4-1@20250805", "Opus 4.1"),
        ("claude-sonnet-4-20250514", "Sonnet 4"),
        ("claude-haiku-5", "Haiku 5"),
        ("claude-3-5-haiku-latest", "Haiku 3.5"),
        ("claude-3-opus-20240229", "Opus 3"),
        ("llama-4-maverick", "llama-4-maverick"),
        ("claude-<b>", "claude-<b>"),
    ],
)
def test_a_model_is_called_as_people_call_it(model: str, name: str) -> None:
    assert spoken(model) == name


def test_all_of_it_in_both_languages() -> None:
    known = SessionStats(model=SONNET, context_tokens=62_400, window_tokens=200_000, cost_usd=0.18)
    assert facts(known, words("ko")) == Facts(
        model="Sonnet 4.5", exact=SONNET, context="200,000토큰 중 62,400", percent=31, cost="US$0.18"
    )
    assert facts(known, words("en")).context == "62,400 of 200,000 tokens"


def test_nothing_is_shown_of_what_nobody_has_said() -> None:
    assert facts(SessionStats(), words("en")) == Facts()
    unknown = facts(SessionStats(model=SONNET, context_tokens=12_000), words("en"))
    assert (unknown.context, unknown.percent, unknown.cost) == ("12,000 tokens", None, "")


def test_the_practice_model_says_that_it_is_free_but_what_was_paid_before_stays() -> None:
    free = facts(SessionStats(model=PRACTICE), words("ko"))
    assert (free.model, free.exact, free.cost) == ("연습 모델", "", "무료")
    assert facts(SessionStats(model=PRACTICE, cost_usd=0.5), words("ko")).cost == "US$0.50"


@pytest.mark.parametrize(
    ("used", "percent", "high"), [(1, 1, False), (150_000, 75, False), (160_000, 80, True), (250_000, 100, True)]
)
def test_the_meter_warns_before_it_is_full_and_never_leaves_its_bounds(used: int, percent: int, high: bool) -> None:
    shown = facts(SessionStats(model=SONNET, context_tokens=used, window_tokens=200_000), words("en"))
    assert (shown.percent, shown.high) == (percent, high)


def test_a_turn_that_nobody_answered_costs_and_changes_nothing_else() -> None:
    known = SessionStats(model=SONNET, context_tokens=100, window_tokens=200_000, cost_usd=0.5)
    assert after(known, TurnFinished(outcome="error", reason="cli_died", cost_usd=0.25)) == SessionStats(
        model=SONNET, context_tokens=100, window_tokens=200_000, cost_usd=0.75
    )
    compacted = after(known, TurnFinished(outcome="ok", model=SONNET, window_tokens=200_000))
    assert (compacted.context_tokens, compacted.window_tokens) == (0, 200_000)
