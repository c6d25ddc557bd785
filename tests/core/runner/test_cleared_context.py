"""Tests that a cleared conversation stays cleared, however often CLI and runner start again."""

import json
import os
import uuid
from pathlib import Path

import pytest

from core.domain.events import Notice, StateChanged, TurnFinished
from core.domain.states import SessionState
from core.runner.cli_sessions import CliSessions, cli_sessions
from tests.core.runner.box import Box, Talker, Watch


async def turn(session: Talker, watch: Watch, words: str) -> None:
    await session.say(words)
    assert (await watch.until(TurnFinished)).outcome == "ok"


def asleep(event: object) -> bool:
    return isinstance(event, StateChanged) and event.state is SessionState.ASLEEP


def asked(box: Box) -> str:
    """All that the model has been told in the last request."""
    return json.dumps(box.model.turns[-1].body["messages"])


async def test_an_agent_whose_cli_starts_again_after_clear_does_not_know_the_old_words(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await turn(session, watch, "SAY(((marzipan)))")
            await turn(session, watch, "/clear")
            await box.runner.sessions.get(session.id).sleep()  # as the idle CLI's end does
            await watch.until(asleep)
            await turn(session, watch, "SAY(((nougat)))")
            assert "marzipan" not in asked(box)
            await box.runner.sessions.get(session.id).sleep()
            await watch.until(asleep)
            await turn(session, watch, "SAY(((praline)))")
            assert [notice.text for notice in watch.of(Notice)] == ["context_cleared"]
    assert "marzipan" not in asked(box)
    assert "nougat" in asked(box), "what was said since is remembered"


async def test_a_runner_that_was_killed_after_clear_goes_on_without_the_old_words(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        async with session.watch() as watch:
            await turn(session, watch, "SAY(((marzipan)))")
            await turn(session, watch, "/clear")
            await turn(session, watch, "SAY(((nougat)))")
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            await watch.until(TurnFinished)
            await watch.until(TurnFinished)
            await watch.until(TurnFinished)
            await turn(session, watch, "SAY(((praline)))")
    assert "marzipan" not in asked(box)
    assert "nougat" in asked(box)


async def test_a_deleted_session_takes_with_it_what_was_said_before_and_after_clear(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await turn(session, watch, "SAY(((marzipan)))")
            await turn(session, watch, "/clear")
            await turn(session, watch, "SAY(((nougat)))")
        assert len(list(box.home.glob(".claude/projects/*/*.jsonl"))) == 2
        assert (await box.call("DELETE", session.path))["status"] == 200
        assert not list(box.home.glob(".claude/projects/*/*.jsonl"))
        assert not list(session.log.parent.glob(f"{session.id}.*"))


def test_a_session_whose_cli_kept_its_id_has_no_file_and_resumes_its_own_id(tmp_path: Path) -> None:
    id = str(uuid.uuid4())
    sessions = CliSessions(id, tmp_path / f"{id}.jsonl")
    sessions.on_cli_message({"type": "system", "subtype": "init", "session_id": id})
    assert (sessions.current, list(tmp_path.iterdir())) == (id, [])


def test_a_cli_killed_before_it_said_its_new_id_is_not_followed_by_the_old_conversation(tmp_path: Path) -> None:
    CliSessions("s", tmp_path / "s.jsonl").on_cli_message({"type": "conversation_reset", "trigger": "clear"})
    assert uuid.UUID(CliSessions("s", tmp_path / "s.jsonl").current)


@pytest.mark.parametrize(
    "written", ["../../other", "--resume=x", "", "A" * 36, f"{uuid.UUID(int=1)}x", "\0", f" {uuid.UUID(int=1)}"]
)
def test_a_line_that_is_no_uuid_is_not_resumed(written: str, tmp_path: Path) -> None:
    (tmp_path / "s.cli").write_text(written + "\n")
    assert cli_sessions("s", tmp_path / "s.jsonl") == ["s"]


@pytest.mark.parametrize("said", ["../../x", 7, None, "--flag"])
def test_an_id_that_is_no_uuid_is_not_kept_although_the_cli_said_it(said: object, tmp_path: Path) -> None:
    sessions = CliSessions("s", tmp_path / "s.jsonl")
    sessions.on_cli_message({"type": "system", "subtype": "init", "session_id": said})
    assert (sessions.current, list(tmp_path.iterdir())) == ("s", [])


def test_what_is_no_plain_file_in_the_place_of_the_ids_stops_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.cli")
    sessions = CliSessions("s", tmp_path / "s.jsonl")
    sessions.on_cli_message({"type": "conversation_reset"})
    assert uuid.UUID(sessions.current), "this runner knows it all the same"
    (tmp_path / "t.cli").symlink_to(tmp_path / "elsewhere")
    assert cli_sessions("t", tmp_path / "t.jsonl") == ["t"]
