"""Tests of faults around a session's CLI and log: nothing waits without end because of them."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from core.domain.events import Live, Notice, StateChanged, Text, TurnFinished
from core.domain.states import SessionState
from core.runner import bridge, gateway_client
from core.runner.log import EventLog
from core.runner.outbox import REJOINS
from tests.core.runner.box import BOOT_KEY, Box
from tests.timeouts import PATIENCE_S


async def test_more_sessions_than_places_wait_for_one_another_and_all_get_their_turn(tmp_path: Path) -> None:
    async with Box(tmp_path, max_live_sessions=1) as box:
        sessions = [await box.session() for _ in range(3)]
        await asyncio.gather(*(session.say("SAY(((hi)))") for session in sessions))
        for session in sessions:
            async with session.watch() as watch:
                assert (await watch.until(TurnFinished, limit_s=60)).outcome == "ok"


async def test_a_page_that_only_looks_on_does_not_keep_the_runner_from_being_idle(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=20 GAP=0.02")
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.BUSY)
            assert (await box.call("GET", "/v1/status"))["idle_s"] == 0
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.IDLE)
            async with box.http.ws_connect("http://runner/v1/hold", headers=box.headers()), asyncio.timeout(PATIENCE_S):
                while (await box.call("GET", "/v1/status"))["idle_s"] < 1.0:
                    await asyncio.sleep(0.05)
            await box.call("POST", session.path + "/warm")
            assert (await box.call("GET", "/v1/status"))["idle_s"] < 1.0


async def test_a_start_that_breaks_fails_the_session_and_the_next_message_tries_again(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        session.folder.rmdir()
        session.folder.write_text("not a folder")
        async with session.watch() as watch:
            await session.say("hello")
            end = await watch.until(TurnFinished)
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.FAILED)
            session.folder.unlink()
            await session.say("SAY(((hi)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert (end.outcome, end.reason) == ("error", "cli_not_started")


async def test_one_bad_log_keeps_no_other_session_from_being_recovered(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("N=500 GAP=0.02")
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.BUSY)
        await box.kill()
        folder = session.log.parent
        (folder / "0000.jsonl").mkdir()
        (folder / "0001.jsonl").symlink_to("nowhere")
        await box.start()
        await box.gateway.until(session.id, 1)
        async with asyncio.timeout(PATIENCE_S):
            while "turn_finished" not in [event["type"] for event in box.gateway.events[session.id].values()]:
                await asyncio.sleep(0.05)
        assert (await box.call("GET", "/v1/sessions/0001/events"))["status"] == 404


async def test_an_init_that_found_no_place_for_logs_can_be_said_again(tmp_path: Path) -> None:
    place = tmp_path / "home" / ".oma"
    place.parent.mkdir()
    place.write_text("not a folder")
    async with Box(tmp_path) as box:
        assert (await box.call("GET", "/healthz"))["bound"] is False
        place.unlink()
        body = {"user": "google-1", "box": "box1", "key": "the-key", **box.limits}
        assert (await box.call("POST", "/v1/init", body, key=BOOT_KEY))["status"] == 200
        await box.session()


def test_a_log_that_is_no_file_is_refused_instead_of_read_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.jsonl")
    with pytest.raises(OSError, match="not a file"):
        EventLog.open(tmp_path / "s.jsonl", b"")


def test_a_start_waits_for_the_gateway_as_long_as_the_bridge_does() -> None:
    assert gateway_client.AWAY_S >= bridge.HOLD_S


async def test_a_message_that_waits_for_a_sweep_can_be_stopped(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("SAY(((one)))")
            await watch.until(TurnFinished)
            here = box.runner.sessions.get(session.id)
            sleeping = asyncio.create_task(here.sleep())
            async with asyncio.timeout(PATIENCE_S):
                while not here.conversation.held:
                    await asyncio.sleep(0)
            await session.say("SAY(((two)))")
            await session.interrupt()
            await sleeping
            end = await watch.until(TurnFinished)
    assert (end.outcome, end.reason) == ("interrupted", "stopped_by_user")
    assert [text.text for text in watch.of(Text)] == ["one"]


async def test_a_cli_whose_token_is_at_its_end_makes_way_before_the_next_message(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("SAY(((one)))")
            await watch.until(TurnFinished)
            before = box.cli_pid(session.id)
            box.runner.sessions.get(session.id).conversation.cli_client.started_at -= 20 * 3600 + 1
            await session.say("SAY(((two)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
            assert box.cli_pid(session.id) != before
    assert "one" in json.dumps(box.model.turns[-1].body["messages"])


async def test_a_refused_token_ends_the_turn_and_the_next_message_has_a_new_one(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        box.gateway.refused.add("model-token")
        async with session.watch() as watch:
            await session.say("SAY(((one)))")
            end = await watch.until(TurnFinished)
            box.gateway.specs[session.id]["token"] = "another"
            await session.say("SAY(((two)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert (end.outcome, end.reason) == ("error", "model_error")


async def test_what_the_store_has_otherwise_is_not_sent_for_ever(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        await box.gateway.until(session.id, 1)
        box.gateway.behind.add(session.id)
        await session.say("SAY(((hi)))")

        async def notices() -> list[str]:
            return [event.text for event in await session.stored() if isinstance(event, Notice)]

        async with asyncio.timeout(PATIENCE_S):
            while "log_behind" not in await notices():
                await asyncio.sleep(0.05)
        assert await notices() == [*["log_rejoined"] * REJOINS, "log_behind"]
        sent = box.gateway.asked
        await session.say("SAY(((hi)))")
        await asyncio.sleep(0.5)  # three times what the outbox gathers for: nothing comes
        assert box.gateway.asked == sent


async def test_a_builders_first_request_has_its_tool_although_the_message_was_there_first(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        for _ in range(3):
            session = await box.session(kind="builder")
            async with session.watch() as watch:
                await session.say("SAY(((hi)))")
                assert (await watch.until(TurnFinished)).outcome == "ok"
            tools = [tool["name"] for tool in box.model.turns[-1].body["tools"]]
            assert "mcp__oma__draft_agent" in tools


async def test_a_message_is_written_before_the_cli_says_that_it_listens(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await watch.until(Live)
            await session.say("SAY(((hi)))")
            await watch.until(TurnFinished)
    assert [e.state.value for e in watch.of(StateChanged)][:2] == ["starting", "busy"]
