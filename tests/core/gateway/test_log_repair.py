"""A home that was put back from a copy: the real runner takes in from the real gateway what it lacks, and goes on.

There is no CLI here (a program that fails at once stands in for it): every message ends in a failed turn, which makes
as many events as an answer does.
"""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

from core.config import runtime_dir
from core.config.runtime_dir import Process
from core.domain.errors import Unavailable
from core.domain.events import (
    AnyEvent,
    Asked,
    Live,
    Notice,
    Parked,
    SessionOpened,
    StateChanged,
    Text,
    TurnFinished,
    UserSaid,
    decode_many,
    encode,
    encode_many,
    seq_of,
)
from core.domain.records import Session
from core.domain.states import SessionState
from core.gateway.box_api import PAGE_EVENTS
from core.runner import log_repair
from core.runner.gateway_client import GatewayClient
from core.runner.journal import Journal, ReaderLagging
from core.runner.known_secrets import KnownSecrets
from core.runner.log import EventLog
from core.runner.log_repair import rejoin
from core.runner.runner import Init, Runner
from core.runner.session import Session as Talking
from tests.core.gateway.gateway_harness import ALICE, BoxHttp, GatewayHarness, until
from tests.timeouts import PATIENCE_S

INIT = Init(user=ALICE, box="box1", key="k")


@pytest.fixture
async def box_http(harness: GatewayHarness, process: Process) -> AsyncIterator[BoxHttp]:
    await harness.add_session(ALICE)
    async with harness.gateway(watch_s=0.05):
        yield await harness.open_box(ALICE, process)


@pytest.fixture
def process() -> Process:
    """The test's own process as the box's: a runner ends children of its process that it has not started."""
    me = runtime_dir.process()
    assert me
    return me


@contextlib.asynccontextmanager
async def running(home: Path, box_http: BoxHttp) -> AsyncIterator[Talking]:
    """The session s1 in a runner of its own."""
    runner = Runner(cli="/bin/false", home=home, gateway=str(box_http.socket), boot_key="b")
    await runner.open()
    try:
        runner.bind(INIT)
        yield runner.sessions.put("s1", "a1", "chat")
    finally:
        await runner.stop()


async def say(session: Talking, *texts: str) -> None:
    """Each in a turn of its own."""
    for text in texts:
        session.conversation.say(UserSaid(message_id=text, text=text))
        await until(lambda: not session.busy and not session.journal.projection.waiting)


async def kept(harness: GatewayHarness) -> list[AnyEvent]:
    return await harness.store.events("s1", owner=ALICE)


async def until_kept(harness: GatewayHarness, session: Talking) -> None:
    """Wait until store and log have the same events (times of events that differed before may still differ)."""
    async with asyncio.timeout(PATIENCE_S):
        while timeless(await kept(harness)) != timeless(events_of(session.journal.log)):
            await asyncio.sleep(0.02)


def events_of(log: EventLog) -> list[AnyEvent]:
    return decode_many(b"[" + b",".join(log.read(0, 5_000)) + b"]")


def timeless(events: list[AnyEvent]) -> list[AnyEvent]:
    return [msgspec.structs.replace(event, at=msgspec.UNSET) for event in events]


def messages(events: list[AnyEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, UserSaid)]


def turns(events: list[AnyEvent]) -> list[str]:
    """The turns in their order; none begins before the one before it has ended, and each ends once."""
    named, now = list[str](), ""
    for event in events:
        if isinstance(event, StateChanged) and event.turn and event.turn != now:
            assert not now
            named.append(now := event.turn)
        elif isinstance(event, TurnFinished):
            assert now
            now = ""
    assert not now
    return named


@pytest.mark.parametrize("cursor", ["as it was", "lost"])
async def test_what_was_said_before_and_after_a_home_was_put_back_is_kept_once_and_in_order(
    harness: GatewayHarness, box_http: BoxHttp, tmp_path: Path, cursor: str
) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy"
    async with running(home, box_http) as session:
        await say(session, "one", "two")
        await until_kept(harness, session)
    shutil.copytree(home, copy)
    async with running(home, box_http) as session:
        await say(session, *(f"three {n}" for n in range(PAGE_EVENTS // 3)))  # more than a page
        await until_kept(harness, session)
    before = await kept(harness)
    shutil.rmtree(home)
    shutil.copytree(copy, home)
    if cursor == "lost":
        (home / ".oma/sessions/s1.json").unlink()
    async with running(home, box_http) as session:
        await say(session, "four", "five")
        await until_kept(harness, session)
        await say(session, "six")
        await until_kept(harness, session)
    async with running(home, box_http) as session:  # what it is like after a restart is what it was
        await until_kept(harness, session)
    events = await kept(harness)
    assert events[: len(before)] == before
    assert [seq_of(event) for event in events] == list(range(1, len(events) + 1))
    said = ["one", "two", *(f"three {n}" for n in range(PAGE_EVENTS // 3)), "four", "five", "six"]
    assert messages(events) == turns(events) == said
    assert sum(isinstance(event, SessionOpened) for event in events) == 1
    assert [event.text for event in events if isinstance(event, Notice)] == ["log_rejoined"]
    assert (await harness.store.get(Session, "s1", owner=ALICE)).last_seq == len(events)


async def test_a_home_that_is_lost_gets_its_log_back_before_anything_is_said(
    harness: GatewayHarness, box_http: BoxHttp, tmp_path: Path
) -> None:
    async with running(tmp_path / "home", box_http) as session:
        await say(session, "one")
        await until_kept(harness, session)
    shutil.rmtree(tmp_path / "home")
    async with running(tmp_path / "home", box_http) as session:
        await until(lambda: "one" in session.journal.projection.seqs)
        assert session.conversation.say(UserSaid(message_id="one", text="one")) == 2, (
            "said again, it is the same message"
        )
        await until_kept(harness, session)
        assert messages(await kept(harness)) == ["one"]


async def test_a_copy_of_an_open_turn_does_not_end_it_twice(
    harness: GatewayHarness, box_http: BoxHttp, tmp_path: Path
) -> None:
    home, path = tmp_path / "home", tmp_path / "home/.oma/sessions/s1.jsonl"
    async with running(home, box_http) as session:
        await say(session, "one", "two")
        await until_kept(harness, session)
    lines = path.read_bytes().splitlines(keepends=True)
    cut = next(n for n, line in enumerate(lines) if b'"turn":"two"' in line) + 1
    path.write_bytes(b"".join(lines[:cut]))
    async with running(home, box_http) as session:
        await until(lambda: "log_rejoined" in str(session.journal.log.read(0, 500)))
        await say(session, "three")
        await until_kept(harness, session)
    assert turns(await kept(harness)) == ["one", "two", "three"]


async def test_a_message_that_is_in_both_is_said_once(
    harness: GatewayHarness, box_http: BoxHttp, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with running(home, box_http) as session:
        await until_kept(harness, session)
        shutil.copytree(home, tmp_path / "copy")
        await say(session, "one")
        await until_kept(harness, session)
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "copy", home)
    async with running(home, box_http) as session:
        await say(session, "one")  # a client that had no answer repeats it
        await until_kept(harness, session)
    assert messages(await kept(harness)) == ["one"]


async def test_a_reader_of_the_old_log_is_sent_away(harness: GatewayHarness, box_http: BoxHttp, tmp_path: Path) -> None:
    with store_ahead(tmp_path) as (journal, there), journal.watch(2, []) as watcher:
        frames = watcher.frames()
        assert isinstance(decode_many(await anext(frames))[-1], Live | Notice)
        await rejoin(journal, there, 3)
        with pytest.raises(ReaderLagging):
            async for _ in frames:
                pass


class Stored(GatewayClient):
    """A gateway of which only the tail is asked; two a page."""

    def __init__(self, events: list[AnyEvent]) -> None:
        self.events, self.pages = events, 99

    async def tail(self, session: str, after: int) -> list[bytes]:
        self.pages -= 1
        if self.pages < 0:
            raise Unavailable("gone")
        return [encode(event) for event in self.events[after : after + 2]]


@contextlib.contextmanager
def store_ahead(folder: Path) -> Any:
    """A journal that has lost its end: three events are common, then five are the Store's and others are its own."""
    (folder / "full").mkdir(parents=True)
    full, old = folder / "full/s.jsonl", folder / "s.jsonl"
    log, _ = EventLog.open(full, b"")
    for n in range(3):
        log.append(Notice(text=f"common {n}"))
    shutil.copy(full, old)
    log.append(UserSaid(message_id="m", text="waiting"))
    log.append(Asked(request_id="r", kind="permission", tool="Bash", input={}))
    log.append(StateChanged(state=SessionState.ASKING, turn="t"))
    for n in range(2):
        log.append(Text(message="x", block=n, text=f"stored {n}"))
    stored = events_of(log)
    log.close()
    own, events = EventLog.open(old, b"")
    journal = Journal("s", own, events, lambda: None, KnownSecrets())
    for n in range(2):
        journal.record(Notice(text=f"own {n}"))
    yield journal, Stored(stored)
    own.close()


def lines(folder: Path) -> list[AnyEvent]:
    return decode_many(b"[" + b",".join((folder / "s.jsonl").read_bytes().splitlines()) + b"]")


async def test_the_stores_open_ends_are_tied_up_and_what_waited_there_waits_here(tmp_path: Path) -> None:
    with store_ahead(tmp_path) as (journal, there):
        assert await rejoin(journal, there, 3) == 8
        journal.record(Notice(text="later"))
        replayed = journal.projection
        assert (replayed.turn, replayed.state) == ("", SessionState.ASLEEP)
    assert [said.message_id for said in replayed.waiting] == ["m"]
    events = lines(tmp_path)
    assert events[:8] == there.events
    assert [type(event) for event in events[8:11]] == [Parked, TurnFinished, StateChanged]
    said = ["own 0", "own 1", "log_rejoined", "later"]
    assert [event.text for event in events[11:] if isinstance(event, Notice)] == said
    assert [seq_of(event) for event in events] == list(range(1, 16))


@pytest.mark.parametrize("pages", [0, 1, 2])
async def test_a_gateway_that_goes_away_in_the_middle_leaves_the_log_as_it_was(tmp_path: Path, pages: int) -> None:
    with store_ahead(tmp_path) as (journal, there):
        before, there.pages = lines(tmp_path), pages
        with pytest.raises(Unavailable):
            await rejoin(journal, there, 3)
        assert lines(tmp_path) == before and journal.log.last_seq == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "s.jsonl"]


async def test_events_that_do_not_follow_each_other_are_not_taken_in(tmp_path: Path) -> None:
    with store_ahead(tmp_path) as (journal, there):
        before = lines(tmp_path)
        del there.events[6]
        with pytest.raises(Unavailable):
            await rejoin(journal, there, 3)
        assert lines(tmp_path) == before


def test_killed_between_any_two_lines_there_is_the_old_log_or_the_new_one(tmp_path: Path) -> None:
    """Each time in a process of its own that ends at its next line of ours."""
    found, at = list[tuple[int, int]](), 0
    while True:
        folder, at = tmp_path / str(at), at + 1
        with store_ahead(folder) as (journal, there):
            old = encode_many(lines(folder))
            pid = os.fork()
            if not pid:
                ends_at(at, lambda journal=journal, there=there: asyncio.run(rejoin(journal, there, 3)))
            died = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if encode_many(lines(folder)) != old:
            found.append((at, len(lines(folder))))
            again, events = EventLog.open(folder / "s.jsonl", b"")
            again.close()
            assert [seq_of(event) for event in events] == list(range(1, len(events) + 1))
            assert len(events) in (13, 14)  # without the notice, or with it
        else:
            assert not found, "once it is there it stays"
        if died != KILLED:
            break
    assert died == 0 and at > 40 and found[0][0] < at - 10


KILLED = 9
WRITING = {"rejoin", "_settled", "become", "adopt"}  # the others compute, or write the draft alone


def ends_at(number: int, work: Callable[[], object]) -> None:
    """Run it in a child process that is killed at the given line of the runner's code."""
    left, ours = number, str(Path(log_repair.__file__).parent)

    def traced(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_name not in WRITING or not frame.f_code.co_filename.startswith(ours):
            return None
        if event == "line":
            left -= 1
            if not left:
                os._exit(KILLED)
        return traced

    code = 1
    try:
        sys.settrace(traced)
        work()
        code = 0
    finally:
        os._exit(code)
