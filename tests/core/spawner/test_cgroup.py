"""Control groups: found where we may write, bounded before anything runs in them, gone when it has ended."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.spawner import cgroup
from core.spawner.cgroup import Bounds, CgroupTree, Groups, bounds, find
from core.spawner.local import LocalSpawner
from tests.core.spawner.boxes import attempt, box, local, look, started

BOUNDS = Bounds(memory_bytes=64 * 1024**2, pids=50, cpus=1.5)
V1 = """
30 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
31 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 24 0:29 /docker/1 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids
"""


@pytest.fixture
def groups() -> Iterator[Groups]:
    made = Groups(f"oma-test-{os.getpid()}", BOUNDS, find())
    if set(made.live) != {"memory", "pids", "cpu"}:
        pytest.skip("no control groups to be written here")
    yield made
    made.tidy()


def test_a_group_bounds_what_enters_it_and_goes_with_it(groups: Groups) -> None:
    made = groups.make("b1")
    with subprocess.Popen(["sleep", "60"]) as child:
        cgroup.enter(made, child.pid)
        told = Path(f"/proc/{child.pid}/cgroup").read_text()
        assert told.count("/b1\n") == len(made)
        assert cgroup.remove(made, within_s=0) == made  # not while something is in it
        cgroup.kill(made)
        child.wait(5)
    assert cgroup.remove(made) == []
    assert not any(Path(group).parent.exists() for group in made)


def test_groups_that_nobody_ended_are_tidied_up_and_living_ones_stay(groups: Groups) -> None:
    left, living = groups.make("left"), groups.make("living")
    with subprocess.Popen(["sleep", "60"]) as child:
        cgroup.enter(living, child.pid)
        groups.tidy()
        assert not any(map(os.path.exists, left)) and all(map(os.path.exists, living))
        child.kill()
        child.wait(5)
    assert cgroup.remove(living) == []


async def test_a_box_lives_in_its_groups_and_leaves_none(tmp_path: Path, groups: Groups) -> None:
    spawner = local(tmp_path, box_memory_mb=300, box_pids=60, box_cpus=1.0)
    if spawner.isolation().missing:
        pytest.skip("no bubblewrap here")
    async with started(spawner) as running:
        found = running.spawner_state["groups"]
        read = {name: Path(group, name).read_text().strip() for group in found for name in os.listdir(group)
                if name in ("memory.limit_in_bytes", "pids.max", "memory.max")}  # fmt: skip
        assert set(read.values()) == {str(300 * 1024**2), "60"}
        bomb = """
import subprocess, time
children, answer = [], 0
try:
    for _ in range(100):
        children.append(subprocess.Popen(['sleep', '60']))
except OSError as error:
    answer = [len(children), error.errno]
"""
        reached, error = await attempt(spawner, running, bomb)
        assert reached < 60 and error == errno.EAGAIN
    assert not any(map(os.path.exists, found))


async def test_groups_of_a_box_that_died_go_when_that_is_noticed(spawner: LocalSpawner, groups: Groups) -> None:
    async with started(spawner) as running:
        assert await look(spawner, running, "1") == 1
        os.kill(running.spawner_state["pid"], 9)
        later = box(**running.spawner_state)
        while (await spawner.poll(later)) != "gone" or any(map(os.path.exists, running.spawner_state["groups"])):
            os.sched_yield()


def test_version_1_and_2_are_told_the_same_in_their_own_words() -> None:
    one = CgroupTree(version=1, home=Path("/x"), controllers=("memory", "pids", "cpu"))
    two = CgroupTree(version=2, home=Path("/x"), controllers=("memory", "pids", "cpu"))
    assert dict(bounds(one, BOUNDS)) == {
        "memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864", "pids.max": "50",
        "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000",
    }  # fmt: skip
    assert dict(bounds(two, BOUNDS)) == {
        "memory.max": "67108864", "memory.swap.max": "0", "pids.max": "50", "cpu.max": "150000 100000",
    }  # fmt: skip
    assert bounds(two, Bounds()) == []


@pytest.mark.parametrize(
    ("mounts", "mine", "homes"),
    [
        (V1, "4:memory:/a\n3:cpu,cpuacct:/\n2:pids:/docker/1/b\n",
         ["/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/cpu,cpuacct/", "/sys/fs/cgroup/pids/b"]),
        ("30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/user.slice\n", []),
        ("", "", []),
    ],
    ids=["v1", "v2 without controllers", "none"],
)  # fmt: skip
def test_our_own_group_is_found_in_every_tree(tmp_path: Path, mounts: str, mine: str, homes: list[str]) -> None:
    (tmp_path / "mountinfo").write_text(mounts.lstrip())
    (tmp_path / "cgroup").write_text(mine)
    assert [tree.home for tree in find(tmp_path)] == [Path(home) for home in homes]


def test_version_2_offers_what_its_group_has_and_our_own_leaf_is_not_the_place(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "unit" / cgroup.LEAF).mkdir(parents=True)
    (tree / "unit" / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "mountinfo").write_text(f"30 24 0:27 / {tree} rw - cgroup2 cgroup2 rw\n")
    for mine in ("/unit", f"/unit/{cgroup.LEAF}"):
        (tmp_path / "cgroup").write_text(f"0::{mine}\n")
        assert find(tmp_path) == [CgroupTree(version=2, home=tree / "unit", controllers=("memory", "pids", "cpu"))]


def test_where_nothing_can_be_written_nothing_is_promised_and_nothing_fails(tmp_path: Path) -> None:
    none = Groups("oma-x", BOUNDS, [CgroupTree(version=1, home=tmp_path / "missing", controllers=("memory",))])
    assert none.live == () and none.make("b1") == []
    none.tidy()
