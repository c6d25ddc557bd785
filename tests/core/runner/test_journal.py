"""Readers of a session: all of it once, in order, and no reader can hurt another."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from core.domain.errors import Conflict
from core.domain.events import (
    Answered,
    Asked,
    Live,
    Notice,
    Parked,
    SessionOpened,
    StateChanged,
    Text,
    TextDelta,
    TurnFinished,
    UserSaid,
    decode_many,
    seq_of,
)
from core.domain.states import SessionState
from core.runner.journal import QUEUE_EVENTS, Journal, ReaderLagging
from core.runner.known_secrets import KnownSecrets
from core.runner.log import EventLog
from tests.timeouts import PATIENCE_S


def journal(path: Path, known: KnownSecrets | None = None) -> Journal:
    log, events = EventLog.open(path / "s.jsonl", b"")
    return Journal("s", log, events, lambda: None, known or KnownSecrets())


async def test_a_reader_gets_the_past_the_present_and_what_happens_each_once(tmp_path: Path) -> None:
    book = journal(tmp_path)
    for n in range(1200):
        book.record(Notice(text=str(n)))
    unfinished = [TextDelta(message="m", block=0, text="so far")]
    with book.watch(100, unfinished) as watcher:
        book.record(Notice(text="new"))
        book.show(TextDelta(message="m", block=0, text=" more"))
        got = []
        async with asyncio.timeout(PATIENCE_S):
            async for frame in watcher.frames():
                got += decode_many(frame)
                if isinstance(got[-1], TextDelta) and got[-1].text == " more":
                    break
    assert [seq_of(event) for event in got if seq_of(event)] == [*range(101, 1201), 1201]
    live = next(n for n, event in enumerate(got) if isinstance(event, Live))
    assert (got[live].last_seq, got[live + 1].text, got[live + 2].text) == (1200, "so far", "new")
    assert not book.watched


async def test_a_reader_that_lags_is_told_and_others_are_not_disturbed(tmp_path: Path) -> None:
    book = journal(tmp_path)
    with book.watch(0, []) as slow, book.watch(0, []) as quick:
        frames = quick.frames()
        await anext(frames)
        for n in range(QUEUE_EVENTS + 1):
            book.show(TextDelta(message="m", block=0, text=str(n)))
            if n % 100 == 0:
                await anext(frames)
        with pytest.raises(ReaderLagging):
            async for _ in slow.frames():
                pass


def test_what_the_log_says_is_the_same_live_and_after_opening(tmp_path: Path) -> None:
    book = journal(tmp_path)
    for event in (
        SessionOpened(agent="a", kind="builder"),
        UserSaid(message_id="m1", text="hello"),
        UserSaid(message_id="m2", text="  and\nmore "),
        StateChanged(state=SessionState.STARTING),
        StateChanged(state=SessionState.BUSY, turn="m1"),
        Asked(request_id="r1", kind="permission", tool="Bash", input={"command": "ls"}),
        Asked(request_id="r2", kind="permission"),
        Parked(request_id="r1"),
        TurnFinished(outcome="interrupted"),
        StateChanged(state=SessionState.ASLEEP),
        Answered(request_id="r1", decision="allow"),
    ):
        book.record(event)
    again = journal(tmp_path)
    for replayed in (book.projection, again.projection):
        assert (replayed.agent, replayed.kind, replayed.state, replayed.turn) == (
            "a",
            "builder",
            SessionState.ASLEEP,
            "",
        )
        assert replayed.seqs == {"m1": 2, "m2": 3} and [one.message_id for one in replayed.waiting] == ["m2"]
        assert list(replayed.asked) == ["r2"] and list(replayed.decided) == ["r1"] and not replayed.at_rest
    live, opened = ({**vars(one), "waiting": list(one.waiting)} for one in (book.projection, again.projection))
    assert live == opened


def test_a_state_that_may_not_follow_is_not_written(tmp_path: Path) -> None:
    book = journal(tmp_path)
    with pytest.raises(Conflict):
        book.become(SessionState.ASKING)
    assert book.log.last_seq == 0
    book.become(SessionState.ASLEEP)
    assert book.log.last_seq == 0
    assert msgspec.json.decode(b"[]") == []


async def test_a_secret_is_neither_stored_nor_shown_and_what_is_done_next_still_knows_it(tmp_path: Path) -> None:
    book, secret = journal(tmp_path, KnownSecrets(["secret-of-mine"])), "secret-of-mine"
    with book.watch(0, [TextDelta(message="m", block=0, text="so far secret-of")]) as watcher:
        book.record(UserSaid(message_id="m1", text=f"use {secret}"))
        for piece in ("it is sec", "ret-of-", "mine."):
            book.show(TextDelta(message="n", block=0, text=piece))
        frames = watcher.frames()
        seen = decode_many(await anext(frames)) + decode_many(await anext(frames))
    assert [event.text for event in seen if isinstance(event, TextDelta | UserSaid)] == [
        "so far ", "use ***", "it is ", "***.",
    ]  # fmt: skip
    assert secret.encode() not in book.log.path.read_bytes()
    (waits,) = book.projection.waiting
    assert waits.text == f"use {secret}"
    book.record(Text(message="n", block=0, text=f"it is `{secret}` then"))
    assert book.projection.line == "it is *** then"
    kept = book.shown([TextDelta(message="m", block=0, text=f"half an answer with {secret} and secr")])
    assert [delta.text for delta in kept] == ["half an answer with *** and "]  # what a checkpoint writes down
