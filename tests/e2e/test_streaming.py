"""What is on the screen while an answer comes: after a reload, in a second tab, in one that comes late (G2)."""

from playwright.async_api import expect

from tests.e2e.screen import Screen, kinds, numbered, texts

SLOW = "N=100 GAP=0.03"  # three seconds of answer


async def test_a_reload_in_mid_answer_brings_the_words_back_and_the_stream_goes_on(me: Screen) -> None:
    await me.say(SLOW)
    await me.until_word("w15")
    await me.reload()
    await me.until_word("w15")
    halfway = await me.words()
    assert halfway == numbered(len(halfway)) and len(halfway) < 100, "the answer was over before the reload"
    events = await me.until_turns(1)
    await expect(me.answers).to_have_count(1)
    assert await me.words() == numbered(100)
    assert texts(events) == [" ".join(numbered(100))]


async def test_two_tabs_and_a_late_one_see_the_same(me: Screen) -> None:
    second = await me.another_tab()
    await expect(second.get("composer")).to_be_editable()
    await me.say(SLOW)
    await second.until_word("w10")
    late = await me.another_tab()
    await late.until_word("w40")
    for tab in (me, second, late):
        words = await tab.words()
        assert words == numbered(len(words))
    await me.until_turns(1)
    for tab in (me, second, late):
        await expect(tab.get("message")).to_have_count(2)
        await tab.until_word("w99")
        assert await tab.words() == numbered(100)
        await tab.until_state("idle")


async def test_what_one_tab_says_the_other_one_shows_once(me: Screen) -> None:
    second = await me.another_tab()
    await me.say("from the first")
    await expect(second.answers.last).to_contain_text("You said: from the first")
    await second.say("from the second")
    await expect(me.answers.last).to_contain_text("You said: from the second")
    for tab in (me, second):
        await expect(tab.get("message")).to_have_count(4)


async def test_an_answer_that_was_cut_and_asked_again_replaces_what_stood_there(me: Screen) -> None:
    await me.say("CUT@4 N=30 GAP=0.02")
    events = await me.until_turns(1)
    assert texts(events) == [" ".join(f"again{i}" for i in range(30))]
    await expect(me.answers).to_have_count(1)
    assert await me.words() == [f"again{i}" for i in range(30)]


async def test_stop_keeps_what_was_said_and_the_next_message_is_answered(me: Screen) -> None:
    await me.say("N=400 GAP=0.05")
    await me.until_word("w5")
    await me.get("stop").click()
    events = await me.until_turns(1)
    assert kinds(events, "turn_finished")[0]["outcome"] == "interrupted"
    words = await me.words()
    assert words[:6] == numbered(6) and words == numbered(len(words))
    await me.say("and now?")
    await me.until_turns(2)
    await expect(me.answers.last).to_contain_text("You said: and now?")


async def test_a_message_sent_while_the_agent_works_waits_its_turn(me: Screen) -> None:
    await me.say("N=40 GAP=0.03")
    await me.until_word("w3")
    await me.say("the second one")
    events = await me.until_turns(2)
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
