"""Tests of requests for a person: asked before anything happens, answered once, and alive after their process."""

import asyncio
import json
import os
import signal
from pathlib import Path

from core.domain.events import (
    Answered,
    Asked,
    Decided,
    Parked,
    StateChanged,
    Text,
    Todos,
    ToolCalled,
    ToolReturned,
    TurnFinished,
)
from core.domain.states import SessionState
from tests.core.runner.box import Box


async def test_an_allowed_tool_runs_and_a_denied_one_does_not(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("TOOL(((touch yes && curl --version)))")
            asked = await watch.until(Asked)
            await watch.until(lambda e: isinstance(e, StateChanged) and e.state is SessionState.ASKING)
            assert not (session.folder / "yes").exists()
            answer = await session.answer(asked.request_id, "allow")
            end = await watch.until(TurnFinished)
            assert end.outcome == "ok" and 0 < end.waited_s < end.duration_s, "waiting for a person is told apart"
            assert await session.answer(asked.request_id, "allow") == answer
            assert (await session.answer(asked.request_id, "deny"))["code"] == "already_answered"
            assert (await session.answer("no-such-request", "deny"))["status"] == 404
            await session.say("TOOL(((touch no && curl --version)))")
            asked = await watch.until(Asked)
            await session.answer(asked.request_id, "deny", message="not today")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert (asked.kind, asked.tool, asked.input["command"]) == ("permission", "Bash", "touch no && curl --version")
    assert asked.rule.startswith("Bash(") and asked.tool_id
    assert (session.folder / "yes").exists() and not (session.folder / "no").exists()
    assert "not today" in watch.of(ToolReturned)[-1].content and not watch.of(ToolReturned)[-1].ok


async def test_always_is_not_asked_again_by_the_running_cli(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("TOOL(((curl --version)))")
            asked = await watch.until(Asked)
            await session.answer(asked.request_id, "allow_always", rule="Bash(curl:*)")
            await watch.until(TurnFinished)
            await session.say("TOOL(((curl --help)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert len(watch.of(Asked)) == 1
    assert [returned.ok for returned in watch.of(ToolReturned)] == [True, True]


async def test_a_question_is_answered_in_the_users_words(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("ASK")
            asked = await watch.until(Asked)
            (question,) = asked.questions
            assert (question.text, question.header, question.options[0]) == ("Which colour?", "Colour", ("Red", "Warm"))
            assert (await session.answer(asked.request_id, "allow"))["status"] == 400
            await session.answer(asked.request_id, "answer", answers={"Which colour?": "Green"})
            await watch.until(TurnFinished)
    assert '"Which colour?"="Green"' in watch.of(ToolReturned)[-1].content


async def test_a_plan_waits_for_approval(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(permission_mode="plan")
        async with session.watch() as watch:
            await session.say("PLAN")
            asked = await watch.until(Asked)
            await session.answer(asked.request_id, "allow")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert asked.kind == "plan" and asked.plan


async def test_a_request_outlives_its_cli_and_the_late_answer_is_good_for_exactly_what_was_asked(
    tmp_path: Path,
) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("TOOL(((touch late && curl --version)))")
            asked = await watch.until(Asked)
            os.kill(box.cli_pid(session.id), signal.SIGKILL)
            assert (await watch.until(Parked)).request_id == asked.request_id
            assert (await watch.until(TurnFinished)).reason == "cli_died"
            await session.answer(asked.request_id, "allow")
            assert (await watch.until(TurnFinished)).outcome == "ok"
        told = json.dumps(box.model.turns[-1].body["messages"])
    assert "has now allowed it" in told and "touch late" in told
    assert len(watch.of(Asked)) == 1


async def test_a_request_outlives_its_runner(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("TOOL(((curl --version)))", message_id="m")
            asked = await watch.until(Asked)
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            await watch.until(Parked)
            assert (await watch.until(TurnFinished)).reason == "runner_lost"
            await session.answer(asked.request_id, "deny", message="too late")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert [event.turn for event in watch.of(StateChanged) if event.turn] == ["m", "m", asked.request_id]
    assert "too late" in json.dumps(box.model.turns[-1].body["messages"])


async def test_stop_while_asking_answers_the_request(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("TOOL(((curl --version)))")
            asked = await watch.until(Asked)
            await session.interrupt()
            end = await watch.until(TurnFinished)
    (answered,) = watch.of(Answered)
    assert (answered.request_id, answered.decision, answered.by) == (asked.request_id, "deny", "stop")
    assert (end.outcome, end.reason) == ("interrupted", "stopped_by_user")


async def test_the_builders_tool_changes_the_draft_without_asking(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(kind="builder", draft=True)
        async with session.watch() as watch:
            draft = json.dumps({"name": "News", "description": "Reads the news", "icon": "newspaper"})
            await session.say(f"USE(((mcp__oma__draft_agent)))((({draft})))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    ((name, arguments),) = [(call["name"], call["arguments"]) for call in box.gateway.calls]
    assert (name, arguments) == ("draft_agent", json.loads(draft)) and not box.gateway.checks
    assert not watch.of(Asked) and watch.of(ToolReturned)[0].ok


async def test_a_platform_tool_that_asks_waits_for_a_person_and_is_never_allowed_always(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session(kind="builder", rules=["mcp__oma__ask_first"])
        async with session.watch() as watch:
            for decision in ("deny", "allow"):
                await session.say(f'USE(((mcp__oma__ask_first)))((({{"what": "{decision}"}})))')
                asked = await watch.until(Asked)
                assert (asked.kind, asked.tool, asked.rule) == ("permission", "mcp__oma__ask_first", "")
                assert (await session.answer(asked.request_id, "allow_always", rule=asked.tool))["status"] == 400
                await session.answer(asked.request_id, decision)
                await watch.until(TurnFinished)
            await session.say('USE(((mcp__oma__ask_first)))((({"refusal": "There is no such time zone."})))')
            await watch.until(TurnFinished)
    assert [call["arguments"]["what"] for call in box.gateway.calls] == ["allow"], "what was denied is not carried out"
    assert [returned.ok for returned in watch.of(ToolReturned)] == [False, True, False]
    assert "no such time zone" in watch.of(ToolReturned)[-1].content and len(watch.of(Asked)) == 2


async def test_a_platform_tools_request_outlives_its_runner_and_is_carried_out_once(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session(kind="builder")
        async with session.watch() as watch:
            await session.say('USE(((mcp__oma__ask_first)))((({"what": "late"})))')
            asked = await watch.until(Asked)
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            await watch.until(TurnFinished)
            assert not box.gateway.calls, "no timer and no restart has said yes"
            await session.answer(asked.request_id, "allow")
            assert (await watch.until(TurnFinished)).outcome == "ok"
    assert [call["arguments"] for call in box.gateway.calls] == [{"what": "late"}]


async def test_the_checklist_follows_the_agents_task_tools(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            for name, said in (
                ("TaskCreate", {"subject": "Look", "description": "d"}),
                ("TaskCreate", {"subject": "Write", "description": "d"}),
                ("TaskUpdate", {"taskId": "1", "status": "completed"}),
            ):
                await session.say(f"USE((({name})))((({json.dumps(said)})))")
                await watch.until(TurnFinished)
    last = watch.of(Todos)[-1]
    assert [(item.text, item.status) for item in last.items] == [("Look", "done"), ("Write", "later")]


async def test_two_sessions_ask_and_answer_without_each_other(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        one, two = await box.session(), await box.session()
        async with one.watch() as first, two.watch() as second:
            await asyncio.gather(one.say("TOOL(((curl --version)))"), two.say("TOOL(((curl --help)))"))
            asked = [await first.until(Asked), await second.until(Asked)]
            await two.answer(asked[1].request_id, "allow")
            await second.until(TurnFinished)
            assert not first.of(Answered)
            assert (await one.answer(asked[1].request_id, "allow"))["status"] == 404
            await one.answer(asked[0].request_id, "allow")
            await first.until(TurnFinished)
    assert len(first.of(Text)) == len(second.of(Text)) == 1


async def test_a_rule_that_does_not_allow_what_was_asked_is_not_taken(tmp_path: Path) -> None:
    """Kept, it would do nothing: the identical command would ask again."""
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("TOOL(((for i in 1 2; do touch x$i; done))) TOOL(((for i in 1 2; do touch x$i; done)))")
            asked = await watch.until(Asked)
            refused = await session.answer(asked.request_id, "allow_always", rule="Bash(for i:*)")
            assert (refused["status"], refused["code"]) == (400, "rule_misses")
            assert (await session.answer(asked.request_id, "allow_always"))["status"] == 200
            await watch.until(TurnFinished)
    assert len(watch.of(Asked)) == 1 and asked.rule == "Bash(for i in 1 2; do touch x$i; done)"
    assert [one.by for one in watch.of(Decided)] == ["rule"]


async def test_a_long_command_is_asked_whole(tmp_path: Path) -> None:
    command = "echo " + "a" * 66_000 + " > harmless; touch last"
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say(f"TOOL((({command})))")
            asked = await watch.until(Asked)
            await session.answer(asked.request_id, "deny")
            await watch.until(TurnFinished)
    assert asked.input["command"] == command and watch.of(ToolCalled)[0].input["command"] == command
    assert (asked.rule, asked.no_rule) == ("", "long")
