"""What was shown of an answer survives its runner, once, and nothing made up is taken for it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from core.domain.events import (
    AnyEvent,
    Notice,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnFinished,
)
from core.runner.checkpoint import CHARS, FILE_BYTES, Checkpoint, Part
from core.runner.log import EventLog
from tests.core.runner.box import Box, numbers

TWO = [TextDelta(message="m", block=n, text=f"block {n}") for n in (0, 2)]
OTHERS = ToolCalled(id="t", name="n", input={}, parent="a subagent")
WHOLE = Text(message="m", block=0, text="block 0 and more")


def logged(path: Path, *events: AnyEvent) -> EventLog:
    log, _ = EventLog.open(path / "s.jsonl")
    for event in (Notice(text="before"), *events):
        log.append(event)
    return log


def kept(texts: list[Text], *, after: int = 1) -> bytes:
    return msgspec.json.encode(Part(after=after, texts=tuple(texts)))


async def test_what_was_shown_a_second_before_the_runner_was_killed_is_kept_once(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        part, shown = session.log.with_suffix(".part"), ""
        async with session.watch() as watch:
            await session.say("N=2000 GAP=0.02")
            while not shown or shown not in part.read_text():  # the next look, within a second
                await watch.until(TextDelta)
                if not shown and part.exists():
                    shown = "".join(delta.text for delta in watch.of(TextDelta))
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            end = await watch.until(TurnFinished)
            await session.say("SAY(((and on)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
        stored = await session.stored()
        assert (end.outcome, end.reason) == ("interrupted", "runner_lost")
        first, second = [event for event in stored if isinstance(event, Text)]
        assert first.partial and len(shown) > 20 and first.text.startswith(shown)
        assert (second.text, second.partial) == ("and on", False)
        assert stored.index(first) < stored.index(end)
        assert numbers(stored) == list(range(1, len(stored) + 1))
        assert not list(session.log.parent.glob("*.part*"))


async def test_a_turn_that_is_over_within_a_second_writes_no_checkpoint(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        async with session.watch() as watch:
            await session.say("STALL@3 N=9")
            await watch.until(TextDelta)
            here, part = box.runner.sessions.get(session.id), session.log.with_suffix(".part")
            began = here.talk.turn.started
            here.check_idle(began + 0.9)
            early = part.exists() and time.monotonic() < began + 1.0
            here.check_idle(began + 1.1)
            late = part.exists()
            await session.interrupt()
            await watch.until(TurnFinished)
    assert (early, late, part.exists()) == (False, True, False)


def test_unfinished_text_is_there_after_opening_the_log_and_thoughts_are_not(tmp_path: Path) -> None:
    log = logged(tmp_path)
    Checkpoint(log).keep([ThinkingDelta(message="m", block=1, text="hm"), *TWO])
    left = Checkpoint(log).left()
    assert [(text.block, text.text, text.partial) for text in left] == [(0, "block 0", True), (2, "block 2", True)]


@pytest.mark.parametrize(
    ("since", "blocks"),
    [
        ([Notice(text="n"), ToolReturned(id="t", ok=True, content=""), OTHERS], [0, 2]),
        ([WHOLE], [2]),
        ([Text(message="m", block=0, text="block 0", partial=True)], [2]),  # killed while it was put into the log
        ([Thinking(message="m", block=1, text="hm")], [2]),
        ([WHOLE, Text(message="m", block=2, text="block 2!")], []),
        ([Text(message="asked again", block=0, text="x")], []),
        ([ToolCalled(id="t", name="n", input={})], []),
        ([TurnFinished(outcome="ok")], []),
        ([Notice(text="n")] * 600, []),
    ],
)  # fmt: skip
def test_what_was_finished_or_begun_anew_since_is_not_told_again(
    tmp_path: Path, since: list[AnyEvent], blocks: list[int]
) -> None:
    log = logged(tmp_path)
    Checkpoint(log).keep(TWO)
    for event in since:
        log.append(event)
    assert [text.block for text in Checkpoint(log).left()] == blocks


def test_only_what_is_new_is_written_and_the_end_leaves_nothing(tmp_path: Path) -> None:
    checkpoint, part = Checkpoint(logged(tmp_path)), tmp_path / "s.part"
    checkpoint.keep(TWO)
    part.unlink()
    checkpoint.keep(TWO)
    assert not part.exists()
    checkpoint.keep(TWO[:1])
    assert part.exists()
    checkpoint.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]
    checkpoint.keep(TWO)
    checkpoint.keep([])  # the block was finished, the turn goes on
    assert not part.exists()


def test_a_checkpoint_has_a_size_that_it_can_be_read_with(tmp_path: Path) -> None:
    log = logged(tmp_path)
    Checkpoint(log).keep([TextDelta(message="m", block=n, text="\x01" * CHARS) for n in range(3)])
    assert (tmp_path / "s.part").stat().st_size < FILE_BYTES
    assert sum(len(text.text) for text in Checkpoint(log).left()) == CHARS


PARTIAL = Text(message="m", block=0, text="x", partial=True)
HOSTILE: dict[str, bytes] = {
    "torn": kept([PARTIAL])[:-9],
    "empty": b"",
    "other": b"[1]",
    "deep": b'{"after":1,"x":' + b"[" * 100_000,
    "no utf-8": b'{"after":1,"texts":[{"type":"text","message":"\xff","block":0,"text":"x","partial":true}]}',
    "half a character": kept([PARTIAL]).replace(b'"x"', b'"\\ud800"'),
    "no texts": kept([]),
    "from the beginning": kept([PARTIAL], after=0),
    "before": kept([PARTIAL], after=-1),
    "from the future": kept([PARTIAL], after=2),
    "whole": kept([WHOLE]),
    "two messages": kept([PARTIAL, Text(message="n", block=1, text="x", partial=True)]),
    "twice": kept([PARTIAL, PARTIAL]),
    "long": kept([Text(message="m", block=0, text="x" * (CHARS + 1), partial=True)]),
    "larger than a file of ours": kept([PARTIAL]) + b" " * FILE_BYTES,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_we_have_not_written_is_as_good_as_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.part").write_bytes(HOSTILE[name])
    assert list(Checkpoint(logged(tmp_path)).left()) == []


def link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(kept([PARTIAL]))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, link])
@pytest.mark.parametrize("name", ["s.part", "s.part.new"])
def test_what_is_no_file_holds_nobody_up_and_is_not_followed(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    make(tmp_path / name)
    log = logged(tmp_path)
    checkpoint = Checkpoint(log)
    assert list(checkpoint.left()) == []
    checkpoint.keep(TWO)
    checkpoint.forget()
    if make is link:
        assert (tmp_path / "elsewhere").read_bytes() == kept([PARTIAL])
