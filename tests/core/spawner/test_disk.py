"""A home that grows beyond its bound is noticed; one that is tidied up is left in peace; looking costs little."""

import os
from pathlib import Path

import pytest

from core.spawner import disk
from core.spawner.disk import SLACK, Quota, Used, counted

MB = 1024**2


def fill(home: Path, megabytes: int, name: str = "file") -> None:
    (home / name).write_bytes(b"x" * megabytes * MB)


async def test_who_grows_beyond_the_bound_is_over_it_until_they_stop_growing(tmp_path: Path) -> None:
    quota = Quota(Used(bytes=8 * MB))
    assert not await quota.exceeded(tmp_path)
    fill(tmp_path, 9)
    assert await quota.exceeded(tmp_path)
    assert not await quota.exceeded(tmp_path)  # it has stopped
    fill(tmp_path, 5, "more")
    assert await quota.exceeded(tmp_path)


async def test_growth_in_small_steps_is_growth(tmp_path: Path) -> None:
    quota = Quota(Used(bytes=8 * MB))
    fill(tmp_path, 9)
    told = []
    for step in range(4):
        told.append(await quota.exceeded(tmp_path))
        fill(tmp_path, 1 + SLACK.bytes // MB // 2, f"step{step}")
    assert not told[0] and any(told[1:])


async def test_who_is_over_and_deletes_may_go_on(tmp_path: Path) -> None:
    quota = Quota(Used(bytes=8 * MB))
    for number in range(6):
        fill(tmp_path, 2, str(number))
    told = [await quota.exceeded(tmp_path)]
    for number in range(6):
        (tmp_path / str(number)).unlink()
        told.append(await quota.exceeded(tmp_path))
    assert not any(told)


async def test_who_is_over_twice_the_bound_is_stopped_in_any_case(tmp_path: Path) -> None:
    quota = Quota(Used(bytes=4 * MB))
    fill(tmp_path, 9)
    assert [await quota.exceeded(tmp_path) for _ in range(3)] == [False, True, True]


async def test_many_small_files_are_too_many(tmp_path: Path) -> None:
    quota = Quota(Used(files=200))
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


async def test_nobody_counts_while_the_file_system_has_not_grown_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota = Quota(Used(bytes=1 << 50))
    assert not await quota.exceeded(tmp_path)
    monkeypatch.setattr(disk.sys, "executable", "/nowhere")  # whoever starts a process now fails
    assert not await quota.exceeded(tmp_path)


async def test_a_home_that_vanishes_is_not_over(tmp_path: Path) -> None:
    assert not await Quota(Used(bytes=1)).exceeded(tmp_path / "gone")


async def test_without_bounds_nothing_is_over(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    assert not await Quota(Used()).exceeded(tmp_path)
