"""Permission requests in the browser (G5): once, always, no; parked over a restart; never decided by a timer."""

import re

from playwright.async_api import expect

from tests.e2e.screen import Screen, kinds, texts

MAKE = "TOOL(((bash -c 'echo x > one.txt; echo made')))"  # neither harmless nor a mere edit: the CLI has to ask
# Of walks that share a product.
REFUSED, SHOWN = MAKE.replace("one", "refused"), MAKE.replace("one", "shown")


async def test_a_command_runs_only_after_it_was_allowed(guest: Screen) -> None:
    await guest.say(MAKE)
    await expect(guest.permission).to_have_count(1)
    await expect(guest.permission).to_contain_text("echo x > one.txt; echo made")
    await guest.until_state("asking")
    assert not list(guest.product.data_dir.rglob("one.txt"))
    await guest.get("allow").click()
    events = await guest.until_turns(1)
    assert list(guest.product.data_dir.rglob("one.txt"))
    assert [event["decision"] for event in kinds(events, "answered")] == ["allow"]
    assert texts(events)[-1] == "Result: made"
    await expect(guest.get("permission").last).to_have_attribute("data-state", "allowed")
    await expect(guest.get("tool-call")).to_have_count(1)


async def test_a_refusal_reaches_the_model_in_the_users_words(guest: Screen) -> None:
    await guest.say(REFUSED)
    await deny(guest, "not on a Sunday")
    events = await guest.until_turns(1)
    assert "not on a Sunday" in texts(events)[-1]
    assert not list(guest.product.data_dir.rglob("refused.txt"))
    await expect(guest.get("permission").last).to_have_attribute("data-state", "denied")


async def test_always_holds_after_a_restart_of_everything(me: Screen) -> None:
    me.allow_disconnects()
    await me.say(MAKE)
    await always(me)
    await me.until_turns(1)
    await me.product.stop()
    await me.product.start_web()
    await me.come_back()
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
    await me.come_back()
    await expect(me.permission).to_have_count(1)
    await me.get("allow").click()
    await me.page.wait_for_function("document.body.innerText.includes('Result: made')")
    events = await me.until_turns(2)
    assert list(me.product.data_dir.rglob("one.txt"))
    assert [event["decision"] for event in kinds(events, "answered")] == ["allow"]


async def test_tabs_and_the_inbox_show_one_request_and_one_answer_closes_them_all(guest: Screen) -> None:
    second, inbox = await guest.another_tab(), await guest.another_tab()
    await inbox.page.goto(guest.product.url + "/inbox")
    await guest.say(SHOWN)
    await expect(second.permission).to_have_count(1)
    await expect(inbox.get("request")).to_contain_text("echo x > shown.txt; echo made")
    await inbox.get("allow").click()
    await expect(inbox.get("all-clear")).to_be_visible()
    await expect(second.permission).to_have_count(0)
    await expect(guest.permission).to_have_count(0)
    await guest.until_turns(1)
    await expect(guest.get("permission").last).to_have_attribute("data-state", "allowed")


async def test_a_question_is_answered_with_one_of_its_options(guest: Screen) -> None:
    await guest.say("ASK")
    await guest.get("question").get_by_text("Blue").click()
    await guest.get("answer").click()
    events = await guest.until_turns(1)
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


async def test_an_agents_mode_is_seen_and_changed_on_its_page_and_counts_at_once(me: Screen) -> None:
    await me.say("TOOL(((ls))) SAY(((listed)))")
    await me.until_turns(1)
    await expect(me.get("policy").first).to_have_attribute("data-state", "allowed")
    workspace = me.page.url
    await me.get("agent-menu").click()
    await me.get("to-mode").click()
    await me.page.wait_for_url("**/connections#mode")
    await me.page.wait_for_function("window.did_handshake === true")
    await expect(me.get("mode-acceptEdits")).to_have_attribute("aria-pressed", "true")
    await me.get("unasked-list").locator("summary").click()
    await expect(me.get("unasked-list")).to_contain_text("grep")
    await me.get("mode-default").click()
    await expect(me.get("mode-default")).to_have_attribute("aria-pressed", "true")
    await me.page.goto(workspace)
    await me.page.wait_for_function("window.did_handshake === true")
    await me.say("TOOL(((ls)))")
    await expect(me.permission).to_have_count(1)
    await me.get("allow").click()
    await me.until_turns(2)
