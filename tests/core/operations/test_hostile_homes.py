"""Homes that were made to be in the way: nobody else's backup, restore, export or deletion suffers from them."""

import argparse
import errno
import os
import shutil
import socket
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config.settings import Settings
from core.domain.errors import StoreUnavailable
from core.operations.archive import DEEPEST
from core.operations.backup import backup
from core.operations.commands import INCOMPLETE, SHOWN_CHARS, run, shown
from core.operations.restore import restore
from core.runner.export import archive
from core.spawner.rmtree_safe import remove
from core.store.sqlite import SqliteStore
from tests.core.operations.test_backup import tree

MANY = 20_000
LIMIT_S = 30.0  # for one home of these; the product's own limit is none, the work is
NAMES = st.one_of(
    st.binary(min_size=1, max_size=255).filter(lambda name: not set(name) & {0, 47} and name not in (b".", b"..")),
    st.sampled_from([b"a" * 255, b"\x1b[2J", b"\xff", "\u202egpj".encode(), b" ", b"-rf", b"~", b"con", b"a\nb"]),
)
KINDS = st.sampled_from(
    ["file", "folder", "locked folder", "deep", "link", "pipe", "socket", "sparse", "hollow", "many"]
)


def make(folder: int, name: bytes, kind: str) -> None:
    """Create one hostile entry; a name that cannot be used for it is skipped."""
    text = os.fsdecode(name)
    match kind:
        case "folder" | "locked folder":
            os.mkdir(text, 0o700, dir_fd=folder)
            inner = os.open(text, os.O_RDONLY, dir_fd=folder)
            os.close(os.open("inside", os.O_CREAT | os.O_WRONLY, 0o400, dir_fd=inner))
            os.fchmod(inner, 0o000 if kind == "locked folder" else 0o500)
            os.close(inner)
        case "deep":
            here = os.dup(folder)
            for _ in range(DEEPEST + 60):
                with suppress(FileExistsError):
                    os.mkdir(text[:100], dir_fd=here)
                below = os.open(text[:100], os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
                os.close(here)
                here = below
            os.close(here)
        case "link":
            os.symlink("../" * 40 + "etc/passwd", text, dir_fd=folder)
        case "pipe":
            os.mkfifo(text, dir_fd=folder)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(f"/proc/self/fd/{folder}/{text[:40]}")
        case "many":
            for number in range(300):
                os.close(os.open(f"{text[:40]}{number}", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        case _:
            file = os.open(text, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600, dir_fd=folder)
            os.write(file, b"words")
            if kind != "file":
                os.truncate(file, 2**21 if kind == "sparse" else 3 * 2**30)
            os.close(file)


async def platform(data: Path) -> Path:
    """A platform with Alice, whose things are all in order, and Mallory, whose home is returned."""
    async with await SqliteStore.open(data / "oma.db"):
        pass
    alice, mallory = data / "homes" / "alice" / "agents" / "a1", data / "homes" / "mallory" / "agents" / "m1"
    alice.mkdir(parents=True)
    (alice / "words").write_bytes(bytes(range(256)) * 400)
    (alice / "link").symlink_to("words")
    (alice / "run").touch(0o755)
    (data / "homes" / "zoe").mkdir()
    (data / "homes" / "zoe" / "after").write_text("comes after Mallory")
    mallory.mkdir(parents=True)
    return mallory


def check(data: Path, root: Path) -> None:
    """All four end in time, and what is not Mallory's is the same as it was."""
    started = time.monotonic()
    new = Settings(data_dir=root / "new")
    _, taken = backup(Settings(data_dir=data), root / "b.tar.gz")
    restored = restore(new, root / "b.tar.gz")
    for name in ("alice", "zoe"):
        assert tree(new.data_dir / "homes" / name) == tree(data / "homes" / name)
    assert (new.data_dir / "oma.db").is_file()
    assert restored.left_out.count == 0, restored.left_out
    for path in taken.left_out.paths:
        assert path.startswith("homes/mallory/")
        assert shown(path).isprintable() and len(shown(path)) <= 5 * SHOWN_CHARS
    stream = b"".join(archive(data / "homes" / "mallory" / "agents"))
    assert stream.endswith(b"{}\n")
    for home in (data / "homes" / "mallory", new.data_dir / "homes" / "mallory"):
        remove(home)
        assert not home.exists()
    assert time.monotonic() - started < LIMIT_S


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=st.lists(st.tuples(NAMES, KINDS), max_size=8))
async def test_whatever_a_home_holds_everybody_else_comes_back_whole(entries: list[tuple[bytes, str]]) -> None:
    root = Path(tempfile.mkdtemp(prefix="oma-hostile-"))
    try:
        mallory = await platform(root / "data")
        folder = os.open(mallory, os.O_RDONLY)
        for name, kind in entries:
            with suppress(OSError):  # the same name twice, or one that this kind cannot have
                make(folder, name, kind)
        os.close(folder)
        check(root / "data", root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def test_folders_of_long_names_forty_deep_keep_nobody_s_backup_from_coming_back(tmp_path: Path) -> None:
    """4,000 bytes of path: more than the kernel takes at once."""
    mallory = await platform(tmp_path / "data")
    here = os.open(mallory, os.O_RDONLY)
    for _ in range(40):
        os.mkdir("n" * 100, dir_fd=here)
        below = os.open("n" * 100, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("treasure", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, b"deep")
    os.close(file)
    os.close(here)
    check(tmp_path / "data", tmp_path)


def picky(real: Callable[..., int], path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """`os.open` on a file system that does not take every name."""
    if str(path).startswith("refused") and flags & os.O_CREAT:
        raise OSError(errno.ENAMETOOLONG, "File name too long")
    return real(path, flags, mode, dir_fd=dir_fd)


async def test_an_entry_that_cannot_be_made_is_named_and_the_rest_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system with other rules than the one of the backup."""
    mallory = await platform(tmp_path / "data")
    (mallory / "refused\x1b[2J").write_text("x")
    (mallory / "then").write_text("y")
    backup(Settings(data_dir=tmp_path / "data"), tmp_path / "b.tar.gz")
    monkeypatch.setattr(os, "open", partial(picky, os.open))
    restored = restore(Settings(data_dir=tmp_path / "new"), tmp_path / "b.tar.gz")
    assert restored.left_out.paths == ["homes/mallory/agents/m1/refused\x1b[2J"]
    new = tmp_path / "new" / "homes"
    assert (new / "mallory" / "agents" / "m1" / "then").read_text() == "y"
    assert tree(new / "alice") == tree(tmp_path / "data" / "homes" / "alice")


async def test_a_restore_that_left_something_out_says_so_in_plain_letters_and_by_its_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mallory = await platform(tmp_path / "data")
    (mallory / "refused\x1b[2J").write_text("x")
    backup(Settings(data_dir=tmp_path / "data"), tmp_path / "b.tar.gz")
    monkeypatch.setattr(os, "open", partial(picky, os.open))
    given = argparse.Namespace(file=tmp_path / "b.tar.gz", force=False)
    assert await run("restore", Settings(data_dir=tmp_path / "new"), given) == INCOMPLETE
    assert r"1 entries could not be put back; everything else is there: homes/mallory/agents/m1/refused\x1b[2J" in (
        capsys.readouterr().out
    )


async def test_a_backup_that_cannot_be_read_again_is_not_called_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await platform(tmp_path / "data")
    real = tarfile.TarFile.addfile

    def forgetful(archive: tarfile.TarFile, info: tarfile.TarInfo, content: IO[bytes] | None = None) -> None:
        if not info.issym():
            real(archive, info, content)

    monkeypatch.setattr(tarfile.TarFile, "addfile", forgetful)
    with pytest.raises(StoreUnavailable, match="can be read again"):
        backup(Settings(data_dir=tmp_path / "data"), tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


async def test_very_many_empty_files_are_backed_up_and_restored_in_bounded_time(tmp_path: Path) -> None:
    mallory = await platform(tmp_path / "data")
    for number in range(MANY):
        os.close(os.open(mallory / f"{number}", os.O_CREAT | os.O_WRONLY))
    started = time.monotonic()
    backup(Settings(data_dir=tmp_path / "data"), tmp_path / "b.tar.gz")
    assert restore(Settings(data_dir=tmp_path / "new"), tmp_path / "b.tar.gz").left_out.count == 0
    assert time.monotonic() - started < 4 * LIMIT_S
    assert len(os.listdir(tmp_path / "new" / "homes" / "mallory" / "agents" / "m1")) == MANY
