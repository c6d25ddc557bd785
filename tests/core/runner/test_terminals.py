"""Terminals: their output is filtered, a later viewer sees their screen, and all that they started ends with them."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.protocol.terminal_api import INPUT_CHARS, NUMBERS
from core.runner.terminals import terminal as terminal_module
from core.runner.terminals.escape_filter import EscapeFilter
from core.runner.terminals.last_screen import LastScreen
from core.runner.terminals.size import Size
from core.runner.terminals.terminal import Terminal
from core.runner.terminals.terminals import MOST
from tests.core.runner.box import Box
from tests.timeouts import PATIENCE_S

GONE = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "PS1": "$ ", "LANG": "C.UTF-8"}
HARMLESS = [
    "\x1b[1;31mred\x1b[0m", "\x1b[38;2;1;2;3m", "\x1b[2J\x1b[H", "\x1b[?1049h", "\x1b[?25l", "\x1b[?2004h",
    "\x1b[5;10r", "\x1b(B", "\x1b7\x1b8", "\x1b[3 q", "tab\there\r\n", "한글", "\x07",
]  # fmt: skip
# Each makes a terminal type an answer, or changes something outside of the screen.
HARMFUL = {
    "clipboard": "\x1b]52;c;aGk=\x07", "title": "\x1b]0;title\x1b\\", "title asked": "\x1b[21t",
    "window": "\x1b[8;999;999t", "position": "\x1b[6n", "position, private": "\x1b[?6n", "attributes": "\x1b[c",
    "attributes 2": "\x1b[>c", "attributes 3": "\x1b[=c", "identify": "\x1bZ", "answerback": "\x05",
    "version": "\x1b[>q", "mode asked": "\x1b[?2026$p", "setting asked": "\x1bP$qm\x1b\\",
    "colour asked": "\x1b]11;?\x07", "keyboard asked": "\x1b[?u", "checksum": "\x1b[1;1;1;1;1;1*y",
    "link": "\x1b]8;;http://evil.example\x1b\\", "picture": "\x1bPq#0;2;0;0;0\x1b\\", "file": "\x1b]1337;File=:AA\x07",
    "folder": "\x1b]7;file://h/p\x07", "eight bit": "\x9b6n", "private message": "\x1b^x\x1b\\",
    "application": "\x1b_Gx\x1b\\", "printing": "\x1b[5i", "endless repetition": "a\x1b[99999999b",
    "parameters": "\x1b[x", "key strings": "\x1b[0;105;13p", "notification": "\x1b]777;notify;a;b\x07",
}  # fmt: skip


def shown(*pieces: str | bytes) -> str:
    one = EscapeFilter()
    return "".join(one.feed(piece.encode() if isinstance(piece, str) else piece) for piece in pieces)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_draws_a_screen_passes(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_nothing_that_a_terminal_would_answer_or_obey_passes(text: str) -> None:
    assert shown("<", text, ">").replace("a", "") in ("<>", "<6n>")
    assert shown("<", *text, ">").replace("a", "") in ("<>", "<6n>")  # also one character at a time


def test_a_sequence_without_an_end_costs_no_memory_and_shows_nothing() -> None:
    one = EscapeFilter()
    assert one.feed(b"\x1b]52;c;") == ""
    for _ in range(100):
        assert one.feed(b"A" * 10_000) == ""
        assert len(one._tail) <= 2 * 4096
    assert one.feed(b"\x07after") == "after"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(alphabet="\x1b[]?>;0159hlmnctqpPXu\\\x07\x05\x18aZ7(\x9b", max_size=12), max_size=8))
@example(["\x1b\x00[6n"])
@example(["\x1b\x1b]x\x07[6n"])
def test_pieces_cannot_be_put_together_into_a_question(pieces: list[str]) -> None:
    passed = shown(*pieces)
    assert shown(passed) == passed or "\x1b" in passed[-6:]  # what passed passes again, but for an open end
    assert not re.search(r"\x1b\[[0-9;?>=]*[nctx]|\x1b\]|\x1bP|\x1bZ|\x05|\x9b", passed)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="\x1b[?;0123459hlmHJKABCDLMPXr\r\na\t\b78()Bc", max_size=200))
def test_no_output_breaks_the_emulator_or_makes_it_draw_something_else(text: str) -> None:
    one, again = LastScreen(20, 5), LastScreen(20, 5)
    one.feed(shown(text))
    drawn = one.render()
    assert shown(drawn) == drawn  # it draws with harmless sequences only
    again.feed(drawn)
    again.render()
    assert again._screen.display == one._screen.display


def test_a_later_viewer_sees_the_screen_below_a_program_that_took_all_of_it() -> None:
    one = LastScreen(40, 4)
    one.feed("\x1b[32mgreen\x1b[0m prompt\r\n\x1b[?1049h\x1b[2J\x1b[Hwhole 화면\x1b[?25l")
    drawn = one.render()
    assert drawn.index("prompt") < drawn.index("\x1b[?1049h") < drawn.index("whole 화면")
    assert "\x1b[0;32mgreen" in drawn and drawn.endswith("\x1b[?25l")
    one.feed("\x1b[?1049l\x1b[?25h")
    assert "prompt" in one.render() and "whole" not in one.render()


def test_a_wide_character_that_is_half_overwritten_takes_its_own_two_columns_only() -> None:
    one = LastScreen(20, 3)
    one.feed("한글x\r\n한글\x1b[2;2H0")
    assert "한글x" in one.render() and " 0글" in one.render()


def test_of_a_flood_the_end_is_kept() -> None:
    one = LastScreen(20, 3)
    for number in range(100_000):
        one.feed(f"line {number}\r\n")
    assert "line 99999" in one.render()


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Terminal]:
    terminal = await Terminal.start(folder, ENVIRONMENT | {"HOME": str(folder)}, Size(80, 24))
    try:
        yield terminal
    finally:
        await terminal.end()


async def screen_with(terminal: Terminal, text: str) -> str:
    """The screen as soon as this text stands on it."""
    with terminal.viewed() as viewer:
        async with asyncio.timeout(PATIENCE_S):
            while text not in (screen := await terminal.screen(viewer)):
                viewer.news.clear()
                await viewer.news.wait()
    return screen


async def test_a_shell_has_a_terminal_of_its_size_and_control_keys_work(tmp_path: Path) -> None:
    async with started(tmp_path) as terminal:
        terminal.write(b"stty size; pwd; sleep 1000\n")
        screen = await screen_with(terminal, str(tmp_path)[:60])
        assert "24 80" in screen
        terminal.write(b"\x03echo back-$((40+2))\n")
        await screen_with(terminal, "back-42")
        terminal.resize(Size(100, 30))
        terminal.write(b"stty size\n")
        await screen_with(terminal, "30 100")
        assert "bash: no job control" not in screen


async def test_a_viewer_that_lags_gets_the_screen_and_the_others_all_output(tmp_path: Path) -> None:
    async with started(tmp_path) as terminal:
        with terminal.viewed() as slow:
            await terminal.screen(slow)
            terminal.write(b"seq 1 200000; echo the-$((1+1))-end\n")
            await screen_with(terminal, "the-2-end")
            assert slow.lagging and not slow.take()
            assert "the-2-end" in await terminal.screen(slow)


async def test_the_end_of_a_shell_ends_all_that_it_started(tmp_path: Path) -> None:
    nap = f"120.{os.getpid()}"  # this test's own, on a machine where others may test as well; it ends by itself
    line = f"(setsid nohup sleep {nap} &); (env -i setsid sleep {nap} &); sleep {nap} & echo started-$((1+1))\n"
    escapes = line.encode()
    async with started(tmp_path) as terminal:
        terminal.write(escapes)
        await screen_with(terminal, "started-2")
        await eventually(lambda: len(sleeping(nap)) == 3)
        terminal.write(b"exit\n")
        await asyncio.wait_for(terminal.ended.wait(), PATIENCE_S)
        assert not sleeping(nap)
    async with started(tmp_path) as terminal:
        terminal.write(escapes)
        await screen_with(terminal, "started-2")
        await eventually(lambda: len(sleeping(nap)) == 3)
        await terminal.end()
        assert terminal.ended.is_set() and not sleeping(nap)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


def sleeping(seconds: str) -> list[str]:
    """Return the processes that sleep for so long."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if Path(f"/proc/{name}/cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                found.append(name)
    return found


async def test_what_the_agent_left_in_the_home_does_not_begin_with_the_shell(tmp_path: Path) -> None:
    for name in (".bashrc", ".bash_profile", ".profile", ".inputrc", ".bash_login"):
        (tmp_path / name).write_text("touch taken\n")
    async with started(tmp_path) as terminal:
        terminal.write(b"echo ready-$((1+1))\n")
        await screen_with(terminal, "ready-2")
    assert not (tmp_path / "taken").exists()


async def test_what_is_typed_and_never_read_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal_module, "INPUT_BYTES", 10_000)
    async with started(tmp_path) as terminal:
        with pytest.raises(terminal_module.TooMuch):
            for _ in range(100):
                terminal.write(b"x" * 1000)


# --- through the runner's API ---------------------------------------------------------------------------------------


class Window:
    """A viewer of one terminal."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.text = socket, ""

    async def type(self, text: str = "", **size: int) -> None:
        await self.socket.send_json({"text": text, **size})

    async def until(self, text: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                frame: dict[str, Any] = await self.socket.receive_json()
                self.text = frame["screen"] if "screen" in frame else self.text + frame.get("text", "")
                if text in self.text or text in frame:
                    return frame


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    async with Box(tmp_path) as box:
        yield box


def place(session: str, number: int | str) -> str:
    return f"/v1/sessions/{session}/terminals/{number}"


async def opened(box: Box, session: str, number: int = 1) -> bool:
    answer: dict[str, Any] = await box.call("POST", place(session, number), {"columns": 80, "rows": 24})
    return bool(answer["started"])


@asynccontextmanager
async def window(box: Box, session: str, number: int = 1) -> AsyncIterator[Window]:
    async with box.http.ws_connect("http://runner" + place(session, number), headers=box.headers()) as socket:
        yield Window(socket)


async def test_a_terminal_is_found_again_with_its_screen_and_shown_to_several(box: Box) -> None:
    session = (await box.session()).id
    assert await opened(box, session) and not await opened(box, session)
    async with window(box, session) as first:
        await first.type("echo one-$((1+1))\n")
        await first.until("one-2")
    async with window(box, session) as first, window(box, session) as second:
        assert "one-2" in (await first.until("screen"))["screen"]
        await second.until("screen")
        await first.type(columns=100, rows=30)
        assert (await second.until("columns"))["columns"] == 100
        await second.type("exit\n")
        await first.until("ended")
    listed = await box.call("GET", f"/v1/sessions/{session}/terminals")
    assert listed["numbers"] == []


async def test_a_terminal_has_neither_secrets_nor_the_model(box: Box) -> None:
    session = (await box.session()).id
    await opened(box, session)
    async with window(box, session) as one:
        await one.type("env; echo the-$((1+1))-end\n")
        await one.until("the-2-end")
    assert "ANTHROPIC" not in one.text and "OMA_" not in one.text and "PROXY=http://oma:" in one.text.replace("\n", "")


async def test_terminals_have_a_bound_and_end_with_their_session(box: Box) -> None:
    sessions = [(await box.session()).id for _ in range(MOST // len(NUMBERS) + 1)]
    for at in range(MOST):
        assert await opened(box, sessions[at // len(NUMBERS)], at % len(NUMBERS) + 1)
    async with box.http.post(
        "http://runner" + place(sessions[-1], 1), json={"columns": 80, "rows": 24}, headers=box.headers()
    ) as answer:
        assert answer.status == 429 and (await answer.json())["code"] == "too_many_terminals"
    await box.call("DELETE", f"/v1/sessions/{sessions[0]}")
    assert await opened(box, sessions[-1])


@pytest.mark.parametrize(
    ("number", "body"),
    [(0, {"columns": 80, "rows": 24}), (5, {"columns": 80, "rows": 24}), (1, {"columns": 1, "rows": 24}),
     (1, {"columns": 80, "rows": 100_000}), (1, {}), ("x", {"columns": 80, "rows": 24})],
)  # fmt: skip
async def test_no_other_numbers_and_sizes_are_taken(box: Box, number: int | str, body: dict[str, int]) -> None:
    url = "http://runner" + place((await box.session()).id, number)
    async with box.http.post(url, json=body, headers=box.headers()) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("frame", ["no json", '{"text": 1}', '{"columns": 9999, "rows": 1}', "x" * (7 * INPUT_CHARS)])
async def test_a_viewer_that_speaks_another_language_is_sent_away(box: Box, frame: str) -> None:
    session = (await box.session()).id
    await opened(box, session)
    async with window(box, session) as one:
        await one.until("screen")
        with suppress(ConnectionError):  # it may be sent away before it has said all
            await one.socket.send_str(frame)
        async with asyncio.timeout(PATIENCE_S):
            while (await one.socket.receive()).type not in GONE:
                pass
    assert not await opened(box, session)  # the terminal itself goes on
