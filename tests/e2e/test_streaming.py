"""Walks during an answer: the page after a reload, in a second tab, and in a late one (G2)."""

from playwright.async_api import expect

from tests.e2e.screen import Screen, kinds, numbered, texts

SLOW = "N=100 GAP=0.03"  # three seconds of answer


async def test_a_reload_in_mid_answer_brings_the_words_back_and_the_stream_goes_on(guest: Screen) -> None:
    await guest.say(SLOW)
    await guest.until_word("w15")
    await guest.reload()
    await guest.until_word("w15")
    halfway = await guest.words()
    assert halfway == numbered(len(halfway)) and len(halfway) < 100, "the answer was over before the reload"
    events = await guest.until_turns(1)
    await expect(guest.answers).to_have_count(1)
    assert await guest.words() == numbered(100)
    assert texts(events) == [" ".join(numbered(100))]


async def test_two_tabs_and_a_late_one_see_the_same(guest: Screen) -> None:
    second = await guest.another_tab()
    await expect(second.get("composer")).to_be_editable()
    await guest.say(SLOW)
    await second.until_word("w10")
    late = await guest.another_tab()
    await late.until_word("w40")
    for tab in (guest, second, late):
        words = await tab.words()
        assert words == numbered(len(words))
    await guest.until_turns(1)
    for tab in (guest, second, late):
        await expect(tab.get("message")).to_have_count(2)
        await tab.until_word("w99")
        assert await tab.words() == numbered(100)
        await tab.until_state("idle")


async def test_what_one_tab_says_the_other_one_shows_once(guest: Screen) -> None:
    second = await guest.another_tab()
    await guest.say("from the first")
    await expect(second.answers.last).to_contain_text("You said: from the first")
    await second.say("from the second")
    await expect(guest.answers.last).to_contain_text("You said: from the second")
    for tab in (guest, second):
        await expect(tab.get("message")).to_have_count(4)


async def test_what_is_renamed_or_deleted_in_one_tab_is_so_in_the_other(guest: Screen) -> None:
    second = await guest.another_tab()
    await expect(second.get("composer")).to_be_editable()
    await guest.get("agent-menu").click()
    await guest.page.get_by_role("button", name="Rename").first.click()
    await guest.get("rename-agent").fill("Short-lived")
    await guest.get("rename-agent").press("Enter")
    await expect(second.get("agent-menu")).to_contain_text("Short-lived")
    await guest.get("agent-menu").click()
    await guest.page.locator(".mid .head .pop").get_by_role("button", name="Delete").click()
    await guest.get("delete").click()
    for tab in (guest, second):
        await expect(tab.page).to_have_url(guest.product.url + "/dashboard")
    await expect(second.get("toast")).to_contain_text("deleted in another tab")
    assert await guest.get("toast").count() == 0, (
        "whoever deleted it is not told so"
    )  # no waiting: news go by themselves
    await second.page.reload()
    await expect(second.page.get_by_role("heading").first).to_be_visible()
    await expect(second.get("toast")).to_have_count(0)


async def test_an_answer_that_was_cut_and_asked_again_replaces_what_stood_there(guest: Screen) -> None:
    await guest.say("CUT@4 N=30 GAP=0.02")
    events = await guest.until_turns(1)
    assert texts(events) == [" ".join(f"again{i}" for i in range(30))]
    await expect(guest.answers).to_have_count(1)
    assert await guest.words() == [f"again{i}" for i in range(30)]


async def test_stop_keeps_what_was_said_and_the_next_message_is_answered(guest: Screen) -> None:
    await guest.say("N=400 GAP=0.05")
    await guest.until_word("w5")
    await guest.get("stop").click()
    events = await guest.until_turns(1)
    assert kinds(events, "turn_finished")[0]["outcome"] == "interrupted"
    words = await guest.words()
    assert words[:6] == numbered(6) and words == numbered(len(words))
    await guest.say("and now?")
    await guest.until_turns(2)
    await expect(guest.answers.last).to_contain_text("You said: and now?")


async def test_a_message_sent_while_the_agent_works_waits_its_turn(guest: Screen) -> None:
    await guest.say("N=40 GAP=0.03")
    await guest.until_word("w3")
    await guest.say("the second one")
    events = await guest.until_turns(2)
    assert texts(events) == [" ".join(numbered(40)), "You said: the second one"]
    assert [event["outcome"] for event in kinds(events, "turn_finished")] == ["ok", "ok"]


async def test_model_trouble_is_told_in_words_that_name_a_next_step(me: Screen) -> None:
    me.product.allow("the model refused the platform's key")
    await me.say("ERR401")
    events = await me.until_turns(1, within_s=60)
    ended = kinds(events, "turn_finished")[0]
    assert (ended["outcome"], ended["reason"]) == ("error", "model_key_refused")
    await me.until_state("failed")
    await me.say("ERR529x1 N=5")
    events = await me.until_turns(2, within_s=60)
    assert texts(events)[-1] == "w0 w1 w2 w3 w4"
