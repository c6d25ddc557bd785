"""The changes of a turn in the agent's folder: found by content, told by line, taken back without a loss."""

import os
from pathlib import Path

import pytest

from core.domain.errors import Conflict, NotFound
from core.domain.events import TurnFinished
from core.protocol.changes_api import KEPT_FILE_BYTES, Change, Since
from core.runner.changes import snapshot
from core.runner.changes.history import History
from core.runner.changes.line_counts import counts
from tests.core.runner.box import Box

LARGE = KEPT_FILE_BYTES + 1


def folder_of(home: Path) -> Path:
    folder = home / "agents" / "a1"
    folder.mkdir(parents=True)
    return folder


def told(history: History, since: Since = "session", session: str = "s1") -> dict[str, tuple[str, int, int]]:
    return {one.path: (one.kind, one.added, one.removed) for one in history.changes(session, since).changes}


def one(history: History, path: str) -> Change:
    return next(change for change in history.changes("s1", "session").changes if change.path == path)


def test_a_turn_and_its_session_have_changes_of_their_own(tmp_path: Path) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    (folder / "kept.txt").write_text("same\n")
    (folder / "edited.txt").write_text("one\ntwo\nthree\n")
    (folder / "gone.txt").write_text("bye\n")
    history.begin_turn("s1")
    (folder / "edited.txt").write_text("one\n2\nthree\nfour\n")
    (folder / "gone.txt").unlink()
    (folder / "out").mkdir()
    (folder / "out/new.txt").write_text("a\nb\n")
    first = {"edited.txt": ("changed", 2, 1), "gone.txt": ("deleted", 0, 1), "out/new.txt": ("new", 2, 0)}
    assert told(history) == told(history, "turn") == first
    history.begin_turn("s1")
    os.utime(folder / "kept.txt")
    assert (told(history, "turn"), told(history)) == ({}, first)
    assert told(history, session="other") == {}
    assert told(history, session="") == first  # the newest session's


def test_a_forgotten_session_takes_along_what_only_its_snapshots_have(tmp_path: Path) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    (folder / "a.txt").write_text("only s1 has seen this")
    history.begin_turn("s1")
    (folder / "a.txt").write_text("both have seen this")
    history.begin_turn("s1")
    history.begin_turn("s2")
    history.forget("s1")
    history.forget("s1")
    kept = [path for path in (tmp_path / ".oma/changes/a1").rglob("*") if path.is_file()]
    assert not [path for path in kept if path.name.startswith("s1")]
    assert [path.read_text() for path in kept if path.parent.name == "blobs"] == ["both have seen this"]
    assert history.before("s2", "session", "a.txt") == b"both have seen this"


def test_a_change_in_the_same_tick_and_of_the_same_size_is_seen(tmp_path: Path) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    file = folder / "a.txt"
    file.write_text("1")
    history.begin_turn("s1")
    stamp = file.stat()
    for text in "23":
        file.write_text(text)
        os.utime(file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert told(history) == {"a.txt": ("changed", 1, 1)}
        history.begin_turn("s2")
    file.write_text("1")
    assert told(history) == {}, "what is as it was has not changed"


def test_a_revert_puts_back_and_loses_nothing(tmp_path: Path) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    (folder / "a.sh").write_bytes(b"\xff before")
    (folder / "a.sh").chmod(0o755)
    (folder / "gone.txt").write_text("bye")
    history.begin_turn("s1")
    (folder / "a.sh").write_text("after")
    (folder / "gone.txt").unlink()
    (folder / "new.txt").write_text("new")
    assert (one(history, "a.sh").added, one(history, "a.sh").kept) == (-1, True)
    with pytest.raises(Conflict) as refused:
        history.revert("s1", "session", "a.sh", seen="h00")
    assert (refused.value.code, (folder / "a.sh").read_text()) == ("file_changed", "after")
    for path in ("a.sh", "gone.txt", "new.txt"):
        reverted = history.revert("s1", "session", path, seen=one(history, path).revision)
        assert bool(reverted.trash) is (path != "gone.txt")
    assert (folder / "a.sh").read_bytes() == b"\xff before"
    assert (folder / "a.sh").stat().st_mode & 0o777 == 0o755
    assert (folder / "gone.txt").read_text() == "bye"
    assert told(history) == {}
    kept = sorted(path.read_text() for path in (tmp_path / ".oma/trash/a1").glob("*/thing"))
    assert kept == ["after", "new"]


def test_what_tools_fill_links_and_devices_are_left_out_and_large_files_only_told(tmp_path: Path) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    (folder / "big.bin").write_bytes(b"x" * LARGE)
    history.begin_turn("s1")
    for name in ("node_modules", ".git", "src"):
        (folder / name).mkdir()
        (folder / name / "x").write_text("x")
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    (folder / "big.bin").write_bytes(b"y" * LARGE)
    assert told(history) == {"big.bin": ("changed", -1, -1), "src/x": ("new", 1, 0)}
    with pytest.raises(NotFound):
        history.before("s1", "session", "big.bin")
    assert not one(history, "big.bin").kept


def test_contents_are_bounded_and_forgotten_with_their_snapshots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    monkeypatch.setattr(snapshot, "KEPT_BYTES", 10)
    monkeypatch.setattr(snapshot, "MOST_FILES", 3)
    for at in range(5):
        (folder / f"{at}.txt").write_text(f"text {at}")
    history.begin_turn("s1")
    blobs = tmp_path / ".oma/changes/a1/blobs"
    assert len(list(blobs.iterdir())) == 1, "only one of them fits"
    assert history.changes("s1", "session").cut
    (folder / "0.txt").unlink()
    (tmp_path / ".oma/changes/a1/s1.session").unlink()
    history.begin_turn("s1")
    assert [path.read_text() for path in blobs.iterdir()] != ["text 0"]


def test_a_content_that_the_agent_has_tampered_with_is_not_believed(tmp_path: Path) -> None:
    folder, history = folder_of(tmp_path), History(tmp_path, "a1")
    (folder / "a.txt").write_text("before")
    history.begin_turn("s1")
    (folder / "a.txt").write_text("after")
    [blob] = (tmp_path / ".oma/changes/a1/blobs").iterdir()
    blob.write_text("forged")
    with pytest.raises(NotFound):
        history.before("s1", "session", "a.txt")
    with pytest.raises(NotFound):
        history.revert("s1", "session", "a.txt", seen=one(history, "a.txt").revision)
    assert (folder / "a.txt").read_text() == "after"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"", b"", (0, 0)),
        (b"a\nb\nc\n", b"a\nx\nc\n", (1, 1)),
        (b"\xff", b"a", (-1, -1)),
        (b"a\0", b"a", (-1, -1)),
        (b"a\n" * 5000, b"b\n" * 4000, (4000, 5000)),
    ],
)
def test_lines_are_counted_in_bounded_time(before: bytes, after: bytes, expected: tuple[int, int]) -> None:
    assert counts(before, after) == expected


async def test_the_changes_of_a_turn_of_the_real_cli_are_told(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await box.session()
        session.folder.mkdir(parents=True, exist_ok=True)
        (session.folder / "old.txt").write_text("old")
        async with session.watch() as watch:
            await session.say("WRITE(((made.txt)))(((one)))SAY(((ok)))")
            await watch.until(TurnFinished)
            await session.say("WRITE(((second.txt)))(((two)))SAY(((ok)))")
            await watch.until(TurnFinished)
        door = f"/v1/agents/{session.agent}/changes?session={session.id}"
        turn = await box.call("GET", f"{door}&since=turn")
        assert [change["path"] for change in turn["changes"]] == ["second.txt"]
        whole = await box.call("GET", f"{door}&since=session")
        assert [change["path"] for change in whole["changes"]] == ["made.txt", "second.txt"]
        assert (await box.call("GET", f"{door}&since=ever"))["status"] == 400
