"""The runner with the real CLI: what a conversation looks like from the web's side."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from core.domain.events import (
    Notice,
    Retrying,
    StateChanged,
    Text,
    TextDelta,
    ToolCalled,
    ToolProgress,
    ToolReturned,
    TurnFinished,
    UserSaid,
)
from core.domain.states import SessionState
from tests.core.runner.box import Box, numbers
from tests.timeouts import PATIENCE_S


def page_text(seen: list[object]) -> str:
    """Return the text that a page shows: a new message discards unfinished text, a finished block replaces
    its deltas.
    """
    finished: dict[tuple[str, int], str] = {}
    unfinished: dict[tuple[str, int], str] = {}
    messages: set[str] = set()
    for event in seen:
        if isinstance(event, TextDelta):
            if event.message not in messages:
                unfinished.clear()
                messages.add(event.message)
            key = (event.message, event.block)
            unfinished[key] = unfinished.get(key, "") + event.text
        elif isinstance(event, Text):
            unfinished.pop((event.message, event.block), None)
            finished[event.message, event.block] = event.text
    return "".join([*finished.values(), *unfinished.values()])


async def test_an_answer_streams_and_its_final_block_is_the_models_byte_for_byte(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            said = await session.say("SAY(((héllo **wörld** 안녕 \\n</b> 😀))) GAP=0.01")
            end = await watch.until(TurnFinished)
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.IDLE)
        stored = await session.stored()
        await box.gateway.until(session.id, len(stored))
    assert said["seq"] == 2
    assert (end.outcome, end.reason) == ("ok", "")
    assert end.usage.input_tokens > 0 and end.cost_usd == 0, "money is the gateway's to say"
    assert end.model.startswith("claude-") and 0 < end.context_tokens < end.window_tokens
    (text,) = watch.of(Text)
    deltas = watch.of(TextDelta)
    assert text.text == "héllo **wörld** 안녕 \\n</b> 😀"
    assert "".join(delta.text for delta in deltas) == text.text
    assert {(d.message, d.block) for d in deltas} == {(text.message, text.block)}
    assert numbers(watch.seen) == list(range(1, len(stored) + 1))
    assert [event["seq"] for event in box.gateway.events[session.id].values()][: len(stored)] == numbers(stored)
    assert box.gateway.doubled == 0


async def test_a_message_sent_twice_is_said_once_even_after_a_restart(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        async with session.watch() as watch:
            first = await session.say("N=3", message_id="m1")
            assert await session.say("N=3", message_id="m1") == first
            await watch.until(TurnFinished)
        await box.kill()
        await box.start()
        assert await session.say("N=3", message_id="m1") == first
        stored = await session.stored()
    assert sum(isinstance(event, UserSaid) for event in stored) == 1
    assert len(box.model.turns) == 1


async def test_two_readers_and_a_late_one_see_the_same_answer(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as one, session.watch() as two:
            await session.say("N=60 GAP=0.02")
            await one.until(lambda e: isinstance(e, TextDelta) and "w20" in e.text)
            async with session.watch(2) as late:
                await late.until(TurnFinished)
            await one.until(TurnFinished)
            await two.until(TurnFinished)
    assert page_text(late.seen) == page_text(one.seen) == page_text(two.seen) == one.of(Text)[0].text
    assert page_text([e for e in late.seen if isinstance(e, TextDelta)]) == one.of(Text)[0].text
    assert numbers(late.seen)[0] == 3


@pytest.mark.parametrize("fault", ["CUT@10 N=20", "ERREVENT@10 N=20", "CUT@0 N=20"])
async def test_a_cut_stream_leaves_only_the_text_of_the_second_asking(tmp_path: Path, fault: str) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say(fault)
            end = await watch.until(TurnFinished, limit_s=60)
    assert end.outcome == "ok"
    expected = "".join(text.text for text in watch.of(Text))
    assert page_text(watch.seen) == expected
    assert expected.startswith("again0" if "@0" not in fault else ("again0", "w0")) and expected.count("19") == 1


async def test_a_tool_runs_and_its_result_is_cut_to_size(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash(seq:*)"])
        async with session.watch() as watch:
            await session.say("TOOL(((seq 1 6000)))")
            await watch.until(TurnFinished)
    (called,), (returned,) = watch.of(ToolCalled), watch.of(ToolReturned)
    assert (called.name, called.input["command"], called.parent) == ("Bash", "seq 1 6000", "")
    assert (returned.id, returned.ok) == (called.id, True)
    assert returned.content.startswith("1\n2\n3")
    assert len(returned.content) <= 64 * 1024


async def test_messages_queue_while_a_turn_is_open_and_get_one_turn_each(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=30 GAP=0.02", message_id="a")
            await watch.until(TextDelta)
            await session.say("SAY(((second)))", message_id="b")
            await session.say("SAY(((third)))", message_id="c")
            for _ in range(3):
                assert (await watch.until(TurnFinished)).outcome == "ok"
    turns = [event.turn for event in watch.of(StateChanged) if event.turn]
    assert turns == ["a", "b", "c"]
    assert [text.text for text in watch.of(Text)][1:] == ["second", "third"]


async def test_steering_enters_the_running_turn_while_a_tool_is_at_work(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say("TOOL(((until test -e go; do sleep 0.05; done)))", message_id="a")
            await watch.until(ToolCalled)
            await session.say("SAY(((steered)))", message_id="b", steer=True)
            (session.folder / "go").touch()
            assert (await watch.until(TurnFinished)).outcome == "ok"
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.IDLE)
        stored = await session.stored()
    assert sum(isinstance(event, TurnFinished) for event in stored) == 1
    assert [event.turn for event in watch.of(StateChanged) if event.turn] == ["a", "b"]
    assert len(box.model.turns) == 2 and "SAY(((steered)))" in json.dumps(box.model.turns[1].body["messages"])


async def test_steering_without_a_tool_waits_its_turn(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=30 GAP=0.02", message_id="a")
            await watch.until(TextDelta)
            await session.say("SAY(((second)))", message_id="b", steer=True)
            await watch.until(TurnFinished)
            await watch.until(TurnFinished)
    assert [event.turn for event in watch.of(StateChanged) if event.turn] == ["a", "b"]
    assert [text.text for text in watch.of(Text)][-1] == "second"


async def test_stop_keeps_the_partial_answer_and_the_next_message_is_answered(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=500 GAP=0.02")
            await watch.until(lambda e: isinstance(e, TextDelta) and "w9" in e.text)
            assert (await session.interrupt())["status"] == 202
            end = await watch.until(TurnFinished)
            pid = box.cli_pid(session.id)
            await session.say("SAY(((again)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
            assert box.cli_pid(session.id) == pid
    assert (end.outcome, end.reason) == ("interrupted", "stopped_by_user")
    partial, again = watch.of(Text)
    assert partial.partial and partial.text.startswith("w0 w1 w2") and again.text == "again"


async def test_stop_ends_everything_the_turn_started_and_spares_the_cli(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say(
                "TOOL(((setsid nohup sleep 300 >/dev/null 2>&1 & touch up; until test -e go; do sleep 0.05; done)))"
            )
            await watch.until(ToolCalled)
            await _exists(session.folder / "up")
            cli = box.cli_pid(session.id)
            await session.interrupt()
            assert (await watch.until(TurnFinished)).outcome == "interrupted"
            (returned,) = watch.of(ToolReturned)
            assert returned.stopped and not returned.content, "the CLI's words to the model are for nobody else"
            async with asyncio.timeout(PATIENCE_S):
                while box.marked(session.id) != [cli]:
                    await asyncio.sleep(0.05)


async def test_a_running_command_shows_its_output_to_early_and_late_readers_and_keeps_it_when_it_is_stopped(
    tmp_path: Path,
) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say("TOOL(((echo first; until test -e go; do sleep 0.05; done; echo second; sleep 300)))")
            assert "first" in (await watch.until(ToolProgress)).text
            async with session.watch() as late:
                assert "first" in (await late.until(ToolProgress)).text
            (session.folder / "go").touch()
            await watch.until(lambda e: isinstance(e, ToolProgress) and "second" in e.text)
            await session.interrupt()
            await watch.until(TurnFinished)
            (returned,) = watch.of(ToolReturned)
        assert returned.stopped and returned.content.splitlines() == ["first", "second"]
        assert not [event for event in await session.stored() if isinstance(event, ToolProgress)]


async def test_a_sub_agent_in_the_background_tells_its_end_and_not_the_clis_words_to_the_model(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Task"])
        async with session.watch() as watch:
            task = {"description": "look", "prompt": "N=3", "subagent_type": "general-purpose"}
            await session.say(f"USE(((Task)))((({json.dumps(task)})))")
            first = await watch.until(ToolReturned)
            last = await watch.until(ToolReturned)
    assert (first.background, first.content) == (True, "")
    assert (last.id, last.ok, last.background, last.content) == (first.id, True, False, "w0 w1 w2")


async def test_a_cli_that_does_not_listen_is_killed_by_stop(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=500 GAP=0.02")
            await watch.until(lambda e: isinstance(e, TextDelta) and "w9" in e.text)
            os.kill(box.cli_pid(session.id), signal.SIGSTOP)
            await session.interrupt()
            end = await watch.until(TurnFinished)
            await session.say("SAY(((again)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert (end.outcome, end.reason) == ("interrupted", "stopped_by_user")
    assert watch.of(Text)[0].partial


async def test_a_killed_cli_ends_its_turn_with_the_partial_text_and_the_next_message_resumes(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say("SAY(((remember me)))")
            await watch.until(TurnFinished)
            await session.say("TOOL(((setsid nohup sleep 300 >/dev/null 2>&1 &))) N=500 GAP=0.02")
            await watch.until(lambda e: isinstance(e, TextDelta) and "w9" in e.text)
            os.kill(box.cli_pid(session.id), signal.SIGKILL)
            end = await watch.until(TurnFinished)
            async with asyncio.timeout(PATIENCE_S):
                while box.marked(session.id):
                    await asyncio.sleep(0.05)
            await session.say("SAY(((resumed)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert (end.outcome, end.reason) == ("error", "cli_died")
    assert [text.partial for text in watch.of(Text)] == [False, True, False]
    told = json.dumps(box.model.turns[-1].body["messages"])
    assert "remember me" in told


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("ERR400", "error", "request_refused"),
        ("ERR403", "error", "model_key_refused"),
        ("ERR529", "error", "model_overloaded"),
    ],
)
async def test_a_refusing_model_ends_the_turn_with_a_reason(
    tmp_path: Path, fault: str, outcome: str, reason: str
) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say(fault)
            end = await watch.until(TurnFinished, limit_s=60)
    assert (end.outcome, end.reason) == (outcome, reason)
    assert not watch.of(Text) and end.detail


async def test_an_overloaded_model_is_asked_again_and_it_shows(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("ERR529x2 SAY(((at last)))")
            assert (await watch.until(TurnFinished, limit_s=60)).outcome == "ok"
    assert [retry.attempt for retry in watch.of(Retrying)] == [1, 2]
    assert watch.of(Retrying)[0].reason == "model_overloaded" and watch.of(Retrying)[0].in_s > 0
    assert len(watch.of(UserSaid)) == 1 and watch.of(Text)[0].text == "at last"


async def test_a_huge_answer_arrives_whole(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("HUGE=3MB")
            assert (await watch.until(TurnFinished, limit_s=60)).outcome == "ok"
        await box.gateway.until(session.id, numbers(watch.seen)[-1] - 1)
    assert len(watch.of(Text)[0].text) >= 3_000_000
    assert not watch.of(Notice)


async def _exists(path: Path) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not path.exists():
            await asyncio.sleep(0.02)


async def test_steering_said_before_a_tool_starts_is_handed_over_when_it_does(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say("N=30 GAP=0.02 TOOL(((until test -e go; do sleep 0.05; done)))", message_id="a")
            await watch.until(TextDelta)
            await session.say("SAY(((steered)))", message_id="b", steer=True)
            await watch.until(ToolCalled)
            (session.folder / "go").touch()
            await watch.until(TurnFinished)
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.IDLE)
    assert [event.turn for event in watch.of(StateChanged) if event.turn] == ["a", "b"]
    assert len(watch.of(TurnFinished)) == 1 and len(box.model.turns) == 2


async def test_steering_that_comes_too_late_is_a_turn_of_its_own(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say("TOOL(((true)))", message_id="a")
            await watch.until(ToolCalled)
            await session.say("SAY(((steered)))", message_id="b", steer=True)
            conversation = box.runner.sessions.get(session.id).conversation
            async with asyncio.timeout(PATIENCE_S):
                while conversation.turn or conversation.steering_sent or conversation.projection.waiting:
                    await asyncio.sleep(0.02)
        stored = await session.stored()
    finished = [event for event in stored if isinstance(event, TurnFinished)]
    assert {event.outcome for event in finished} == {"ok"} and len(finished) in (1, 2)
    assert "b" in [event.turn for event in stored if isinstance(event, StateChanged)]


async def test_a_silent_model_is_told_of_and_at_last_given_up(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("STALL@3 N=9")
            await watch.until(lambda e: isinstance(e, TextDelta) and "w2" in e.text)
            here = box.runner.sessions.get(session.id)
            here.check_idle(time.monotonic() + 29)
            here.check_idle(time.monotonic() + 31)
            here.check_idle(time.monotonic() + 32)
            here.check_idle(time.monotonic() + 601)
            end = await watch.until(TurnFinished)
    assert [notice.text for notice in watch.of(Notice)] == ["model_silent"]
    assert (end.outcome, end.reason) == ("error", "no_answer")
    assert watch.of(Text)[0].text == "w0 w1 w2" and watch.of(Text)[0].partial


async def test_a_gateway_restart_in_mid_answer_is_bridged(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say("TOOL(((until test -e go; do sleep 0.05; done))) SAY(((after)))")
            await watch.until(ToolCalled)
            await box.gateway.close()
            (session.folder / "go").touch()
            await watch.until(ToolReturned)
            await asyncio.sleep(1.0)  # the length of the outage, not a synchronisation
            await box.gateway.open()
            assert (await watch.until(TurnFinished, limit_s=60)).outcome == "ok"
            await box.gateway.until(session.id, numbers(watch.seen)[-1])
    assert watch.of(Text)[-1].text == "after"
