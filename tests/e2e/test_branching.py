"""Going back: a branch knows what came before it and nothing else, and both sessions go on by themselves."""

import json
import re

from playwright.async_api import expect

from tests.e2e.screen import Screen
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer


async def test_a_branch_and_an_edited_message_begin_where_the_conversation_was_then(
    me: Screen, model: ModelServer
) -> None:
    for n, word in enumerate(("one", "two", "three"), 1):
        await me.say(f"SAY(((answer {word})))")
        await me.until_turns(n)
    origin = me.page.url
    ended = me.page.locator(".ended")
    await ended.first.hover()
    await judge(me, "a way back", but="heading-order")
    await ended.first.get_by_test_id("branch").click()
    await me.page.wait_for_url(lambda url: url != origin)
    await expect(me.get("welcome")).to_contain_text("branched off")
    await me.say("SAY(((in the branch)))")
    await me.until_turns(1)
    assert heard(model) == ["answer one", "in the branch"]
    branch = me.page.url
    await me.reload()
    await me.say("SAY(((still there)))")
    await me.until_turns(2)
    assert heard(model) == ["answer one", "in the branch", "still there"]
    await me.page.goto(origin)
    await me.say("SAY(((answer four)))")
    await me.until_turns(4)
    assert heard(model) == ["answer one", "answer two", "answer three", "answer four"], (
        "the branch changed nothing here"
    )
    mine = me.get("message").and_(me.page.locator("[data-role=user]"))
    await mine.nth(2).hover()
    await mine.nth(2).get_by_test_id("edit-message").click()
    await me.page.wait_for_url(lambda url: url not in (origin, branch))
    await expect(me.get("composer")).to_have_value("SAY(((answer three)))")
    await me.get("composer").fill("SAY(((another three)))")
    await me.page.keyboard.press("Enter")
    await me.until_turns(1)
    assert heard(model) == ["answer one", "answer two", "another three"]


def heard(model: ModelServer) -> list[str]:
    """Return what the user's messages of the last request asked for."""
    sent = json.dumps([one for one in model.turns[-1].body["messages"] if one["role"] == "user"])
    return re.findall(r"SAY\(\(\(([^)]*)\)\)\)", sent)
