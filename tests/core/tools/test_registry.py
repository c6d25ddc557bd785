"""Every platform tool: what is offered, what does not fit, and what draft_agent writes."""

import jsonschema
import pytest

from core.domain.errors import NotFound
from core.domain.records import Agent
from core.store.sqlite import SqliteStore
from core.tools import registry
from core.tools.draft_agent import DESCRIPTION_CHARS, NAME_CHARS
from core.tools.tool import ToolContext
from tests.core.tools.conftest import ALICE


def test_every_tool_is_offered_with_a_schema_that_is_one(context: ToolContext) -> None:
    for spec in registry.tools_of(context.session):
        jsonschema.Draft202012Validator.check_schema(spec.input_schema)
        assert spec.input_schema["type"] == "object" and spec.description


async def test_a_text_that_does_not_fit_is_refused_and_not_cut_without_a_word(
    context: ToolContext, store: SqliteStore
) -> None:
    for name, limit in (("name", NAME_CHARS), ("description", DESCRIPTION_CHARS)):
        await registry.carry_out(context, "draft_agent", {name: "가" * limit})
        answer = await registry.carry_out(context, "draft_agent", {name: "나" * (limit + 1)})
        assert answer.is_error and str(limit) in answer.text and f"$.{name}" in answer.text
    agent = await store.get(Agent, "a1", owner=ALICE)
    assert (agent.name, agent.description) == ("가" * NAME_CHARS, "가" * DESCRIPTION_CHARS)


async def test_what_a_draft_leaves_out_stays_and_an_icon_that_there_is_not_is_said(
    context: ToolContext, store: SqliteStore
) -> None:
    answer = await registry.carry_out(context, "draft_agent", {"description": "d", "icon": "https://evil.test/x.png"})
    assert not answer.is_error and "There is no icon 'https://evil.test/x.png'" in answer.text
    agent = await store.get(Agent, "a1", owner=ALICE)
    assert (agent.name, agent.description, agent.icon) == ("Old", "d", "spark")


@pytest.mark.parametrize("given", [{"name": 1}, {"name": ["n"]}, {"icon": {}}])
async def test_arguments_of_another_kind_are_refused_in_words(context: ToolContext, given: dict[str, object]) -> None:
    answer = await registry.carry_out(context, "draft_agent", given)
    assert answer.is_error and "Expected `str`" in answer.text


async def test_a_tool_that_there_is_not_is_not_found(context: ToolContext) -> None:
    for call in (registry.check, registry.carry_out):
        with pytest.raises(NotFound):
            await call(context, "rm", {})
