"""The stats in a session's header: its model, how full the context is, and its cost."""

import re
from typing import Final

import msgspec

from core.domain.events import PRACTICE, TurnFinished
from ui.layout.i18n import Translations

HIGH_PERCENT: Final = 80  # from here on the meter warns: the CLI will soon have to shorten the conversation
# claude-sonnet-4-5-20250929, claude-opus-4-1@20250805, claude-3-5-haiku-latest
VERSION: Final = r"\d{1,2}(?:-\d)?"
NAME: Final = re.compile(
    rf"claude-(?:(?P<old>{VERSION})-)?(?P<family>[a-z]+)(?:-(?P<new>{VERSION}))?(?:[-@](?:\d{{8}}|latest))?"
)


class SessionStats(msgspec.Struct, frozen=True, kw_only=True):
    """The stats as of the last turn; empty values and 0 are unknown."""

    model: str = ""
    context_tokens: int = 0
    window_tokens: int = 0
    cost_usd: float = 0.0
    unpriced_calls: int = 0  # model calls without a known price, which the cost does not include


NOTHING: Final = SessionStats()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The stats in the reader's language; empty values are not shown. `exact` is the API's name of the model."""

    model: str = ""
    exact: str = ""
    context: str = ""
    percent: int | None = None
    high: bool = False
    cost: str = ""


def after(known: SessionStats, event: TurnFinished) -> SessionStats:
    """Return the stats after this turn. A turn without an answer leaves model and context unchanged."""
    if not event.model:
        event = msgspec.structs.replace(
            event, model=known.model, context_tokens=known.context_tokens, window_tokens=known.window_tokens
        )
    told = msgspec.structs.replace(
        known, model=event.model, context_tokens=event.context_tokens, window_tokens=event.window_tokens
    )
    return charged(told, event.cost_usd, event.unpriced_calls)


def charged(known: SessionStats, cost_usd: float, unpriced_calls: int) -> SessionStats:
    """Return the stats with the cost of one more turn."""
    return msgspec.structs.replace(
        known, cost_usd=known.cost_usd + cost_usd, unpriced_calls=known.unpriced_calls + unpriced_calls
    )


def facts(known: SessionStats, words: Translations) -> Facts:
    """Return the stats in words. Nothing is guessed: without the CLI's size of the context there is no percentage."""
    used, window = known.context_tokens, known.window_tokens
    percent = min(100, max(1, round(100 * used / window))) if used and window else None
    context = ""
    if percent is not None:
        context = words.t("head.context_of", used=words.number(used), window=words.number(window))
    elif used:
        context = words.t("head.context_used", used=words.number(used))
    free = known.model == PRACTICE and not known.cost_usd and not known.unpriced_calls
    return Facts(
        model=words.t("head.practice") if known.model == PRACTICE else spoken(known.model),
        exact="" if known.model == PRACTICE else known.model,
        context=context,
        percent=percent,
        high=percent is not None and percent >= HIGH_PERCENT,
        cost=words.t("head.free") if free else cost_text(known.cost_usd, known.unpriced_calls, words),
    )


def cost_text(cost_usd: float, unpriced_calls: int, words: Translations) -> str:
    """Return a cost in words: empty for 0; "unknown" or a lower bound if a price is not known."""
    if unpriced_calls:
        return words.t("cost.at_least", cost=words.money(cost_usd)) if cost_usd else words.t("cost.unknown")
    return words.money(cost_usd) if cost_usd else ""


def spoken(model: str) -> str:
    """Return a model's short name: Sonnet 4.5 for claude-sonnet-4-5-20250929; unknown names stay as they are."""
    found = NAME.fullmatch(model)
    if found is None:
        return model
    version = (found["new"] or found["old"] or "").replace("-", ".")
    return f"{found['family'].capitalize()} {version}".strip()
