"""A home that grows beyond its bound is noticed; one that is tidied up is left in peace; looking costs little."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.spawner import disk, user_ids
from core.spawner.box import HOME
from core.spawner.disk import SLACK, DiskQuota, Used, counted
from core.spawner.mount_namespace import staged
from core.spawner.rmtree_safe import remove
from tests.core.spawner.boxes import attempt, local, started

MB = 1024**2


def fill(home: Path, megabytes: int, name: str = "file") -> None:
    (home / name).write_bytes(b"x" * megabytes * MB)


async def test_who_grows_beyond_the_bound_is_over_it_until_they_stop_growing(tmp_path: Path) -> None:
    quota = DiskQuota(Used(bytes=8 * MB))
    assert not await quota.exceeded(tmp_path)
    fill(tmp_path, 9)
    assert await quota.exceeded(tmp_path)
    assert not await quota.exceeded(tmp_path)  # it has stopped
    fill(tmp_path, 5, "more")
    assert await quota.exceeded(tmp_path)


async def test_growth_in_small_steps_is_growth(tmp_path: Path) -> None:
    quota = DiskQuota(Used(bytes=8 * MB))
    fill(tmp_path, 9)
    told = []
    for step in range(4):
        told.append(await quota.exceeded(tmp_path))
        fill(tmp_path, 1 + SLACK.bytes // MB // 2, f"step{step}")
    assert not told[0] and any(told[1:])


async def test_who_is_over_and_deletes_may_go_on(tmp_path: Path) -> None:
    quota = DiskQuota(Used(bytes=8 * MB))
    for number in range(6):
        fill(tmp_path, 2, str(number))
    told = [await quota.exceeded(tmp_path)]
    for number in range(6):
        (tmp_path / str(number)).unlink()
        told.append(await quota.exceeded(tmp_path))
    assert not any(told)


async def test_who_is_over_twice_the_bound_is_stopped_in_any_case(tmp_path: Path) -> None:
    quota = DiskQuota(Used(bytes=4 * MB))
    fill(tmp_path, 9)
    assert [await quota.exceeded(tmp_path) for _ in range(3)] == [False, True, True]


async def test_many_small_files_are_too_many(tmp_path: Path) -> None:
    quota = DiskQuota(Used(files=200))
    assert not await quota.exceeded(tmp_path)
    for number in range(320):
        (tmp_path / str(number)).touch()
    assert await quota.exceeded(tmp_path)


async def test_a_sparse_terabyte_is_nothing_and_a_link_leads_nowhere(tmp_path: Path) -> None:
    home, outside = tmp_path / "home", tmp_path / "outside"
    home.mkdir()
    outside.mkdir()
    fill(outside, 5)
    fill(home, 1)
    os.truncate(os.open(home / "sparse", os.O_CREAT | os.O_WRONLY), 1 << 40)
    (home / "link").symlink_to(outside)
    (home / "loop").symlink_to(home)
    os.link(home / "file", home / "same file")
    found = (await counted(home, Used(100 * MB, 100))).home
    assert MB <= found.bytes < 2 * MB
    assert found.files == 5  # the home, file, sparse, two links


def deep(home: Path, folders: int) -> Path:
    """A folder that no path leads to: paths end at 4096 bytes. What is written into it is there."""
    name = f"d{folders}"
    script = (
        f"import os; os.chdir({str(home)!r}); [(os.mkdir({name!r}), os.chdir({name!r})) for _ in range({folders})]; "
    )
    subprocess.run([sys.executable, "-c", f"{script}open('f', 'wb').write(b'x' * {9 * MB})"], check=True)
    return home


async def test_nothing_is_hidden_in_folders_that_are_too_deep_to_be_counted(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    try:
        assert (await counted(deep(home, 400), Used(100 * MB))).home.bytes >= 9 * MB
        assert (await counted(deep(home, 1500), Used(100 * MB))).home == Used(sys.maxsize, sys.maxsize)
        remove(home)
        assert not home.exists()
    finally:
        subprocess.run(["/bin/rm", "-rf", home], check=True)  # pytest's own clearing up does not go that deep


async def test_who_makes_counting_impossible_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quota = DiskQuota(Used(bytes=100 * MB))
    assert not await quota.exceeded(tmp_path)
    fill(tmp_path, 1)
    monkeypatch.setattr(disk, "RECOUNT_S", 0)
    monkeypatch.setattr(disk.sys, "executable", "/bin/false")
    assert await quota.exceeded(tmp_path)


async def test_a_locked_folder_is_counted_and_stays_locked(tmp_path: Path) -> None:
    """Counted by a process that is not root, does not own the home and may not read it."""
    home = tmp_path / "home"
    for mode in (0, 0o300, 0o400):
        (home / str(mode)).mkdir(parents=True)
        fill(home / str(mode), 2)
        (home / str(mode)).chmod(mode)
    python, program = Path(sys.executable), Path(disk.__file__)
    words = [sys.executable, "-I", "-S", str(program), str(home), "0", "0"]
    if os.geteuid():
        said = subprocess.check_output(words)
    else:
        user_ids.give(home, user_ids.FIRST)
        places = [Path(sys.base_prefix), Path(sys.prefix), python, program, home]
        another: dict[str, Any] = {"user": user_ids.FIRST, "group": user_ids.FIRST, "extra_groups": []}
        said = staged(places, lambda: subprocess.check_output(words, **another))
    assert int(said.split()[0]) >= 6 * MB
    assert [(home / str(mode)).stat().st_mode & 0o777 for mode in (0, 0o300, 0o400)] == [0, 0o300, 0o400]


@pytest.mark.parametrize("ids", [pytest.param(True, id="own id"), pytest.param(False, id="shared id")])
async def test_a_deleted_file_that_is_held_open_counts_for_its_user_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: bool
) -> None:
    if not ids:
        monkeypatch.setattr(user_ids, "trouble", lambda _: "shared")
    spawner = local(tmp_path)
    async with started(spawner, user="u1", id="b1") as one, started(spawner, user="u2", id="b2"):
        hold = "import os, sys; f = sys.held = open(given['home'] + '/f', 'wb', 0); os.unlink(f.name)"
        assert await attempt(spawner, one, f"{hold}; answer = f.write(b'x' * {9 * MB})") == 9 * MB
        homes = tmp_path / "data" / "homes"
        assert (await counted(homes / "u1", Used(100 * MB))).home.bytes >= 9 * MB
        assert (await counted(homes / "u2", Used(100 * MB))).home.bytes < MB


@pytest.mark.skipif(os.geteuid() != 0, reason="the kernel shows to root alone which files are in somebody's memory")
async def test_a_deleted_file_that_is_only_in_somebodys_memory_counts(tmp_path: Path) -> None:
    spawner = local(tmp_path)
    if spawner.isolation().missing:
        pytest.skip("no box here")
    hold = f"""
import ctypes
mmap = ctypes.CDLL(None, use_errno=True).mmap
mmap.restype, mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
with open(given['home'] + '/f', 'w+b', 0) as f:  # not Python's mmap, which keeps it open
    os.unlink(f.name)
    f.write(b'x' * {9 * MB})
    answer = mmap(None, 4096, 1, 1, f.fileno(), 0) > 0
"""
    async with started(spawner) as running:
        assert await attempt(spawner, running, hold) is True
        home = tmp_path / "data" / "homes" / "local-owner"
        assert (await counted(home, Used(100 * MB))).home.bytes >= 9 * MB


async def test_room_is_taken_by_writing_and_not_all_at_once(tmp_path: Path) -> None:
    spawner = local(tmp_path)
    if spawner.isolation().missing:
        pytest.skip("no box here")
    async with started(spawner) as running:
        reserve = f"""
import ctypes, fcntl, struct
f = open(given['home'] + '/f', 'wb', 0)
answer = [ctypes.CDLL(None, use_errno=True).fallocate(f.fileno(), 1, ctypes.c_long(0), ctypes.c_long({64 * MB}))]
try:
    answer.append(fcntl.ioctl(f, 0x4030582A, struct.pack('hhqqiI16x', 0, 0, 0, {64 * MB}, 0, 0)))
except OSError as error:
    answer.append(error.errno)
"""
        assert await attempt(spawner, running, reserve) == [-1, errno.EOPNOTSUPP]
        file = tmp_path / "data" / "homes" / "local-owner" / "f"
        assert file.stat().st_blocks == 0
        usual = f"os.posix_fallocate(f.fileno(), 0, {MB}); answer = os.fstat(f.fileno()).st_size"
        assert await attempt(spawner, running, usual) == MB  # the C library writes it


def test_a_home_is_looked_for_where_boxes_have_it() -> None:
    assert disk.INSIDE == HOME


async def test_nobody_counts_while_the_file_system_has_not_grown_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = DiskQuota(Used(bytes=1 << 50))
    assert not await quota.exceeded(tmp_path)
    monkeypatch.setattr(disk.sys, "executable", "/nowhere")  # whoever starts a process now fails
    assert not await quota.exceeded(tmp_path)


async def test_a_home_that_vanishes_is_not_over(tmp_path: Path) -> None:
    assert not await DiskQuota(Used(bytes=1)).exceeded(tmp_path / "gone")


async def test_without_bounds_nothing_is_over(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    assert not await DiskQuota(Used()).exceeded(tmp_path)
