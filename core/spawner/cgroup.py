"""The limits of a box for memory, processes and processor time, enforced by the kernel's control groups.

All boxes of a platform are groups inside one group that has the weight of a single process, so that pages keep their
share while agents use every core. Version 1 has a tree for each controller, version 2 one tree for all; a machine may
have both. If no tree can be written, the limits of process.py still hold, and the doctor reports it.
"""

import errno
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.config.settings import Settings

MEMORY, PIDS, CPU = CONTROLLERS = ("memory", "pids", "cpu")
LEAF = "platform"  # version 2 allows no processes beside groups, so our own processes go into this one
PERIOD_US = 100_000
REMOVE_S = 2.0  # the kernel needs a moment after the last process has been reaped
LOOK_S = 0.02
TRIES = 3  # to create a group whose parent another process removes at the same moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of one user's box; 0 means no limit."""

    memory_bytes: int = 0
    pids: int = 0
    cpus: float = 0.0

    @classmethod
    def from_settings(cls, settings: Settings) -> "Bounds":
        return cls(
            memory_bytes=settings.box_memory_mb * 1024**2, pids=settings.box_pids, cpus=max(0.0, settings.box_cpus)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupTree:
    """A hierarchy in which we may create groups. `home` is the group of our own process."""

    version: int
    home: Path
    controllers: tuple[str, ...]


class Groups:
    """The groups of a platform's boxes. `name` distinguishes them from those of other platforms on the machine."""

    def __init__(self, name: str, bounds: Bounds, trees: Sequence[CgroupTree]) -> None:
        self._name, self._bounds = name, bounds
        self._trees = tuple(tree for tree in trees if _usable(tree, f"{name}-trial"))

    @property
    def live(self) -> tuple[str, ...]:
        """The controllers that work here."""
        return tuple(name for tree in self._trees for name in tree.controllers)

    def make(self, box_id: str) -> list[str]:
        """Create a group with its limits in each tree, and return their paths.

        Raises: OSError: a tree that was writable before refuses now.
        """
        made: list[str] = []
        for tree in self._trees:
            group = tree.home / self._name / box_id
            _make(group, tree)
            made.append(str(group))
            for file, value in bounds(tree, self._bounds):
                _write(group / file, value)
        return made

    def tidy(self) -> None:
        """Remove the empty groups of boxes that were never ended properly."""
        for tree in self._trees:
            remove([str(path.parent) for path in (tree.home / self._name).glob("*/cgroup.procs")], within_s=0)


def bounds(tree: CgroupTree, wanted: Bounds) -> list[tuple[str, str]]:
    """Return (file, value) pairs with the limits of a group; none without limits."""
    memory, pids = str(wanted.memory_bytes), str(wanted.pids)
    quota = str(int(wanted.cpus * PERIOD_US))
    found: list[tuple[str, str]] = []
    if MEMORY in tree.controllers and wanted.memory_bytes:
        # Swap counts too: a box that swaps slows the disk for all. Memory first: the sum may not be below it.
        v1 = [("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)]
        found += v1 if tree.version == 1 else [("memory.max", memory), ("memory.swap.max", "0")]
    if PIDS in tree.controllers and wanted.pids:
        found.append(("pids.max", pids))
    if CPU in tree.controllers and wanted.cpus:
        v1 = [("cpu.cfs_period_us", str(PERIOD_US)), ("cpu.cfs_quota_us", quota)]
        found += v1 if tree.version == 1 else [("cpu.max", f"{quota} {PERIOD_US}")]
    return found


def enter(groups: Iterable[str], pid: int) -> None:
    """Put a process and all its future children into these groups. Raises: OSError."""
    for group in groups:
        _write(Path(group, "cgroup.procs"), str(pid))


def kill(groups: Iterable[str]) -> None:
    """Send SIGKILL to all processes in these groups, including those that are being forked meanwhile."""
    for group in groups:
        end = time.monotonic() + REMOVE_S
        while (pids := _members(group)) and time.monotonic() < end:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(LOOK_S)


def remove(groups: Iterable[str], *, within_s: float = REMOVE_S) -> list[str]:
    """Remove groups, and the platform's own group after the last of them. Returns those that are still not empty."""
    end, left = time.monotonic() + within_s, []
    for group in groups:
        while not _removed(group):
            if time.monotonic() >= end:
                left.append(group)
                break
            time.sleep(LOOK_S)
        _removed(os.path.dirname(group))
    return left


def find(proc: Path = Path("/proc/self")) -> list[CgroupTree]:
    """Return the trees of this machine that our process is in."""
    try:
        mounts = (proc / "mountinfo").read_text().splitlines()
        mine = [line.split(":", 2) for line in (proc / "cgroup").read_text().splitlines()]
    except OSError:
        return []
    trees: list[CgroupTree] = []
    for root, point, kind, options in map(_mount, mounts):
        if kind == "cgroup":
            names = tuple(name for name in CONTROLLERS if name in options)
            path = next((path for _, list_, path in mine if names and names[0] in list_.split(",")), "")
        elif kind == "cgroup2":
            path = next((path for number, list_, path in mine if (number, list_) == ("0", "")), "")
            names = _offered(_home(point, root, path))
        else:
            continue
        if names and path:
            trees.append(
                CgroupTree(version=1 if kind == "cgroup" else 2, home=_home(point, root, path), controllers=names)
            )
    return trees


def _mount(line: str) -> tuple[str, str, str, tuple[str, ...]]:
    left, _, right = line.partition(" - ")
    place, what = left.split(" "), right.split(" ")
    return place[3], place[4], what[0], tuple(what[-1].split(","))


def _home(point: str, root: str, path: str) -> Path:
    """Return the folder of our own group. In a container only a part of the tree may be mounted."""
    inside = path.removeprefix(root.rstrip("/")) if path.startswith(root) else "/"
    home = Path(point + inside)
    return home.parent if home.name == LEAF else home


def _offered(home: Path) -> tuple[str, ...]:
    with suppress(OSError):
        offered = (home / "cgroup.controllers").read_text().split()
        return tuple(name for name in CONTROLLERS if name in offered)
    return ()


def _usable(tree: CgroupTree, name: str) -> bool:
    """True if groups can really be created. Modes of files say nothing in a container that has them read-only."""
    group = tree.home / name / "box"
    try:
        _make(group, tree)
        for file, value in bounds(tree, Bounds(memory_bytes=1024**3, pids=1000, cpus=1.0)):
            _write(group / file, value)
    except OSError:
        return False
    finally:
        remove([str(group)], within_s=0)
    return True


def _make(group: Path, tree: CgroupTree) -> None:
    for _ in range(TRIES):
        with suppress(FileNotFoundError):
            if tree.version == 2:
                _delegate(tree.home, tree.controllers)
            group.parent.mkdir(exist_ok=True)
            if CPU in tree.controllers:  # all boxes together have the weight of one process of the platform
                _write(
                    group.parent / ("cpu.shares" if tree.version == 1 else "cpu.weight"),
                    {1: "1024", 2: "100"}[tree.version],
                )
            if tree.version == 2:
                _delegate(group.parent, tree.controllers)
            group.mkdir(exist_ok=True)
            return
    raise FileNotFoundError(errno.ENOENT, "the group vanishes", str(group))


def _delegate(group: Path, controllers: Iterable[str]) -> None:
    """Let child groups use the controllers. The kernel allows that only if no process is beside them."""
    file, words = group / "cgroup.subtree_control", " ".join(f"+{name}" for name in controllers)
    try:
        _write(file, words)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        leaf = group / LEAF
        leaf.mkdir(exist_ok=True)
        for pid in _members(str(group)):
            with suppress(ProcessLookupError):
                _write(leaf / "cgroup.procs", str(pid))
        _write(file, words)


def _members(group: str) -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in Path(group, "cgroup.procs").read_text().split()]
    return []


def _removed(group: str) -> bool:
    """True if the group is gone. Only empty groups can be removed."""
    try:
        os.rmdir(group)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _write(file: Path, value: str) -> None:
    # One write, and no O_CREAT or O_TRUNC: these are no files.
    fd = os.open(file, os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
