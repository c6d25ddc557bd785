"""Tests of endings: a runner without a web, CLIs over their number, and no loss by any of it."""

import asyncio
import json
import random
import uuid
from pathlib import Path

import aiohttp
import psutil
import pytest

from core.domain.events import (
    Live,
    StateChanged,
    Text,
    TextDelta,
    ToolCalled,
    TurnFinished,
    UserSaid,
    decode_many,
    seq_of,
)
from core.domain.states import SessionState
from tests.core.runner.box import BOOT_KEY, BOX, KEY, USER, Box, Talker, numbers
from tests.timeouts import PATIENCE_S


async def restart_in_the_middle(box: Box, session: Talker, after_s: float) -> None:
    """Three messages at once, the runner SIGKILLed so much later and started again: what was acknowledged is there."""
    acknowledged: dict[str, int] = {}

    async def say() -> None:
        for text in ("N=12 GAP=0.02", "TOOL(((echo hi)))", "N=3"):
            name = str(uuid.uuid4())
            for _ in range(20):  # as the web does: the same id, until it is acknowledged
                try:
                    acknowledged[name] = (await session.say(text, message_id=name))["seq"]
                    break
                except (TimeoutError, OSError, KeyError, aiohttp.ClientError):
                    await asyncio.sleep(0.1)

    saying = asyncio.create_task(say())
    await asyncio.sleep(after_s)
    await box.kill()
    before = session.log.read_bytes()
    await box.start()
    await asyncio.wait_for(saying, 90)
    async with session.watch() as watch:
        await watch.until(Live)
        async with asyncio.timeout(PATIENCE_S):
            while box_busy(await box.call("GET", "/v1/status")):
                await asyncio.sleep(0.1)
    stored = await session.stored()
    assert session.log.read_bytes().startswith(before[: before.rfind(b"\n") + 1])
    assert numbers(stored) == list(range(1, len(stored) + 1))
    said = {event.message_id: seq_of(event) for event in stored if isinstance(event, UserSaid)}
    assert len(said) == sum(isinstance(event, UserSaid) for event in stored)
    assert acknowledged.items() <= said.items() and len(acknowledged) == 3
    assert_turns_are_whole(stored)
    await box.gateway.until(session.id, len(stored))


def box_busy(status: dict[str, object]) -> bool:
    return bool(status["open_turns"])


def assert_turns_are_whole(stored: list[object]) -> None:
    """Every opened turn is ended by exactly one event before the next begins."""
    open_turn = ""
    for event in stored:
        if isinstance(event, StateChanged) and event.turn and event.turn != open_turn:
            assert not open_turn, "a turn was opened inside another"
            open_turn = event.turn
        elif isinstance(event, TurnFinished):
            assert open_turn, "a turn was ended twice"
            open_turn = ""
    assert not open_turn


@pytest.mark.parametrize("seed", range(5))
async def test_a_runner_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    after_s = random.Random(seed).uniform(0.05, 2.0)
    async with Box(tmp_path, apart=True) as box:
        session = await box.session(rules=["Bash"])
        await restart_in_the_middle(box, session, after_s)


async def test_a_killed_runner_leaves_no_process_and_an_interrupted_turn(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session(rules=["Bash"])
        async with session.watch() as watch:
            await session.say(
                "TOOL(((setsid nohup sleep 300 >/dev/null 2>&1 & touch up; until test -e go; do sleep 0.05; done)))"
            )
            await watch.until(ToolCalled)
            async with asyncio.timeout(PATIENCE_S):
                while not (session.folder / "up").exists():
                    await asyncio.sleep(0.02)
        assert len(box.marked(session.id)) > 1
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            end = await watch.until(TurnFinished)
            async with asyncio.timeout(PATIENCE_S):
                while box.marked(session.id):
                    await asyncio.sleep(0.05)
        assert (end.outcome, end.reason) == ("interrupted", "runner_lost")


async def test_a_stopped_runner_ends_its_turns_and_all_its_processes(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=500 GAP=0.02")
            await watch.until(lambda e: isinstance(e, TextDelta) and "w9" in e.text)
            children = psutil.Process(box.process.pid).children(recursive=True)
            await box.call("POST", "/v1/stop")
            end = await watch.until(TurnFinished)
        await box.wait_end()
        assert box.process.returncode == 0
    assert (end.outcome, end.reason) == ("interrupted", "shutdown")
    assert children and not psutil.wait_procs(children, timeout=PATIENCE_S)[1]
    last = list(box.gateway.events[session.id].values())[-1]
    assert (last["type"], last["state"]) == ("state", "asleep")
    assert any(event["type"] == "text" and event["partial"] for event in box.gateway.events[session.id].values())


async def test_a_runner_that_nobody_is_connected_to_ends_itself_after_its_turn(tmp_path: Path) -> None:
    async with Box(tmp_path, alone_s=0.4) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=60 GAP=0.02")
            await watch.until(TextDelta)
        await asyncio.wait_for(box.runner.ended.wait(), 10)
        kinds = [event["type"] for event in box.gateway.events[session.id].values()]
    assert kinds[-3:-1] == ["state", "state"] or "turn_finished" in kinds
    finished = [e for e in box.gateway.events[session.id].values() if e["type"] == "turn_finished"]
    assert [event["outcome"] for event in finished] == ["ok"]


async def test_an_orphaned_turn_is_ended_at_the_latest_after_its_time(tmp_path: Path) -> None:
    async with Box(tmp_path, alone_s=0.3, orphan_s=1.0) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=5000 GAP=0.02")
            await watch.until(TextDelta)
        await asyncio.wait_for(box.runner.ended.wait(), 10)
        finished = [e for e in box.gateway.events[session.id].values() if e["type"] == "turn_finished"]
    assert [(event["outcome"], event["reason"]) for event in finished] == [("interrupted", "orphaned")]


async def test_a_held_runner_stays(tmp_path: Path) -> None:
    async with Box(tmp_path, alone_s=0.3) as box:
        async with box.http.ws_connect("http://runner/v1/hold", headers=box.headers()) as hold:
            session = await box.session()
            frame = json.loads((await hold.receive(10)).data)
            assert (frame["session"], frame["agent"], frame["last_seq"]) == (session.id, session.agent, 1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(box.runner.ended.wait(), 1.0)
        await asyncio.wait_for(box.runner.ended.wait(), 5)


async def test_who_holds_it_hears_of_each_event_and_again_when_the_store_has_it(tmp_path: Path) -> None:
    async with Box(tmp_path) as box, box.http.ws_connect("http://runner/v1/hold", headers=box.headers()) as hold:
        box.gateway.refuse_ingest = True
        session = await box.session()
        assert json.loads((await hold.receive(10)).data)["last_seq"] == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hold.receive(), 0.5)
        box.gateway.refuse_ingest = False
        assert json.loads((await hold.receive(10)).data)["last_seq"] == 1
        assert len(box.gateway.events[session.id]) == 1


async def test_the_least_recently_used_cli_makes_room(tmp_path: Path) -> None:
    async with Box(tmp_path, max_live_sessions=2) as box:
        sessions = [await box.session() for _ in range(3)]
        for session in sessions:
            async with session.watch() as watch:
                await session.say("SAY(((hi)))")
                assert (await watch.until(TurnFinished)).outcome == "ok"
        states = {s["id"]: s["state"] for s in (await box.call("GET", "/v1/status"))["sessions"]}
        assert [states[session.id] for session in sessions] == ["asleep", "idle", "idle"]
        async with sessions[0].watch() as watch:
            await watch.until(Live)
            await sessions[0].say("SAY(((back)))")
            await watch.until(TurnFinished)
    assert [text.text for text in watch.of(Text)] == ["hi", "back"]


async def test_an_idle_cli_is_ended_and_resumed(tmp_path: Path) -> None:
    async with Box(tmp_path, idle_cli_s=0.5) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("SAY(((one)))")
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.ASLEEP and e.seq > 4)
            await session.say("SAY(((two)))")
            await watch.until(lambda e: isinstance(e, Text) and e.text == "two")
            await watch.until(TurnFinished)
    assert "one" in json.dumps(box.model.turns[-1].body["messages"])


async def test_a_warm_session_has_its_cli_before_the_first_message(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            assert (await box.call("POST", session.path + "/warm"))["status"] == 202
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.IDLE)
            assert box.cli_pid(session.id)
            await session.say("SAY(((hi)))")
            await watch.until(TurnFinished)
    assert [e.state.value for e in watch.of(StateChanged)][:3] == ["starting", "idle", "busy"]


async def test_what_the_gateway_did_not_take_it_gets_after_a_restart_of_both(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        box.gateway.refuse_ingest = True
        async with session.watch() as watch:
            await session.say("SAY(((hi)))")
            await watch.until(TurnFinished)
        assert session.id not in box.gateway.events
        await box.kill()
        box.gateway.refuse_ingest = False
        await box.start()
        await box.gateway.until(session.id, seq_of(watch.seen[-1]))


async def test_a_session_without_a_gateway_fails_with_a_reason(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        del box.gateway.specs[session.id]
        async with session.watch() as watch:
            await session.say("hello")
            end = await watch.until(TurnFinished)
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.FAILED)
    assert (end.outcome, end.reason) == ("error", "cli_not_started")


async def test_a_deleted_session_is_gone_with_everything_of_it(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("SAY(((hi)))")
            await watch.until(TurnFinished)
        assert list(box.home.glob(f".claude/projects/*/{session.id}.jsonl"))
        assert (await box.call("DELETE", session.path))["status"] == 200
        assert not box.marked(session.id)
        assert not list(box.home.rglob(f"{session.id}*"))
        assert (await box.call("POST", session.path + "/warm"))["status"] == 404
        assert (await box.call("DELETE", f"/v1/agents/{session.agent}"))["status"] == 200
        assert not session.folder.exists()


async def test_every_route_asks_for_the_caller_s_identity(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        assert (await box.call("GET", "/v1/status", key="forged"))["code"] == "bad_token"
        assert (await box.call("GET", "/v1/status", sub="google-2"))["code"] == "forbidden"
        assert (await box.call("GET", "/v1/status", key=BOOT_KEY))["code"] == "bad_token"
        other = {"user": "google-2", "box": "box1", "key": "k", **box.limits}
        assert (await box.call("POST", "/v1/init", other))["status"] == 409
        same = {"user": USER, "box": BOX, "key": KEY, **box.limits}
        assert (await box.call("POST", "/v1/init", same))["status"] == 200
        assert (await box.call("POST", "/v1/init", same, key=BOOT_KEY))["code"] == "bound"
        assert (await box.call("GET", "/healthz"))["bound"] is True
        missing = f"/v1/sessions/{uuid.uuid4()}"
        assert (await box.call("GET", missing + "/events"))["status"] == 404
        session = await box.session()
        long = {"message_id": "m", "text": "x" * 200_001, "via": "web", "steer": False, "attachments": []}
        assert (await box.call("POST", session.path + "/messages", long))["status"] == 400
        async with box.http.get("http://runner" + session.path + "/watch?after=0") as answer:
            assert answer.status == 401
            assert decode_many(b"[]") == []


async def test_a_runner_ends_as_idle_only_if_it_is_and_then_takes_nothing_any_more(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=200 GAP=0.02")
            await watch.until(TextDelta)
            refused = await box.call("POST", "/v1/stop", {"idle_s": 0.001})
            assert (refused["status"], refused["code"]) == (409, "busy")
            await session.interrupt()
            await watch.until(TurnFinished)
        refused = await box.call("POST", "/v1/stop", {"idle_s": 60})
        assert (refused["status"], refused["code"]) == (409, "busy")
        ending = asyncio.ensure_future(stop_once_idle(box))
        async with asyncio.timeout(PATIENCE_S):
            while (await box.call("GET", "/v1/status")).get("code") != "stopping":
                await asyncio.sleep(0.01)
        assert (await session.say("too late"))["code"] == "stopping"
        await ending


async def stop_once_idle(box: Box) -> None:
    """Stop the session once it is idle; after an interrupt it is busy for a moment with sweeping."""
    while (await box.call("POST", "/v1/stop", {"idle_s": 0.001})).get("code") == "busy":
        await asyncio.sleep(0.01)
