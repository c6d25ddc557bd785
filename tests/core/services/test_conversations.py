"""Talking and following, from the web's side, against a scripted runner on a real socket and the real store."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec.structs import replace

from core.domain.errors import BadInput, Conflict, NotFound, RunnerUnavailable
from core.domain.events import AnyEvent, Asked, Live, StateChanged, Text, TurnFinished, UserSaid, numbered, seq_of
from core.domain.records import SYSTEM, Agent, Box, Request, Session, UserId, now
from core.domain.states import SessionState
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_pool import RunnerPool
from core.observability.tracing import Span, message_trace, sink
from core.protocol.runner_api import PROTOCOL, SendMessage
from core.services.agents import Agents
from core.services.audit import Audit
from core.services.conversations import Conversations
from core.spawner import Poll
from core.store.sqlite import SqliteStore
from tests.fakes import OpenGate, ScriptedRunner, ScriptedSpawner
from tests.timeouts import PATIENCE_S

ALICE, BOB = UserId("google-1"), UserId("google-2")


class Stage:
    """The objects of one web process, on a store and a spawner that outlive it."""

    def __init__(self, store: SqliteStore, spawner: ScriptedSpawner) -> None:
        self.store, self.spawner, self.gate = store, spawner, OpenGate()
        self.open()

    def open(self, **times: float) -> None:
        self.runners = RunnerPool(
            store=self.store, spawner=self.spawner, gateway_link=self.gate, limits=IdleLimits(), **times
        )  # type: ignore[arg-type]
        self.audit = Audit(self.store)
        self.conversations = Conversations(store=self.store, runners=self.runners, audit=self.audit)
        self.agents = Agents(store=self.store, runners=self.runners, forget=self.conversations.forget, audit=self.audit)

    async def new(self, user: UserId = ALICE) -> Session:
        return (await self.agents.create(user=user, locale="ko"))[1]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    with TemporaryDirectory(prefix="oma") as short:
        async with await SqliteStore.open(tmp_path / "oma.db") as store:
            spawner = ScriptedSpawner(Path(short))
            stage = Stage(store, spawner)
            async with stage.runners:
                yield stage
            for runner in spawner.alive.values():
                await runner.die()


@pytest.fixture
async def sweeping(stage: Stage) -> AsyncIterator[Stage]:
    """A web that looks for idle runners all the time."""
    stage.open(sweep_s=0.01)
    async with stage.runners:
        yield stage


async def take(batches: AsyncIterator[list[AnyEvent]], until: Any) -> list[AnyEvent]:
    """Events up to the first one of which `until` holds."""
    events: list[AnyEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        async for batch in batches:
            for event in batch:
                events.append(event)
                if until(event):
                    return events
    return events


def text(number: int) -> Text:
    return Text(message="m", block=number, text=f"t{number}")


async def test_what_failed_is_said_again_once_however_often_it_is_asked_for(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    said = UserSaid(message_id="1", text="a")
    first, second = [await stage.conversations.retry(session.id, said, user=ALICE, after=7) for _ in range(2)]
    assert first == second == 3
    again = stage.spawner.runner_of(ALICE).logs[session.id][2]
    assert isinstance(again, UserSaid)
    assert (again.text, again.retry_of, again.message_id) == ("a", "1", "1~7")
    assert await stage.conversations.retry(session.id, again, user=ALICE, after=9) == 4


async def test_an_entry_of_the_inbox_leads_to_all_that_is_asked(stage: Stage) -> None:
    session = await stage.new()
    asked = Asked(seq=2, at=now(), request_id="r1", kind="permission", tool="Bash", input={"command": "a\nb"})
    await stage.store.append(session.id, [UserSaid(seq=1, at=now(), message_id="1", text="a"), asked], owner=ALICE)
    entry = Request(id="r1", agent=session.agent, session=session.id, kind="permission", asked_at=now(), seq=2)
    assert await stage.conversations.asked(entry, user=ALICE) == asked
    for other in (replace(entry, seq=1), replace(entry, seq=0), replace(entry, id="r2")):
        with pytest.raises(NotFound):
            await stage.conversations.asked(other, user=ALICE)
    with pytest.raises(NotFound):
        await stage.conversations.asked(entry, user=BOB)


async def idle(stage: Stage, session: Session) -> ScriptedRunner:
    """Its runner, which has had nothing to do for an hour; from now on the web looks for such ones all the time."""
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    runner = stage.spawner.runner_of(ALICE)
    runner.open_turns, runner.idle_s = 0, 3600.0
    runner.looked.clear()
    return runner


async def test_a_message_that_comes_while_its_runner_is_found_idle_keeps_it(sweeping: Stage) -> None:
    session = await sweeping.new()
    runner = await idle(sweeping, session)
    runner.answer_now.clear()
    await asyncio.wait_for(runner.looked.wait(), PATIENCE_S)
    await sweeping.conversations.say(session.id, user=ALICE, text="b", message_id="2")
    runner.answer_now.set()  # now the web hears what was so a moment ago
    async with asyncio.timeout(PATIENCE_S):
        while "POST /v1/stop" not in runner.calls:
            await asyncio.sleep(0.01)
    await sweeping.conversations.say(session.id, user=ALICE, text="c", message_id="3")
    assert sweeping.spawner.runner_of(ALICE) is runner
    assert sweeping.spawner.started == 1


async def test_a_message_that_comes_while_its_runner_ends_as_idle_goes_to_the_next_one(sweeping: Stage) -> None:
    session = await sweeping.new()
    runner, before = await idle(sweeping, session), sweeping.runners.running(ALICE)
    runner.answer_now.clear()
    await asyncio.wait_for(runner.looked.wait(), PATIENCE_S)
    runner.answer_now.set()
    runner.answer_now.clear()  # the status is answered, the stop is not yet
    await asyncio.wait_for(runner.stopping.wait(), PATIENCE_S)
    assert before
    with pytest.raises(RunnerUnavailable, match="503"):  # what somebody hears who had it in hand already
        await before.say(session.id, SendMessage(message_id="2", text="b"))
    nexts = asyncio.ensure_future(sweeping.runners.replace_failed(before))
    saying = asyncio.ensure_future(sweeping.conversations.say(session.id, user=ALICE, text="b", message_id="2"))
    runner.answer_now.set()
    assert await nexts is not before
    assert (await saying, sweeping.spawner.started) == (3, 2)


async def test_a_message_has_a_number_and_the_same_id_again_has_the_same(stage: Stage) -> None:
    session = await stage.new()
    first = await stage.conversations.say(session.id, user=ALICE, text="안녕", message_id="1")
    assert await stage.conversations.say(session.id, user=ALICE, text="안녕", message_id="1") == first
    assert stage.spawner.started == 1


async def test_a_runner_of_another_version_is_started_anew_when_a_web_meets_it(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    old = stage.spawner.runner_of(ALICE)
    await stage.store.change(Session, session.id, owner=ALICE, state=SessionState.BUSY)
    old.protocol = PROTOCOL + 1
    stage.open()  # the web of the next version
    async with stage.runners:
        async with asyncio.timeout(PATIENCE_S):
            while not (client := stage.runners.running(ALICE)):
                await asyncio.sleep(0.01)
        assert old.stopping.is_set(), "it was asked to stop, so that it ends its sessions in good order"
        assert (stage.spawner.started, stage.spawner.runner_of(ALICE) is old) == (2, False)
        assert [box.id for box in await stage.store.find(Box, owner=SYSTEM)] == [client.box.id]
        assert await stage.conversations.say(session.id, user=ALICE, text="b", message_id="2") == 3


async def test_a_runner_that_says_no_version_is_of_the_first_one_and_stays(stage: Stage) -> None:
    await stage.runners.get_or_start(ALICE)
    stage.spawner.runner_of(ALICE).protocol = None
    stage.open()
    async with stage.runners:
        async with asyncio.timeout(PATIENCE_S):
            while not stage.runners.running(ALICE):
                await asyncio.sleep(0.01)
        assert stage.spawner.started == PROTOCOL == 1


@pytest.mark.parametrize(
    ("text", "message_id"), [("", "1"), ("  ", "1"), ("x" * 200_001, "1"), ("x", ""), ("x", "1" * 129)]
)
async def test_a_message_without_sense_is_refused_before_anything_starts(
    stage: Stage, text: str, message_id: str
) -> None:
    session = await stage.new()
    with pytest.raises(BadInput):
        await stage.conversations.say(session.id, user=ALICE, text=text, message_id=message_id)
    assert stage.spawner.started == 0


async def test_the_audit_log_tells_who_answered_what_and_never_the_words(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    asked = Asked(request_id="r1", kind="permission", tool="Bash", input={"command": "curl secret.test"})
    await stage.spawner.runner_of(ALICE).append(session.id, asked)
    answer = {"user": ALICE, "decision": "deny", "message": "not this secret"}
    await stage.conversations.answer(session.id, "r1", **answer)
    [act] = [act for act in await stage.audit.newest(limit=9) if act.what == "request_answered"]
    assert (act.who, act.about, act.detail) == (ALICE, session.agent, "deny r1")
    with pytest.raises(Conflict):
        await stage.conversations.answer(session.id, "r1", user=ALICE, decision="allow")
    assert len([act for act in await stage.audit.newest(limit=9) if act.what == "request_answered"]) == 1


@pytest.mark.parametrize(
    ("tool", "given", "told"),
    [
        ("Bash", {"command": "rm -rf out", "description": "tidies"}, "Bash: rm -rf out"),
        ("Bash", {"command": "echo \u202e" + "x" * 66_000 + " end"}, "Bash: echo ⟨U+202E⟩" + "x" * 66_000 + " end"),
        ("Write", {"file_path": "/a", "content": "b"}, 'Write: {"file_path":"/a","content":"b"}'),
    ],
)
async def test_the_audit_log_tells_whole_what_was_allowed(
    stage: Stage, tool: str, given: dict[str, Any], told: str
) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    asked = Asked(request_id="r1", kind="permission", tool=tool, input=given)
    await stage.spawner.runner_of(ALICE).append(session.id, asked)
    events = [numbered(UserSaid(message_id="1", text="a"), seq=1), numbered(asked, seq=2)]
    await stage.store.append(session.id, events, owner=ALICE)
    entry = Request(id="r1", agent=session.agent, session=session.id, kind="permission", asked_at=now(), seq=2)
    await stage.store.put(entry, owner=ALICE)
    await stage.conversations.answer(session.id, "r1", user=ALICE, decision="allow")
    [act] = [act for act in await stage.audit.newest(limit=9) if act.what == "request_answered"]
    assert act.detail == f"allow r1 {told}"


async def test_a_mode_is_one_that_there_is_and_ends_what_goes_by_the_other(stage: Stage) -> None:
    session = await stage.new()
    with pytest.raises(BadInput):
        await stage.agents.change(session.agent, user=ALICE, permission_mode="bypassPermissions")
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    await stage.agents.change(session.agent, user=ALICE, permission_mode="default")
    assert (await stage.agents.get(session.agent, user=ALICE)).permission_mode == "default"
    assert f"POST /v1/agents/{session.agent}/rest" in stage.spawner.runner_of(ALICE).calls


async def test_the_audit_log_tells_what_an_agent_may_reach_and_how_it_asks(stage: Stage) -> None:
    session = await stage.new()
    await stage.agents.change(session.agent, user=ALICE, egress=("*.example.com", "pypi.test"))
    await stage.agents.change(session.agent, user=ALICE, permission_mode="plan")
    acts = {act.what: (act.who, act.about, act.detail) for act in await stage.audit.newest(limit=9)}
    assert acts["egress_changed"] == (ALICE, session.agent, "*.example.com pypi.test")
    assert acts["mode_changed"] == (ALICE, session.agent, "plan")


async def test_a_follower_sees_every_number_once_over_broken_connections(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    runner = stage.spawner.runner_of(ALICE)
    async with stage.conversations.follow(session.id, user=ALICE) as batches:
        seen = await take(batches, lambda e: isinstance(e, Live))
        for number in range(5):
            await runner.append(session.id, text(number))
            await runner.cut()
            seen += await take(batches, lambda e, n=number: isinstance(e, Text) and e.block == n)
    numbers = [seq_of(event) for event in seen if seq_of(event)]
    assert numbers == list(range(1, 8))


async def test_a_follower_of_what_nobody_has_opened_opens_nothing_and_hears_it_being_opened(stage: Stage) -> None:
    started, quiet = await stage.new(), await stage.new()
    await stage.conversations.say(started.id, user=ALICE, text="a", message_id="1")
    runner = stage.spawner.runner_of(ALICE)
    async with stage.conversations.follow(quiet.id, user=ALICE) as batches:
        assert await anext(batches) == []
        present = asyncio.ensure_future(take(batches, lambda e: isinstance(e, UserSaid)))
        async with stage.conversations.follow(started.id, user=ALICE) as others:
            await take(others, lambda e: isinstance(e, UserSaid))
        assert quiet.id not in runner.logs
        await stage.conversations.say(quiet.id, user=ALICE, text="b", message_id="2")
        await present


async def test_a_follower_starts_with_the_history_of_the_store_without_a_runner(stage: Stage) -> None:
    session = await stage.new()
    await stage.store.append(
        session.id,
        [UserSaid(seq=1, at=now(), message_id="1", text="a"), TurnFinished(seq=2, at=now(), outcome="ok")],
        owner=ALICE,
    )
    async with stage.conversations.follow(session.id, user=ALICE) as batches:
        assert [seq_of(event) for event in await anext(batches)] == [1, 2]
    assert stage.spawner.started == 0
    assert [seq_of(e) for e in await stage.conversations.older(session.id, user=ALICE, before=2)] == [1]


async def test_a_follower_is_told_when_the_runner_is_gone_and_goes_on_with_the_next(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    async with stage.conversations.follow(session.id, user=ALICE) as batches:
        await take(batches, lambda e: isinstance(e, Live))
        await stage.spawner.kill(ALICE)
        gone = await take(batches, lambda e: isinstance(e, StateChanged))
        assert gone[-1].state is SessionState.ASLEEP
        said = asyncio.create_task(stage.conversations.say(session.id, user=ALICE, text="b", message_id="2"))
        events = await take(batches, lambda e: isinstance(e, UserSaid) and e.message_id == "2")
        assert await said == seq_of(events[-1]) == 3


async def test_a_runner_that_dies_in_a_turn_is_started_again_to_close_it(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    await stage.store.change(Session, session.id, owner=ALICE, state=SessionState.BUSY)
    await stage.spawner.kill(ALICE)
    async with asyncio.timeout(PATIENCE_S):
        while stage.spawner.started < 2 or f"PUT /v1/sessions/{session.id}" not in stage.spawner.runner_of(ALICE).calls:
            await asyncio.sleep(0.02)
    assert len(await stage.store.find(Box, owner=SYSTEM)) == 1


async def test_a_box_that_keeps_dying_is_given_up_and_its_open_turn_is_shown_as_failed(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    await stage.store.change(Session, session.id, owner=ALICE, state=SessionState.BUSY)
    async with asyncio.timeout(PATIENCE_S):
        for deaths in range(1, 5):
            await stage.spawner.kill(ALICE)
            while deaths < 4 and not (stage.spawner.started > deaths and stage.runners.running(ALICE)):
                await asyncio.sleep(0.02)
        while (await stage.agents.session(session.id, user=ALICE)).state is not SessionState.FAILED:
            await asyncio.sleep(0.02)
    assert stage.spawner.started == 4


async def test_a_start_goes_on_when_who_waited_leaves_and_ends_when_the_box_is_stopped(stage: Stage) -> None:
    session = await stage.new()
    stage.spawner.slow_s = 0.5
    saying = asyncio.create_task(stage.conversations.say(session.id, user=ALICE, text="a", message_id="1"))
    async with asyncio.timeout(PATIENCE_S):
        while not stage.spawner.started:
            await asyncio.sleep(0.001)
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    waiting = asyncio.create_task(stage.runners.get_or_start(ALICE))
    await asyncio.sleep(0)
    await stage.runners.stop(ALICE)
    with pytest.raises(RunnerUnavailable):
        await waiting
    assert (stage.spawner.started, stage.spawner.alive) == (1, {})
    assert not await stage.store.find(Box, owner=SYSTEM)


async def test_a_platform_that_ends_while_a_box_starts_leaves_no_box(stage: Stage) -> None:
    session = await stage.new()
    stage.spawner.slow_s = 0.5
    saying = asyncio.create_task(stage.conversations.say(session.id, user=ALICE, text="a", message_id="1"))
    async with asyncio.timeout(PATIENCE_S):
        while not stage.spawner.started:
            await asyncio.sleep(0.001)
    assert await stage.store.find(Box, owner=SYSTEM), "if the web is killed now, the next one knows"
    await stage.runners.stop_all(spare_open_turns=False)
    with pytest.raises(RunnerUnavailable, match="being ended"):
        await saying
    assert (stage.spawner.started, stage.spawner.alive) == (1, {})
    assert not await stage.store.find(Box, owner=SYSTEM)


async def test_a_runner_is_held_on_to_whatever_goes_wrong_with_one_look(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, failed = stage.spawner.poll, asyncio.Event()

    async def broken(box: Box) -> Poll:
        if failed.is_set():
            return await poll(box)
        failed.set()
        raise ValueError("nobody had foreseen this")

    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    monkeypatch.setattr(stage.spawner, "poll", broken)
    await stage.spawner.kill(ALICE)
    async with asyncio.timeout(PATIENCE_S):
        await failed.wait()
        while stage.spawner.started < 2:  # its successor closes what it left open
            await asyncio.sleep(0.01)


async def test_whoever_speaks_while_a_runner_ends_gets_a_new_one(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    _, number = await asyncio.gather(
        stage.runners.stop(ALICE), stage.conversations.say(session.id, user=ALICE, text="b", message_id="2")
    )
    assert (number, len(stage.spawner.alive)) == (3, stage.spawner.started - 1)


async def test_a_restarted_web_finds_the_same_runner(stage: Stage) -> None:
    session = await stage.new()
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    stage.open()
    async with stage.runners:
        assert await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1") == 2
    assert stage.spawner.started == 1


async def test_ten_messages_at_once_start_one_runner(stage: Stage) -> None:
    session = await stage.new()
    say = stage.conversations.say
    numbers = await asyncio.gather(*(say(session.id, user=ALICE, text="a", message_id=str(i)) for i in range(10)))
    assert sorted(numbers) == list(range(2, 12))
    assert stage.spawner.started == 1


async def test_a_runner_that_does_not_start_is_an_error_with_a_reason_and_leaves_no_row(stage: Stage) -> None:
    session = await stage.new()
    stage.spawner.refuse = True
    with pytest.raises(RunnerUnavailable, match="no room"):
        await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    assert not await stage.store.find(Box, owner=SYSTEM)


async def test_always_allow_is_written_to_the_agent_once_the_answer_counted(stage: Stage) -> None:
    session, answer = await stage.new(), stage.conversations.answer
    for _ in range(2):
        await answer(session.id, "r", user=ALICE, decision="allow_always", rule="Bash(python3 main.py:*), Read")
    assert (await stage.store.get(Agent, session.agent, owner=ALICE)).rules == ("Bash(python3 main.py:*)", "Read")


async def test_an_always_that_comes_after_a_denial_leaves_no_rule(stage: Stage) -> None:
    session, answer = await stage.new(), stage.conversations.answer
    await answer(session.id, "r", user=ALICE, decision="deny")
    with pytest.raises(Conflict):
        await answer(session.id, "r", user=ALICE, decision="allow_always", rule="Bash(rm:*)")
    assert (await stage.store.get(Agent, session.agent, owner=ALICE)).rules == ()


async def test_a_decision_or_rule_without_sense_is_refused_and_nothing_is_answered(stage: Stage) -> None:
    session, answer = await stage.new(), stage.conversations.answer
    with pytest.raises(BadInput):
        await answer(session.id, "r", user=ALICE, decision="maybe")
    with pytest.raises(BadInput):
        await answer(session.id, "r", user=ALICE, decision="allow_always", rule="totally bogus ((")
    assert stage.spawner.started == 0


async def test_the_news_of_a_users_sessions_reach_that_user_only(stage: Stage) -> None:
    session = await stage.new()
    async with stage.conversations.changes(user=ALICE) as news, stage.conversations.changes(user=BOB) as foreign:
        await stage.conversations.warm(session.id, user=ALICE)
        async with asyncio.timeout(PATIENCE_S):
            assert (await anext(news)).line == "안녕"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(foreign), 0.05)


async def test_what_is_changed_by_hand_is_news_too_and_counts_as_no_session(stage: Stage) -> None:
    session = await stage.new()
    agents, counted = stage.agents, stage.runners.changes.count("asleep")
    async with stage.conversations.changes(user=ALICE) as news, stage.conversations.changes(user=BOB) as foreign:
        for act in (
            agents.change(session.agent, user=ALICE, name="Another"),
            agents.change_session(session.id, user=ALICE, title="Another"),
            agents.new_session(session.agent, user=ALICE, locale="ko"),
        ):
            await act
            async with asyncio.timeout(PATIENCE_S):
                while (await anext(news)).session:
                    pass  # what the runner tells
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(foreign), 0.05)
    assert stage.runners.changes.count("asleep") == counted


async def test_charlie_cannot_tell_alices_session_from_one_that_never_was(stage: Stage) -> None:
    session = await stage.new()
    for name in (session.id, "never-was"):
        with pytest.raises(NotFound):
            await stage.conversations.say(name, user=BOB, text="a", message_id="1")
        with pytest.raises(NotFound):
            await stage.conversations.interrupt(name, user=BOB)
        with pytest.raises(NotFound):
            await stage.conversations.answer(name, "r", user=BOB, decision="allow")
        with pytest.raises(NotFound):
            await stage.conversations.older(name, user=BOB, before=5)
        with pytest.raises(NotFound):
            async with stage.conversations.follow(name, user=BOB):
                pass
        with pytest.raises(NotFound):
            await stage.agents.session(name, user=BOB)
    assert not await stage.agents.cards(user=BOB)
    assert stage.spawner.started == 0


async def test_an_agents_hosts_are_kept_as_they_are_compared_or_not_at_all(stage: Stage) -> None:
    agent = (await stage.new()).agent
    assert (await stage.agents.get(agent, user=ALICE)).egress == ("*",)
    changed = await stage.agents.change(agent, user=ALICE, egress=["Example.COM", "*.example.org"])
    assert changed.egress == ("example.com", "*.example.org")
    with pytest.raises(BadInput):
        await stage.agents.change(agent, user=ALICE, egress=["https://example.com/"])
    assert (await stage.agents.get(agent, user=ALICE)).egress == changed.egress


async def test_a_message_takes_its_trace_along_to_the_runner(stage: Stage) -> None:
    session, spans = await stage.new(), list[Span]()
    before = sink.set(spans.append)
    await stage.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    sink.reset(before)
    call, message = spans[-2:]
    assert (message.name, message.at) == ("message", message_trace(session.id, "1"))
    assert (call.name, call.parent) == ("runner POST /v1/sessions/{id}/messages", message.at)
    runner = stage.spawner.runner_of(ALICE)
    assert runner.traces[f"POST /v1/sessions/{session.id}/messages"] == call.at.header
    await stage.conversations.interrupt(session.id, user=ALICE)
    assert runner.traces[f"POST /v1/sessions/{session.id}/interrupt"] == ""


async def test_a_session_called_like_the_agent_made_in_it_follows_its_name_until_somebody_names_it(
    stage: Stage,
) -> None:
    made, store, agents = await stage.new(), stage.store, stage.agents
    await agents.change(made.agent, user=ALICE, name="Issues")
    await store.change(Session, made.id, owner=ALICE, title="Issues", given_title="Issues")  # as the builder's log says
    await agents.change(made.agent, user=ALICE, name="Weekly issues")
    assert (await agents.session(made.id, user=ALICE)).title == "Weekly issues"
    await agents.change_session(made.id, user=ALICE, title="How it came to be")
    await agents.change(made.agent, user=ALICE, name="Digest")
    assert (await agents.session(made.id, user=ALICE)).title == "How it came to be"
