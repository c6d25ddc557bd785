"""The draft with which a conversation goes on in a new session: what was asked, and what was answered last."""

from typing import Final

from core.domain.events import AnyEvent, Text, UserSaid
from ui.layout.i18n import Translations

MESSAGES: Final = 6  # the newest ones
MESSAGE_CHARS: Final = 500
ANSWER_CHARS: Final = 2000


def summary(events: list[AnyEvent], words: Translations) -> str:
    """A message for the person to read, change and send; the events are those of the session that cannot go on."""
    asked = [event.text for event in events if isinstance(event, UserSaid) and not event.retry_of][-MESSAGES:]
    answers = [event.text for event in events if isinstance(event, Text) and event.text.strip()]
    lines = [words.t("handover.asked"), *(f"- {_short(text, MESSAGE_CHARS)}" for text in asked)]
    if answers:
        lines += ["", words.t("handover.answered"), _short(answers[-1], ANSWER_CHARS)]
    return "\n".join([*lines, "", words.t("handover.go_on")])


def _short(text: str, limit: int) -> str:
    """The beginning of a text."""
    text = text.strip()
    return text if len(text) <= limit else text[: limit - 1] + "…"
