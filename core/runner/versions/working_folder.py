"""Folders in which runs of a published version work: `~/published/<agent>/v<n>`, apart from the agent's own folder.


A run finds the version's own files there, and what earlier runs have left. Before each start the files of the
definition are made what they are in the version, whatever a run did to them. Another file of the version is written
when the version is the first to have it, or has it otherwise than the version before; a run's own state stays.

The next version takes the folder over by renaming it, as long as no CLI works in it; otherwise it gets a copy.
"""

import asyncio
import json
import os
import shutil
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import msgspec

from core.protocol.versions_api import VersionRef
from core.runner.versions.repository import Repository
from core.runner.versions.tree import (
    Tree,
    is_definition,
    opened,
    read_path,
    remove_path,
    write_path,
)

Manifest = dict[str, str]  # path → SHA-256 of what a version wrote there


class Lease:
    """A claim on a folder; it ends with `release`, or when the process ends that it was handed to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._over: asyncio.Event | None = None
        self._released = False

    def until(self, over: asyncio.Event) -> None:
        """The folder is in use until this event."""
        self._over = over

    def release(self) -> None:
        self._released = True

    @property
    def ended(self) -> bool:
        return self._released or (self._over is not None and self._over.is_set())


class WorkingFolders:
    """All of one user. `lease` prepares a folder for a start."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._leases: defaultdict[Path, list[Lease]] = defaultdict(list)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def lease(self, agent: str, number: int, version: VersionRef) -> Lease:
        """A folder that is what this version says, in use from now on.

        Raises: Conflict (`version_damaged`): the version is not what was published. OSError.
        """
        folder = folder_of(self._home, agent, number)
        async with self._locks[agent]:
            lease = Lease(folder)
            self._leases[folder] = [other for other in self._leases[folder] if not other.ended]
            await asyncio.to_thread(self._prepare, agent, folder, version)
            self._leases[folder].append(lease)
            return lease

    def _prepare(self, agent: str, folder: Path, version: VersionRef) -> None:
        tree = Repository(repository_path(self._home, agent)).read(version)
        notes = self._home / ".oma" / "versions" / f"{agent}.work"
        notes.mkdir(parents=True, exist_ok=True)
        if not folder.is_dir() and (before := _newest(folder.parent)):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if all(lease.ended for lease in self._leases.get(before, ())):
                before.rename(folder)
            else:
                shutil.copytree(before, folder, symlinks=True)
            with suppress(OSError):
                shutil.copyfile(notes / f"{before.name}.json", notes / f"{folder.name}.json")
        note = notes / f"{folder.name}.json"
        _check_out(folder, tree, _manifest(note))
        draft = note.with_suffix(".tmp")
        draft.write_text(json.dumps({path: file.sha256 for path, file in tree.items()}))
        os.replace(draft, note)
        os.utime(folder)


def folder_of(home: Path, agent: str, number: int) -> Path:
    """Return the folder in which runs of this version work."""
    return home / "published" / agent / f"v{number}"


def repository_path(home: Path, agent: str) -> Path:
    """Return the place of the agent's repository of versions."""
    return home / ".oma" / "versions" / f"{agent}.git"


def forget_agent(home: Path, agent: str) -> None:
    """Remove the versions of an agent, and where its runs worked. Idempotent."""
    versions = home / ".oma" / "versions"
    for path in (home / "published" / agent, repository_path(home, agent), versions / f"{agent}.work"):
        shutil.rmtree(path, ignore_errors=True)


def _newest(folder: Path) -> Path | None:
    """The working folder that was used last."""
    with suppress(OSError):
        found = [one for one in folder.iterdir() if one.is_dir() and not one.is_symlink()]
        return max(found, key=lambda one: one.stat().st_mtime, default=None)
    return None


def _manifest(note: Path) -> Manifest:
    with suppress(OSError, ValueError, RecursionError):
        return msgspec.json.decode(note.read_bytes(), type=Manifest)
    return {}


def _check_out(folder: Path, tree: Tree, before: Manifest) -> None:
    """Make the folder what the version says; `before` is what the version before it has written there."""
    with opened(folder) as root:
        for path in _definition_paths(folder):
            if path not in tree:
                remove_path(root, path)
        for path, sha in before.items():
            if path not in tree and (found := read_path(root, path)) and found.sha256 == sha:
                remove_path(root, path)
        for path, file in tree.items():
            if is_definition(path) or before.get(path) != file.sha256 or read_path(root, path) is None:
                write_path(root, path, file)


def _definition_paths(folder: Path) -> list[str]:
    """Every entry that belongs to the definition and is no folder, as it lies there."""
    found = [name for name in os.listdir(folder) if is_definition(name) and not _is_folder(folder / name)]
    for top in (".claude", "tests"):
        if _is_folder(folder / top):
            for above, _, names in os.walk(folder / top):  # does not follow links
                found += [os.path.relpath(Path(above, name), folder) for name in names]
                found += [os.path.relpath(Path(above, name), folder) for name in _ if Path(above, name).is_symlink()]
    return found


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
