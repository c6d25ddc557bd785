"""Tests that shown text of an answer survives its runner, once, and that forged text is ignored."""

import os
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
    ToolCalled,
    ToolReturned,
    TurnFinished,
)
from core.runner.checkpoint import BLOCKS, FILE_BYTES, Checkpoint, Piece
from core.runner.log import EventLog
from core.runner.seal import Seal
from tests.core.runner.box import Box, Talker, numbers

TWO = [TextDelta(message="m", block=n, text=f"block {n}") for n in (0, 2)]
OTHERS = ToolCalled(id="t", name="n", input={}, parent="a subagent")
WHOLE = Text(message="m", block=0, text="block 0 and more")


def logged(path: Path, *events: AnyEvent) -> EventLog:
    log, _ = EventLog.open(path / "s.jsonl", b"")
    for event in (Notice(text="before"), *events):
        log.append(event)
    return log


def kept(*texts: str, after: int = 1, message: str = "m", block: int = 0) -> bytes:
    pieces = [Piece(after=after, message=message, block=block, text=text) for text in texts]
    return b"".join(msgspec.json.encode(piece) + b"\n" for piece in pieces)


def sealed(raw: bytes) -> bytes:
    """With the marks that the runner makes: whoever got past them finds the other walls."""
    marks = Seal(b"", "s.part")
    return b"\n".join(marks.line(line) if line.endswith(b"}") else line for line in raw.split(b"\n"))


def write(log: EventLog, deltas: list[TextDelta]) -> Checkpoint:
    checkpoint = Checkpoint(log)
    for delta in deltas:
        checkpoint.keep(delta)
    return checkpoint


async def _words_until(session: Talker, many: int) -> str:
    """Return the text that a page has seen when at least so many deltas have arrived."""
    async with session.watch() as watch:
        await session.say("N=2000 GAP=0.005")
        while len(watch.of(TextDelta)) < many:
            await watch.until(TextDelta)
        return "".join(delta.text for delta in watch.of(TextDelta))


async def _killed_and_read(box: Box, many: int) -> None:
    session = await box.session()
    shown = await _words_until(session, many)
    await box.kill()
    await box.start()
    async with session.watch() as watch:
        end = await watch.until(TurnFinished)
    assert (end.outcome, end.reason) == ("interrupted", "runner_lost")
    (left,) = [event for event in await session.stored() if isinstance(event, Text)]
    assert left.partial and left.text.startswith(shown), (many, len(left.text), len(shown))
    assert not list(session.log.parent.glob("*.part*"))


@pytest.mark.parametrize("many", [1, 2, 7, 40])
async def test_no_word_that_was_shown_is_missing_after_the_runner_was_killed(tmp_path: Path, many: int) -> None:
    async with Box(tmp_path, apart=True) as box:
        await _killed_and_read(box, many)


@pytest.mark.proof
async def test_in_fifty_kills_of_the_runner_no_word_that_was_shown_is_missing(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        for kill in range(50):
            await _killed_and_read(box, 1 + kill * 3)


async def test_after_a_killed_runner_the_session_goes_on(tmp_path: Path) -> None:
    async with Box(tmp_path, apart=True) as box:
        session = await box.session()
        await _words_until(session, 5)
        await box.kill()
        await box.start()
        async with session.watch() as watch:
            end = await watch.until(TurnFinished)
            await session.say("SAY(((and on)))")
            assert (await watch.until(TurnFinished)).outcome == "ok"
        stored = await session.stored()
        first, second = [event for event in stored if isinstance(event, Text)]
        assert (first.partial, second.text, second.partial) == (True, "and on", False)
        assert stored.index(first) < stored.index(end)
        assert numbers(stored) == list(range(1, len(stored) + 1))


def test_unfinished_text_is_there_after_opening_the_log(tmp_path: Path) -> None:
    log = logged(tmp_path)
    write(log, TWO)
    left = Checkpoint(log).left()
    assert [(text.block, text.text, text.partial) for text in left] == [(0, "block 0", True), (2, "block 2", True)]


def test_words_after_a_tool_call_of_the_same_message_are_there(tmp_path: Path) -> None:
    log = logged(tmp_path)
    checkpoint = write(log, TWO[:1])
    log.append(WHOLE)
    log.append(ToolCalled(id="t", name="n", input={}))
    checkpoint.keep(TWO[1])
    assert [text.text for text in Checkpoint(log).left()] == ["block 2"]


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
    write(log, TWO)
    for event in since:
        log.append(event)
    assert [text.block for text in Checkpoint(log).left()] == blocks


def test_a_new_message_discards_the_one_before_and_the_end_leaves_nothing(tmp_path: Path) -> None:
    log = logged(tmp_path)
    checkpoint = write(log, TWO)
    checkpoint.keep(TextDelta(message="asked again", block=0, text="x"))
    assert [(text.message, text.text) for text in Checkpoint(log).left()] == [("asked again", "x")]
    checkpoint.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]
    checkpoint.keep(TWO[0])  # another turn
    assert [text.text for text in Checkpoint(log).left()] == ["block 0"]


def test_a_checkpoint_has_a_size_that_it_can_be_read_with(tmp_path: Path) -> None:
    log = logged(tmp_path)
    write(log, [TextDelta(message="m", block=0, text="x" * 10_000)] * 1_000)
    assert FILE_BYTES - 20_000 < (tmp_path / "s.part").stat().st_size <= FILE_BYTES
    (left,) = Checkpoint(log).left()
    assert len(left.text) > FILE_BYTES - 60_000


HOSTILE: dict[str, bytes] = {
    "torn": kept("x")[:-9],
    "empty": b"",
    "other": b"[1]\n",
    "deep": b'{"after":1,"x":' + b"[" * 100_000 + b"\n",
    "no utf-8": kept("x").replace(b'"x"', b'"\xff"'),
    "half a character": kept("x").replace(b'"x"', b'"\\ud800"'),
    "from the beginning": kept("x", after=0),
    "before": kept("x", after=-1),
    "from the future": kept("x", after=2),
    "into the future": kept("x") + kept("y", after=2),
    "two messages": kept("x") + kept("x", message="n"),
    "many blocks": b"".join(kept("x", block=block) for block in range(BLOCKS + 1)),
    "larger than a file of ours": kept("x") + b" " * FILE_BYTES,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_we_have_not_written_is_as_good_as_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.part").write_bytes(sealed(HOSTILE[name]))
    assert list(Checkpoint(logged(tmp_path)).left()) == []


def link(path: Path) -> None:
    path.with_name("elsewhere").write_bytes(kept("x"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, link])
def test_what_is_no_file_holds_nobody_up_and_is_not_followed(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "s.part")
    log = logged(tmp_path)
    checkpoint = Checkpoint(log)
    assert list(checkpoint.left()) == []
    checkpoint.keep(TWO[0])
    checkpoint.forget()
    if make is link:
        assert (tmp_path / "elsewhere").read_bytes() == kept("x")


def test_text_without_the_runners_marks_is_as_good_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.part").write_bytes(sealed(kept("x")))
    assert [text.text for text in Checkpoint(logged(tmp_path)).left()] == ["x"]
    (tmp_path / "s.part").write_bytes(kept("the model never said so"))
    assert list(Checkpoint(logged(tmp_path)).left()) == []
