"""No path, link or race leads out of an agent's folder (F1, F2), and no save overwrites what was not seen (F6).

The long forms, 10⁵ paths and a minute of races, are proofs.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from core.domain.errors import Conflict, PlatformError
from core.runner.changes.history import History
from core.runner.files import beneath, listing, moving, reading, revision, trash, writing, zipping
from core.runner.files.beneath import RENAME_EXCHANGE, rename
from core.runner.files.folder import AgentFolder
from core.runner.files.paths import new_parts_of, parts_of
from tests.timeouts import PATIENCE_S

SECRET = b"the canary of somebody else"
TABLE = (
    "..",
    "../a12/secret",
    "a/../../a12/secret",
    "/etc/passwd",
    "//etc/passwd",
    "./../a12/secret",
    "%2e%2e/a12/secret",
    "%252e%252e%252fa12",
    "..\\a12\\secret",
    "a\0/../../a12/secret",
    "~/secret",
    "up/a12/secret",
    "abs/passwd",
    "sideways/secret",
    "loop/loop/loop",
    "proc/self/environ",
    "/".join(("magic", "root", "etc", "passwd")),
    "magic/cwd",
    "pipe",
    "zero",
    "file/below",
    "x" * 256,
    "/".join("d" * 101),
    "y" * 5000,
    "\ud800",
    "a//b",
    "a/",
    "",
)
ROUNDS = 50
PIECES = (
    *("..", ".", "", "a", "up", "abs", "sideways", "loop", "magic", "root", "cwd", "fd", "3", "self", "pipe", "zero"),
    *("file", "a12", "secret", "etc", "passwd", "%2e%2e", "..\\", "~", "\0", "\n", "가", "x" * 255, "‮gnp", "..."),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an agent's folder full of ways out, beside which somebody else's lies."""
    folder, other = tmp_path / "agents/a1", tmp_path / "agents/a12"
    folder.mkdir(parents=True)
    other.mkdir()
    (other / "secret").write_bytes(SECRET)
    (folder / "a").mkdir()
    (folder / "file").write_text("plain")
    for name, target in (
        ("up", ".."),
        ("abs", "/etc"),
        ("sideways", "../a12"),
        ("loop", "loop"),
        ("magic", "/proc/self"),
    ):
        (folder / name).symlink_to(target)
    (folder / "zero").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe")
    return tmp_path


@contextmanager
def refused() -> Iterator[None]:
    with suppress(PlatformError, OSError):
        yield


def every_way(home: Path, path: str, found: list[bytes]) -> None:
    """Try everything that the API can do with a path; what can be read is put into `found`."""
    folder = AgentFolder(home, "a1")
    with refused(), folder.root() as root:
        handle = reading.open_to_read(root, parts_of(path))
        try:
            if reading.is_folder(handle):
                found.append(repr(listing.folder_page(handle, path, after="", limit=100)).encode())
            else:
                found.append(os.pread(handle, 1000, 0))
        finally:
            os.close(handle)
    with refused(), folder.root() as root:
        found += zipping.archive(reading.open_to_read(root, (*parts_of(path), "a")))
    with refused(), writing.staging(folder, limit_bytes=100) as staged, folder.root() as root:
        staged.write(b"written")
        writing.commit(root, new_parts_of(path), staged)
    with refused():
        moving.make(folder, new_parts_of(f"{path}/made"))
    with refused():
        moving.move(folder, ("file",), new_parts_of(path))
    with refused():
        moving.move(folder, parts_of(path), ("file",))
    with refused():
        trash.throw_away(folder, (*parts_of(path), "secret"))


def outside(home: Path) -> list[tuple[str, bytes]]:
    """All that is in the home but the agent's folder and what we keep ourselves."""
    paths = (home / "agents/a12").rglob("*")
    return [(str(path), path.read_bytes()) for path in paths] + [(str(path), b"") for path in home.iterdir()]


def try_all(home: Path, paths: Iterator[str]) -> None:
    """None of them leads out, whether the kernel has openat2 or not."""
    found: list[bytes] = []
    (home / ".oma").mkdir(exist_ok=True)
    before = outside(home)
    for path in paths:
        every_way(home, path, found)
        del found[:-20]
        assert not any(SECRET in one or b"root:x:" in one or b"PATH=" in one for one in found), path
    assert outside(home) == before


def made_up(count: int) -> Iterator[str]:
    chance = random.Random(15)
    for _ in range(count):
        yield "/".join(chance.choice(PIECES) for _ in range(chance.randint(1, 6)))


@pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "without"])
def test_no_path_leads_out_of_the_folder(home: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath, "has_openat2", lambda: kernel)
    try_all(home, iter(TABLE))
    try_all(home, made_up(1500))


@pytest.mark.proof
@pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "without"])
def test_none_of_a_hundred_thousand_paths_leads_out(home: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath, "has_openat2", lambda: kernel)
    try_all(home, made_up(50_000))


@contextmanager
def swapping(folder: Path) -> Iterator[None]:
    """While the context is open, `x` is by turns a folder and a link to somebody else's, as fast as possible."""
    (folder / "x").mkdir()
    (folder / "x/secret").write_text("ours")
    (folder / "y").symlink_to("../a12")
    stop, place = threading.Event(), os.open(folder, beneath.FOLDER)

    def swap() -> None:
        while not stop.is_set():
            with suppress(OSError):
                rename(place, "x", place, "y", RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        os.close(place)


def race(home: Path, seconds: float) -> None:
    folder, found = AgentFolder(home, "a1"), list[bytes]()
    before, reads = outside(home), 0
    with swapping(home / "agents/a1"):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with refused(), folder.root() as root:
                handle = reading.open_to_read(root, ("x", "secret"))
                data = os.pread(handle, 100, 0)
                os.close(handle)
                assert data in (b"ours", b"written"), data
                reads += 1
            with refused(), writing.staging(folder, limit_bytes=100) as staged, folder.root() as root:
                staged.write(b"written")
                writing.commit(root, ("x", "secret"), staged)
            with refused():
                trash.throw_away(folder, ("x", "other"))
            with refused():
                moving.make(folder, ("x", "made"))
            with refused(), folder.root() as root:
                found = list(zipping.archive(reading.open_to_read(root, ())))
            with refused():
                History(home, "a1").begin_turn("s1")
            assert not any(SECRET in one for one in found)
    assert reads
    assert [one for one in outside(home) if ".oma" not in one[0]] == before
    kept = [path.read_bytes() for path in (home / ".oma").rglob("*") if path.is_file()]
    assert not any(SECRET in one for one in kept)


@pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "without"])
def test_a_link_that_is_swapped_in_leads_nowhere(home: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath, "has_openat2", lambda: kernel)
    race(home, 1.5)


@pytest.mark.proof
@pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "without"])
def test_a_minute_of_swapped_links_leads_nowhere(home: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath, "has_openat2", lambda: kernel)
    race(home, 60)


def truncating(path: Path, text: bytes, pause_s: float) -> None:
    time.sleep(pause_s)
    handle = os.open(path, os.O_WRONLY | os.O_TRUNC)
    time.sleep(pause_s / 4)
    os.write(handle, text)
    os.close(handle)


def replacing(path: Path, text: bytes, pause_s: float) -> None:
    path.with_suffix(".tmp").write_bytes(text)
    time.sleep(pause_s)
    path.with_suffix(".tmp").rename(path)


@pytest.mark.parametrize("agent", [truncating, replacing])
def test_of_editor_and_agent_neither_overwrites_the_other_unseen(
    home: Path, agent: Callable[[Path, bytes, float], None]
) -> None:
    """Both write the same file many times: every save lands whole, over what it was read from, or is told.

    An agent whose open() a loaded machine holds up for longer than the save looks would be missed (see writing.py), so
    there are not more rounds than both outcomes need; the moments themselves are met one by one in the tests below.
    """
    folder, path, chance = AgentFolder(home, "a1"), home / "agents/a1/both.txt", random.Random(6)
    path.write_bytes(b"begin")
    landed = 0
    for turn in range(ROUNDS):
        with folder.root() as root:
            handle = reading.open_to_read(root, ("both.txt",))
            seen = revision.of(handle)
            os.close(handle)
        theirs, ours = b"agent %d" % turn, b"editor %d" % turn
        pause_s, lead_s = chance.random() * 0.003, chance.random() * 0.003
        writer = threading.Thread(target=agent, args=(path, theirs, pause_s))
        writer.start()
        time.sleep(lead_s)
        told = False
        try:
            with writing.staging(folder, limit_bytes=100) as staged, folder.root() as root:
                staged.write(ours)
                writing.commit(root, ("both.txt",), staged, if_match=seen)
        except Conflict:
            told = True
        writer.join()
        landed += not told
        assert path.read_bytes() == theirs, f"turn {turn}: the agent's words are lost, told: {told}"
    assert 0 < landed < ROUNDS
    assert not list((home / ".oma/staging/a1").iterdir())


def test_a_save_waits_for_a_program_that_has_the_file_open_to_write(home: Path) -> None:
    """The words that the program writes after the swap go into the replaced file: they are noticed, and it is back."""
    path, told = home / "agents/a1/both.txt", list[str]()
    path.write_bytes(b"begin")
    before, theirs = path.stat().st_ino, os.open(path, os.O_WRONLY)

    def save() -> None:
        try:
            save_over(home, path)
        except Conflict as error:
            told.append(error.code)

    saving = threading.Thread(target=save)
    saving.start()
    until = time.monotonic() + PATIENCE_S
    while path.stat().st_ino == before and time.monotonic() < until:
        time.sleep(0)
    os.write(theirs, b"their words")
    os.close(theirs)
    saving.join()
    assert (told, path.read_bytes()) == (["file_changed"], b"their words")


def save_over(home: Path, path: Path) -> None:
    """Read the file and save it. Raises: Conflict."""
    folder = AgentFolder(home, "a1")
    with folder.root() as root, writing.staging(folder, limit_bytes=100) as staged:
        handle = reading.open_to_read(root, (path.name,))
        seen = revision.of(handle)
        os.close(handle)
        staged.write(b"ours")
        writing.commit(root, (path.name,), staged, if_match=seen)


def overwrite(descriptor: int, text: bytes) -> None:
    """Truncate and write the file behind a descriptor, as a program does that found it before it was replaced."""
    handle = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_TRUNC)
    os.write(handle, text)
    os.close(handle)


def test_a_program_that_opens_the_old_file_just_after_the_swap_is_noticed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pause = home / "agents/a1/both.txt", time.sleep
    path.write_bytes(b"begin")
    old, breaking = os.open(path, os.O_PATH), f":{path.stat().st_ino} "
    late = threading.Thread(target=overwrite, args=(old, b"late words"))

    def sleep(seconds: float) -> None:
        if late.ident is not None:
            return pause(seconds)
        late.start()  # and wait until it stands before the lease
        until = time.monotonic() + PATIENCE_S
        while late.is_alive() and time.monotonic() < until:
            if any("BREAKING" in line and breaking in line for line in Path("/proc/locks").read_text().splitlines()):
                break
        return None

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(Conflict):
        save_over(home, path)
    late.join()
    os.close(old)
    assert path.read_bytes() == b"late words"


def test_of_two_changes_around_a_swap_the_newest_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "agents/a1/both.txt"
    path.write_bytes(b"begin")

    def write_twice(out: int) -> None:
        overwrite(out, b"first words")
        replacing(path, b"newest words", 0)

    monkeypatch.setattr(writing, "_settle", write_twice)
    with pytest.raises(Conflict):
        save_over(home, path)
    assert path.read_bytes() == b"newest words"
