"""Commands and sub-agents that the CLI runs in the background: a session with them is working, whatever else happens.

The real CLI says when they change; the model of the tests starts them as a model would.
"""

import asyncio
import json
from pathlib import Path

from core.domain.events import Asked, StateChanged, ToolReturned, TurnFinished
from core.domain.states import SessionState as S
from tests.core.runner.box import Box, Talker, Watch
from tests.timeouts import PATIENCE_S

UNTIL_STOPPED = "while [ ! -e stop ]; do echo x >> beats; sleep 0.1; done"


def command(line: str) -> str:
    given = {"command": line, "run_in_background": True, "description": "keep watch"}
    return f"USE(((Bash)))((({json.dumps(given)}))) SAY(((it runs)))"


def agent(line: str) -> str:
    prompt = f"TOOL((({line}))) SAY(((agent end)))".replace("(", "\\u0028").replace(")", "\\u0029")
    given = f'{{"description": "look", "prompt": "{prompt}", "subagent_type": "general-purpose"'
    given += ', "run_in_background": true}'
    return f"USE(((Task)))((({given}))) SAY(((it runs)))"


def rests(event: object) -> bool:
    return isinstance(event, StateChanged) and event.state is S.IDLE


def sleeps(event: object) -> bool:
    return isinstance(event, StateChanged) and event.state is S.ASLEEP


async def begin(session: Talker, watch: Watch, text: str = "") -> TurnFinished:
    """Its turn is over, its work in the background goes on, and so it is busy still."""
    await session.say(text or command(UNTIL_STOPPED))
    over: TurnFinished = await watch.until(TurnFinished)
    assert await state(session) == "busy"
    return over


async def state(session: Talker) -> str:
    found = (await session.box.call("GET", "/v1/status"))["sessions"]
    return next(str(one["state"]) for one in found if one["id"] == session.id)


async def beats(session: Talker, count: int) -> None:
    """Wait until the background command has run for so many more tenths of a second."""
    file = session.folder / "beats"
    enough = len(file.read_text().splitlines()) + count if file.exists() else count
    async with asyncio.timeout(PATIENCE_S):
        while not file.exists() or len(file.read_text().splitlines()) < enough:
            await asyncio.sleep(0.05)


async def session_of(box: Box) -> Talker:
    return await box.session(rules=["Bash"])


async def test_a_session_works_until_its_background_command_has_ended(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await session_of(box)
        async with session.watch() as watch:
            over = await begin(session, watch)
            assert (over.outcome, over.background) == ("ok", 1)
            status = await box.call("GET", "/v1/status")
            assert (status["open_turns"], status["idle_s"]) == (1, 0)
            (session.folder / "stop").touch()
            assert (await watch.until(TurnFinished)).background == 0, "the model was told, and said something"
            await watch.until(rests)


async def test_a_message_is_answered_while_something_works_in_the_background(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await session_of(box)
        async with session.watch() as watch:
            await begin(session, watch)
            await session.say("N=2")
            assert (await watch.until(TurnFinished)).background == 1
            assert await state(session) == "busy"
            (session.folder / "stop").touch()
            await watch.until(rests)


async def test_background_work_is_not_ended_as_idle(tmp_path: Path) -> None:
    async with Box(tmp_path, idle_cli_s=0.1) as box:
        session = await session_of(box)
        async with session.watch() as watch:
            await begin(session, watch)
            pid = box.cli_pid(session.id)
            await beats(session, 30)  # the look at idle sessions comes every second
            assert box.cli_pid(session.id) == pid
            (session.folder / "stop").touch()
            await watch.until(rests)


async def test_a_session_that_rests_makes_room_before_one_that_works_in_the_background(tmp_path: Path) -> None:
    async with Box(tmp_path, max_live_sessions=2) as box:
        busy, resting, new = [await session_of(box) for _ in range(3)]
        async with busy.watch() as watch, resting.watch() as other:
            await begin(busy, watch)
            await resting.say("N=1")
            await other.until(rests)
            await new.say("N=1")
            await other.until(sleeps)
            await beats(busy, 1)
            (busy.folder / "stop").touch()
            await watch.until(rests)


async def test_background_work_that_has_to_make_room_says_so(tmp_path: Path) -> None:
    async with Box(tmp_path, max_live_sessions=1) as box:
        busy, new = await session_of(box), await session_of(box)
        async with busy.watch() as watch, new.watch() as other:
            await begin(busy, watch)
            await new.say("N=1")
            ended = await watch.until(TurnFinished)
            assert (ended.outcome, ended.reason, ended.detail) == ("error", "background_ended", "keep watch")
            await watch.until(sleeps)
            assert (await other.until(TurnFinished)).outcome == "ok"


async def test_stop_ends_what_works_in_the_background_and_is_no_failure(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await session_of(box)
        async with session.watch() as watch:
            await begin(session, watch)
            await session.interrupt()
            ended = await watch.until(TurnFinished)
            assert (ended.outcome, ended.reason) == ("interrupted", "stopped_by_user")
            await watch.until(sleeps)
            async with asyncio.timeout(PATIENCE_S):
                while box.marked(session.id):
                    await asyncio.sleep(0.02)
            await session.say("N=2")
            assert (await watch.until(TurnFinished)).outcome == "ok", "it goes on"


async def test_stop_in_a_turn_ends_that_turn_and_what_works_in_the_background_with_one_end(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await session_of(box)
        async with session.watch() as watch:
            await begin(session, watch)
            await session.say("N=5000 GAP=0.02")
            await watch.until(lambda event: isinstance(event, StateChanged) and event.turn)
            await session.interrupt()
            assert (await watch.until(TurnFinished)).reason == "stopped_by_user"
            await watch.until(sleeps)
            assert len(watch.of(TurnFinished)) == 2
            async with asyncio.timeout(PATIENCE_S):
                while box.marked(session.id):
                    await asyncio.sleep(0.02)
            await session.say("N=2")
            assert (await watch.until(TurnFinished)).outcome == "ok", "it goes on"


async def test_a_sub_agent_that_asks_after_the_turn_has_ended_is_answered_and_goes_on(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(permission_mode="default")
        async with session.watch() as watch:
            await session.say(agent("mkdir made"))
            asked = await watch.until(Asked)
            if not watch.of(TurnFinished):
                await watch.until(TurnFinished)
            assert await state(session) == "asking"
            await session.answer(asked.request_id, "allow")
            returned = await watch.until(lambda e: isinstance(e, ToolReturned) and e.id == asked.tool_id)
            assert returned.ok and (session.folder / "made").is_dir()
            await watch.until(rests)


async def test_background_work_that_was_lost_with_its_runner_is_told_by_the_next_one(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await session_of(box)
        async with session.watch() as watch:
            await begin(session, watch)
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            await watch.until(lambda e: isinstance(e, TurnFinished) and e.reason == "background_ended")
            await watch.until(sleeps)
