"""Permission requests in the browser (G5): once, always, no; parked over a restart; never decided by a timer."""

import re

from playwright.async_api import expect

from tests.e2e.screen import Screen, kinds, texts

MAKE = "TOOL(((bash -c 'echo x > one.txt; echo made')))"  # neither harmless nor a mere edit: the CLI has to ask


async def test_a_command_runs_only_after_it_was_allowed(me: Screen) -> None:
    await me.say(MAKE)
    await expect(me.permission).to_have_count(1)
    await expect(me.permission).to_contain_text("echo x > one.txt; echo made")
    await me.until_state("asking")
    assert not list(me.product.data_dir.rglob("one.txt"))
    await me.get("allow").click()
    events = await me.until_turns(1)
    assert list(me.product.data_dir.rglob("one.txt"))
    assert [event["decision"] for event in kinds(events, "answered")] == ["allow"]
    assert texts(events)[-1] == "Result: made"
    await expect(me.get("permission").last).to_have_attribute("data-state", "allowed")
    await expect(me.get("tool-call")).to_have_count(1)


async def test_a_refusal_reaches_the_model_in_the_users_words(me: Screen) -> None:
    await me.say(MAKE)
    await deny(me, "not on a Sunday")
    events = await me.until_turns(1)
    assert "not on a Sunday" in texts(events)[-1]
    assert not list(me.product.data_dir.rglob("one.txt"))
    await expect(me.get("permission").last).to_have_attribute("data-state", "denied")


async def test_always_holds_after_a_restart_of_everything(me: Screen) -> None:
    me.allow_disconnects()
    await me.say(MAKE)
    await always(me)
    await me.until_turns(1)
    await me.product.stop()
    await me.product.start_web()
    await me.page.goto(me.page.url)
    await me.say(MAKE)
    events = await me.until_turns(2)
    assert len(kinds(events, "asked")) == 1, "asked again although the answer was: always"
    assert kinds(events, "tool_returned")[-1]["ok"]


async def test_a_request_is_parked_by_a_restart_and_answering_it_goes_on(me: Screen) -> None:
    me.allow_disconnects()
    await me.say(MAKE)
    await expect(me.permission).to_have_count(1)
    await me.product.stop()
    await me.product.start_web()
    await me.page.goto(me.page.url)
    await expect(me.permission).to_have_count(1)
    await me.get("allow").click()
    await me.page.wait_for_function("document.body.innerText.includes('Result: made')")
    events = await me.until_turns(2)
    assert list(me.product.data_dir.rglob("one.txt"))
    assert [event["decision"] for event in kinds(events, "answered")] == ["allow"]


async def test_tabs_and_the_inbox_show_one_request_and_one_answer_closes_them_all(me: Screen) -> None:
    second, inbox = await me.another_tab(), await me.another_tab()
    await inbox.page.goto(me.product.url + "/inbox")
    await me.say(MAKE)
    await expect(second.permission).to_have_count(1)
    await expect(inbox.get("request")).to_contain_text("echo x > one.txt; echo made")
    await inbox.get("allow").click()
    await expect(inbox.get("all-clear")).to_be_visible()
    await expect(second.permission).to_have_count(0)
    await expect(me.permission).to_have_count(0)
    await me.until_turns(1)
    await expect(me.get("permission").last).to_have_attribute("data-state", "allowed")


async def test_a_question_is_answered_with_one_of_its_options(me: Screen) -> None:
    await me.say("ASK")
    await me.get("question").get_by_text("Blue").click()
    await me.get("answer").click()
    events = await me.until_turns(1)
    assert "Blue" in texts(events)[-1]


async def deny(me: Screen, message: str) -> None:
    """Refuse with a word to the model."""
    await me.get("deny-with").click()
    await me.get("deny-message").fill(message)
    await me.get("deny-message").press("Enter")


async def always(me: Screen) -> None:
    """Allow now and from now on, by the rule that is proposed."""
    await me.get("allow-always").click()
    await expect(me.get("rule")).to_have_value(re.compile(r"^Bash\("))
    await me.get("allow-always").click()
