"""Messages that wait while the agent works: on two devices at once, with the real CLI (issue 15, steering)."""

import json
import re

from playwright.async_api import Locator, expect

from tests.e2e.screen import Screen, kinds
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer


def queued(screen: Screen) -> Locator:
    return screen.get("queue-item")


async def press(item: Locator, name: str) -> None:
    await item.get_by_role("button", name=name).click()


async def test_what_waits_is_edited_moved_removed_and_handed_over_on_any_device(me: Screen, model: ModelServer) -> None:
    other = await me.another_tab()
    await expect(other.get("composer")).to_be_editable()
    await me.say("TOOL(((bash -c 'while [ ! -e go ]; do sleep 0.05; done'))) SAY(((first done)))")
    await me.get("allow").click()
    await me.until_state("busy")
    await me.get("composer").fill("alpha")
    await me.get("queue").click()
    for text in ("beta", "gamma", "delta"):
        await me.say(text)
    await expect(queued(other)).to_have_count(4)
    await press(queued(other).filter(has_text="gamma"), "Move up")
    await expect(queued(me)).to_contain_text(["alpha", "gamma", "beta", "delta"])
    await expect(queued(other).filter(has_text="gamma").get_by_role("button", name="Move up")).to_be_focused()
    await press(queued(me).filter(has_text="beta"), "Edit")
    await me.page.get_by_role("textbox", name="Edit").fill("beta, edited")
    await judge(me, "queue with an open editor")
    await press(queued(me), "Save")
    await press(queued(other).filter(has_text="delta"), "Remove")
    await expect(queued(other)).to_contain_text(["alpha", "gamma", "beta, edited"])
    await me.reload()
    await expect(queued(me)).to_contain_text(["alpha", "gamma", "beta, edited"])
    await press(queued(me).filter(has_text="alpha"), "Edit")
    await me.page.get_by_role("textbox", name="Edit").fill("alpha by me")
    await press(queued(other).filter(has_text="alpha"), "Edit")
    await other.page.get_by_role("textbox", name="Edit").fill("alpha by the other")
    await press(queued(other), "Save")
    await expect(me.page.get_by_role("textbox", name="Edit")).to_have_value("alpha by me")
    await me.page.get_by_role("button", name="Cancel").click()
    await expect(queued(me).first).to_contain_text("alpha by the other")
    await judge(me, "queue")

    await press(queued(other).filter(has_text="gamma"), "Hand over now")  # a tool is at work: it goes there at once
    await me.get("composer").fill("and steer by this")
    await me.get("steer").click()
    await expect(queued(me).filter(has_text="gamma")).to_have_attribute("data-state", "steer")
    events = await me.events()
    folder = f"agents/{kinds(events, 'session_opened')[0]['agent']}"
    (go,) = [path for path in me.product.data_dir.rglob(folder) if path.is_dir()]
    (go / "go").touch()
    events = await me.until_turns(3)
    sent = json.dumps(model.turns[1].body["messages"])
    assert "gamma" in sent and "and steer by this" in sent, "the next request has what steers"
    assert "alpha by the other" not in sent and "delta" not in json.dumps([asked.body for asked in model.turns])
    said = [asked.prompt for asked in model.turns]
    assert said[-2:] == ["alpha by the other", "beta, edited"]
    assert [end["outcome"] for end in kinds(events, "turn_finished")] == ["ok"] * 3
    await expect(queued(me)).to_have_count(0)
    await expect(other.get("message").and_(other.page.locator("[data-role=user]"))).to_contain_text(
        [re.compile("TOOL"), "gamma", "and steer by this", "alpha by the other", "beta, edited"]
    )
