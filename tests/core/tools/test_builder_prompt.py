"""The builder's instructions: what a reviewer has read is what a model gets."""

import re

from msgspec.structs import replace

from core.tools import registry
from core.tools.builder_prompt import GREETINGS, instructions
from core.tools.tool import ToolContext


async def test_they_greet_in_the_users_language_and_name_only_tools_that_there_are(context: ToolContext) -> None:
    for locale in ("ko", "en", "fr"):
        text = instructions(replace(context.session, locale=locale))
        assert GREETINGS.get(locale, GREETINGS["en"]) in text and "{" not in text
        named = set(re.findall(r"\b[a-z]+_[a-z]+\b", text))
        assert named == set(registry.TOOLS), "each tool has its place in the work, and no other is promised"


async def test_another_session_has_none(context: ToolContext) -> None:
    assert instructions(replace(context.session, kind="chat")) == ""
