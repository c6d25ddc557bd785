"""The files in which commands print: only what is new, bounded, and nothing but regular files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.domain.events import ToolProgress
from core.lib.tasks import Tasks
from core.runner import live_output
from core.runner.live_output import CommandStarted, LiveOutput, output_path

STARTED = CommandStarted(tool_id="t1", task_id="b1", cli_session="s1")


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of `STARTED`, empty."""
    monkeypatch.setattr(live_output.tempfile, "gettempdir", lambda: str(tmp_path))
    path = output_path(tmp_path / "agent", STARTED)
    assert path is not None
    path.parent.mkdir(parents=True)
    path.touch()
    return path


async def following(folder: Path, check: Callable[[LiveOutput, list[ToolProgress]], None]) -> None:
    tasks, told = Tasks(), list[ToolProgress]()
    outputs = LiveOutput(lambda: folder / "agent", show=told.append, spawn=tasks.spawn)
    outputs.follow(STARTED)
    check(outputs, told)
    outputs.clear()
    await tasks.cancel()


async def test_only_what_is_new_is_shown_and_a_character_cut_in_two_is_whole(tmp_path: Path, printed: Path) -> None:
    def check(outputs: LiveOutput, told: list[ToolProgress]) -> None:
        for piece in (b"one\n", b"", "가".encode()[:1], "가".encode()[1:]):
            with printed.open("ab") as file:
                file.write(piece)
            outputs.poll()
        assert [one.text for one in told] == ["one\n", "가"]

    await following(tmp_path, check)


async def test_of_a_flood_the_end_is_shown_and_the_rest_counted(tmp_path: Path, printed: Path) -> None:
    def check(outputs: LiveOutput, told: list[ToolProgress]) -> None:
        printed.write_bytes(b"x" * 10_000_000 + b"end")
        outputs.finish("t1")
        (one,) = told
        assert one.text.endswith("end") and len(one.text) == live_output.CHUNK_BYTES
        assert one.skipped + len(one.text) == 10_000_003

    await following(tmp_path, check)


@pytest.mark.parametrize("trap", ["link", "pipe", "gone"])
async def test_what_is_no_regular_file_is_not_read(tmp_path: Path, printed: Path, trap: str) -> None:
    printed.unlink()
    if trap == "link":
        (tmp_path / "secret").write_text("secret")
        printed.symlink_to(tmp_path / "secret")
    elif trap == "pipe":
        os.mkfifo(printed)

    def check(outputs: LiveOutput, told: list[ToolProgress]) -> None:
        outputs.poll()
        assert told == []

    await following(tmp_path, check)


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x" * 100])
def test_a_name_that_is_none_of_the_clis_leads_nowhere(tmp_path: Path, name: str) -> None:
    assert output_path(tmp_path, CommandStarted(tool_id="t", task_id=name, cli_session="s")) is None
    assert output_path(tmp_path, CommandStarted(tool_id="t", task_id="b", cli_session=name)) is None
