"""Copies of an agent's folder in which a test of it works, so that nothing of the test stays behind.

A copy stands beside the agents' folders under an id of its own, and is marked in `~/.oma/scratch`. A runner that starts
removes the copies of the one before it: the tests that worked in them have ended with it.
"""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from core.domain.errors import NoSpace, NotFound

BYTES = 500 * 2**20  # of a folder that is copied
ENTRIES = 20_000


def copy_folder(home: Path, agent: str, copy: str) -> None:
    """Make the copy, unless it is there. Links are copied as links, and what is no file, folder or link is left out.

    Raises: NotFound: the agent has no folder. NoSpace: it is too large, or there is no room for it.
    """
    source, target, part = (home / "agents" / name for name in (agent, copy, f"{copy}.part"))
    if target.is_dir():
        return
    if not source.is_dir():
        raise NotFound("the agent has no folder")
    marks = home / ".oma" / "scratch"
    marks.mkdir(parents=True, exist_ok=True)
    (marks / copy).touch()
    shutil.rmtree(part, ignore_errors=True)
    _check_size(source)
    try:
        shutil.copytree(source, part, symlinks=True, ignore=_special)
        part.rename(target)
    except (OSError, shutil.Error) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise NoSpace(f"the folder cannot be copied: {error}"[:300]) from error


def remove_copy(home: Path, copy: str) -> None:
    """Remove a copy and its mark. Idempotent."""
    shutil.rmtree(home / "agents" / copy, ignore_errors=True)
    with contextlib.suppress(OSError):
        (home / ".oma" / "scratch" / copy).unlink()


def remove_copies(home: Path) -> None:
    """Remove all copies that are marked."""
    with contextlib.suppress(OSError):
        for mark in list((home / ".oma" / "scratch").iterdir()):
            shutil.rmtree(home / "agents" / f"{mark.name}.part", ignore_errors=True)
            remove_copy(home, mark.name)


def _check_size(source: Path) -> None:
    size = entries = 0
    for folder, names, files in os.walk(source):
        entries += len(names) + len(files)
        for name in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(folder, name)).st_size
        if size > BYTES or entries > ENTRIES:
            raise NoSpace(f"a folder that is tested has at most {BYTES // 2**20} MB and {ENTRIES} entries")


def _special(folder: str, names: list[str]) -> list[str]:
    """The names in a folder that are neither files nor folders nor links."""
    left_out = []
    for name in names:
        try:
            mode = os.lstat(os.path.join(folder, name)).st_mode
        except OSError:
            left_out.append(name)
            continue
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            left_out.append(name)
    return left_out
