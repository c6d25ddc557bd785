"""The reason of a turn's end as a sentence; for one of our limits it names the limit and who can raise it."""

from core.domain.limits import scope_of_refusal
from ui.layout.i18n import Translations


def turn_reason(reason: str, detail: str, words: Translations) -> str:
    """Return the sentence of a turn's reason code; `detail` is that of the same turn."""
    scope = scope_of_refusal(detail)
    return words.t(f"limit.{scope}") if scope else words.code("reason", reason, "other")
