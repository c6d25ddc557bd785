"""Processes that die in mid-answer (G1, G3, G4): what was acknowledged stays, and every turn ends exactly once."""

import asyncio
import os
import random
import shutil
import uuid
from collections.abc import Callable

import pytest
from playwright.async_api import Error, expect

from tests.e2e.screen import Screen, assert_in_order, kinds, numbered, texts
from tests.timeouts import PATIENCE_S

SLOW = "N=150 GAP=0.03"  # long enough for a web process to die and come back
KILLS = 10  # a round; under CI five of them, so that several workers share the fifty
ROUNDS = int(os.environ.get("KILL_ROUNDS", "5" if os.environ.get("CI") else "1"))


async def test_a_web_that_is_killed_in_mid_answer_comes_back_to_the_same_page_and_a_whole_answer(me: Screen) -> None:
    me.allow_disconnects()
    await me.say(SLOW)
    await me.until_word("w10")
    await me.product.kill_web()
    assert len(me.product.processes("cli")) == 1, "the CLI must go on without the web"
    await me.product.start_web()
    await me.until_word("w60")
    events = await me.until_turns(1)
    await me.until_word("w149")
    await expect(me.get("message")).to_have_count(2)
    assert await me.words() == numbered(150)
    assert texts(events) == [" ".join(numbered(150))]
    assert_in_order(events)


async def test_an_answer_that_ended_while_no_web_was_there_is_whole_afterwards(me: Screen) -> None:
    me.allow_disconnects()
    await me.say("N=40 GAP=0.02")
    await me.until_word("w3")
    await me.product.kill_web()
    await asyncio.sleep(2.0)  # not synchronisation: the time in which nobody looks is the case
    await me.product.start_web()
    await me.come_back()
    events = await me.until_turns(1)
    await me.until_word("w39")
    assert await me.words() == numbered(40)
    assert kinds(events, "turn_finished")[0]["outcome"] == "ok"


async def test_a_gateway_that_is_killed_in_mid_answer_is_started_again_and_the_answer_is_whole(me: Screen) -> None:
    me.product.allow("gateway")
    await me.say("N=150 GAP=0.03")
    await me.until_word("w10")
    assert await me.product.kill("gateway") == 1
    events = await me.until_turns(1, within_s=90)
    assert kinds(events, "turn_finished")[0]["outcome"] == "ok"
    assert texts(events) == [" ".join(numbered(150))], "the CLI asks again, and the second answer replaces the first"
    await expect(me.answers).to_have_count(1)
    assert await me.words() == numbered(150)
    await me.say("still there?")
    await expect(me.answers.last).to_contain_text("You said: still there?")


async def test_a_cli_that_is_killed_ends_the_turn_with_its_words_kept_and_the_next_message_resumes(me: Screen) -> None:
    await me.say("remember the colour blue")
    await me.until_turns(1)
    await me.say("N=200 GAP=0.03")
    await me.until_word("w10")
    assert await me.product.kill("cli") == 1
    events = await me.until_turns(2)
    ended = kinds(events, "turn_finished")[1]
    assert (ended["outcome"], ended["reason"]) == ("error", "cli_died")
    partial = kinds(events, "text")[-1]
    assert partial["partial"] and partial["text"].split()[:11] == numbered(11)
    await me.say("and on we go")
    events = await me.until_turns(3)
    assert kinds(events, "turn_finished")[2]["outcome"] == "ok"
    await expect(me.answers.last).to_contain_text("You said: and on we go")
    assert_in_order(events)


async def test_what_failed_is_said_again_from_the_dashboard(me: Screen) -> None:
    await me.say("N=100 GAP=0.03")
    await me.until_word("w10")
    await me.product.kill("cli")
    await me.until_state("failed")
    session = me.page.url
    await me.page.goto(me.product.url + "/dashboard")
    card = me.get("agent-card")
    await expect(card).to_have_attribute("data-state", "failed")
    await card.get_by_role("button", name="Try again").click()
    await expect(card).not_to_have_attribute("data-state", "failed", timeout=30_000)
    await me.page.goto(session)
    await me.until_word("w99")
    events = await me.until_turns(2, within_s=30)
    first, again = kinds(events, "user_said")
    assert (again["retry_of"], again["text"]) == (first["message_id"], first["text"])


async def test_a_dashboard_that_opens_ahead_of_the_store_is_right_when_the_store_is(me: Screen) -> None:
    await me.say("N=100 GAP=0.03")
    await me.until_word("w10")
    [gateway] = me.product.processes("gateway")
    gateway.suspend()
    try:
        await me.product.kill("cli")
        await me.until_state("failed")
        await me.page.goto(me.product.url + "/dashboard")
        await expect(me.get("agent-card")).to_have_attribute("data-state", "busy")
        await asyncio.sleep(2.0)  # longer than any page waits for more of what it has heard
    finally:
        gateway.resume()
    await expect(me.get("agent-card")).to_have_attribute("data-state", "failed")


async def test_a_cli_that_dies_takes_its_tools_with_it(me: Screen) -> None:
    await me.say("TOOL(((bash -c 'sleep 321 & sleep 322')))")
    await me.get("allow").click()
    await until(lambda: len(sleepers(me)) == 2)
    await me.product.kill("cli")
    await me.until_turns(1)
    await until(lambda: not sleepers(me), within_s=2.5)


async def test_a_runner_that_is_killed_ends_the_turn_as_interrupted_and_the_next_message_resumes(me: Screen) -> None:
    await me.say("N=200 GAP=0.03")
    await me.until_word("w10")
    assert await me.product.kill("runner") == 1
    events = await me.until_turns(1)
    ended = kinds(events, "turn_finished")[0]
    assert (ended["outcome"], ended["reason"]) == ("interrupted", "runner_lost")
    await me.say("and on we go")
    events = await me.until_turns(2)
    assert kinds(events, "turn_finished")[1]["outcome"] == "ok"
    await expect(me.answers.last).to_contain_text("You said: and on we go")
    assert_in_order(events)


async def test_a_home_put_back_from_a_copy_goes_on_with_everything_once_and_in_order(me: Screen) -> None:
    me.allow_disconnects()
    await me.say("the first word")
    await me.until_turns(1)
    url = me.page.url
    await me.page.goto("about:blank")  # a page would come back by itself, in the middle of what follows
    await me.product.stop()
    homes, copy = me.product.data_dir / "homes", me.product.data_dir / "copy"
    shutil.copytree(homes, copy, symlinks=True)
    await me.product.start_web()
    await me.page.goto(url)
    await me.say("the second word")
    await me.until_turns(2)
    await me.page.goto("about:blank")
    await me.product.stop()
    shutil.rmtree(homes)
    copy.rename(homes)
    await me.product.start_web()
    await me.page.goto(url)
    await me.say("the third word")
    events = await me.until_turns(3)
    await expect(me.answers).to_have_text([f"You said: the {n} word" for n in ("first", "second", "third")])
    assert_in_order(events)
    said = [event["text"] for event in kinds(events, "user_said")]
    assert said == ["the first word", "the second word", "the third word"]
    assert [event["text"] for event in kinds(events, "notice")] == ["log_rejoined"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.proof) for seed in range(1, ROUNDS))])
async def test_no_message_is_lost_or_doubled_by_a_runner_killed_at_random_points(me: Screen, seed: int) -> None:
    points = random.Random(seed)
    sent = []
    for _ in range(KILLS):
        message = {"message_id": str(uuid.uuid4()), "text": f"N=20 GAP=0.02 {uuid.uuid4()}"}
        sent.append(message)
        delay = points.uniform(0.0, 1.6)
        saying = asyncio.ensure_future(post(me, message))
        await asyncio.sleep(delay)
        await me.product.kill("runner")
        await saying
    await post(me, last := {"message_id": str(uuid.uuid4()), "text": "the last word"})
    events = await me.until_turns(KILLS + 1, within_s=120)
    assert_in_order(events)
    said = {event["message_id"]: event["text"] for event in kinds(events, "user_said")}
    assert said == {message["message_id"]: message["text"] for message in [*sent, last]}
    assert len(kinds(events, "turn_finished")) == KILLS + 1, "exactly one event ends a turn"
    whole = [event for event in kinds(events, "text") if not event.get("partial")]
    for event in whole[:-1]:
        assert event["text"] == " ".join(numbered(20))
    assert whole[-1]["text"] == "You said: the last word"


async def post(me: Screen, message: dict[str, str]) -> None:
    """Send by the API as an honest client does: the same message_id until it is acknowledged."""
    for _ in range(20):
        try:
            url = f"{me.product.url}/api/v1/sessions/{me.session}/messages"
            answer = await me.page.request.post(url, data=message, headers={"Origin": me.product.url})
        except Error:
            continue
        if answer.ok:
            return
        assert answer.status == 503, f"{answer.status} {await answer.text()}"
        await asyncio.sleep(0.2)
    raise AssertionError("never acknowledged")


def sleepers(me: Screen) -> list[int]:
    """The tools that the script started."""
    return [p.pid for p in me.product.processes("tool") if p.cmdline()[:1] == ["sleep"] and "32" in p.cmdline()[1]]


async def until(true: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Wait for something outside the browser, bounded."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.proof)])
async def test_no_word_that_was_on_the_page_is_missing_after_everything_was_killed_at_once(
    me: Screen, kills: int
) -> None:
    """Web, gateway, runner and CLI; the page that is open shows meanwhile what it was told."""
    me.allow_disconnects()
    me.product.allow("gateway")
    points = random.Random(kills)
    for number in range(1, kills + 1):
        await me.say("N=400 GAP=0.01")
        await me.until_word(f"w{points.randrange(3, 150)}")
        await asyncio.gather(me.product.kill_web(), *(me.product.kill(role) for role in ("gateway", "runner", "cli")))
        shown = await me.words()
        await me.product.start_web()
        await me.come_back()
        await me.until_turns(number, within_s=60)
        await me.until_word(shown[-1])
        assert (await me.words())[: len(shown)] == shown, f"kill {number}"
    await me.say("and on we go")
    await me.until_turns(kills + 1)
