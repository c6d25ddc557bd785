"""The composer: commands and files that it suggests, and the session's settings, with the real CLI."""

import re

from playwright.async_api import expect

from tests.e2e.screen import Screen, kinds
from tests.e2e.test_pages import judge
from tests.model_server import ModelServer

HOSTILE = "<script>alert(1)</script> & `` ``` ``` <img src=x onerror=alert(1)>"


async def test_settings_are_switched_and_a_session_is_exported_without_leaving_it(
    me: Screen, model: ModelServer
) -> None:
    await me.get("session-settings").click()
    await expect(me.get("choose-model")).to_be_enabled()
    await me.get("choose-model").select_option("haiku")
    await me.get("choose-effort").select_option("low")
    await me.get("choose-mode").select_option("default")
    await expect(me.get("session-settings")).to_contain_text("Ask for everything")
    await judge(me, "session settings")
    await me.page.keyboard.press("Escape")
    await me.say(f"WRITE(((one.txt)))((({HOSTILE}))) SAY((({HOSTILE})))")
    await me.get("allow").click()  # in the agent's own mode this edit would have passed
    await me.until_turns(1)
    asked = model.turns[-1].body
    assert "haiku" in asked["model"] and asked["output_config"]["effort"] == "low"
    other = await me.another_tab()
    await other.get("session-settings").click()
    await expect(other.get("choose-mode")).to_have_value("default")
    await expect(other.get("choose-model")).to_have_value("haiku")
    await other.get("choose-mode").select_option("acceptEdits")
    await expect(me.get("session-settings")).to_contain_text("Edits pass")
    await me.say("WRITE(((two.txt)))(((2)))")
    await me.until_turns(2)

    await me.get("composer").fill("")
    await me.page.keyboard.type("/co")
    await expect(me.get("suggestions").get_by_role("option")).to_contain_text(["/compact", "/context"])
    await judge(me, "suggestions", but="heading-order")
    await me.page.keyboard.press("ArrowDown")
    await me.page.keyboard.press("Enter")
    await expect(me.get("composer")).to_have_value("/context")
    await me.page.keyboard.press("Enter")
    await expect(me.answers.last).to_contain_text("Context Usage")
    await me.page.keyboard.type("read @on")
    await me.get("suggestions").get_by_role("option", name="one.txt").click()
    await expect(me.get("composer")).to_have_value("read @one.txt ")
    await me.page.keyboard.press("Escape")  # stops nothing, because nothing runs
    await me.get("session-settings").click()
    await me.get("compact").click()
    await expect(me.page.get_by_text("The conversation so far was summarised.")).to_be_visible()
    await expect(me.get("context")).to_be_visible()
    events = await me.until_turns(4)
    assert [end["outcome"] for end in kinds(events, "turn_finished")] == ["ok"] * 4

    for name in ("markdown", "html"):
        await me.get("session-settings").click()
        async with me.page.expect_download() as waiting:
            await me.get(f"export-{name}").click()
        text = (await (await waiting.value).path()).read_text("utf-8")
        if name == "markdown":
            assert HOSTILE in text
        else:
            assert "<script" not in text and "<img" not in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    answer = await me.page.request.get(f"{me.product.url}/sessions/{me.session}/export.html")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert re.search(r"\bscript-src\b", answer.headers["content-security-policy"]) is None
