"""The builder's instructions: one file for people to review, `builder.md`, filled in for the user's language."""

from functools import cache
from pathlib import Path

from core.domain.records import Session
from core.tools.registry import BUILDER

GREETINGS = {
    "ko": "안녕하세요! AI 에이전트 플랫폼에서 어떤 자동화 작업을 도와드릴까요? "
    "원하시는 에이전트의 목적이나 자동화하고 싶은 작업을 간단히 말씀해 주세요.",
    "en": "Hello! What would you like to automate on the AI agent platform? "
    "Tell me briefly what your agent is for, or which work you want off your hands.",
}
LANGUAGES = {"ko": "Korean", "en": "English"}


def instructions(session: Session) -> str:
    """The text appended to the CLI's system prompt in a builder session; empty for all others."""
    if session.kind != BUILDER:
        return ""
    greeting = GREETINGS.get(session.locale, GREETINGS["en"])
    return _text().format(greeting=greeting, language=LANGUAGES.get(session.locale, "English"))


@cache
def _text() -> str:
    return Path(__file__).with_name("builder.md").read_text("utf-8").strip()
