"""The calls of the web about an agent's versions and instructions, carried out in the user's box."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from core.domain.errors import BadInput, Conflict, StoreUnavailable
from core.protocol import versions_api as api
from core.runner.versions import agent_toml, packing
from core.runner.versions.repository import Repository
from core.runner.versions.tree import (
    File,
    Reader,
    Tree,
    is_definition,
    opened,
    read_path,
    remove_path,
    write_path,
)
from core.runner.versions.working_folder import repository_path

DIFF_FILES = 200
DIFF_CHARS = 60_000  # of one file; a longer one is only named
DIFF_TOTAL = 1_000_000

P = ParamSpec("P")
T = TypeVar("T")


class Versions:
    """All agents of one user. Calls about one agent come after one another."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def publish(self, agent: str, asked: api.Publish) -> api.Published:
        """Commit the agent's folder. Raises: TooMuch (`version_too_large`). StoreUnavailable: no room."""
        async with self._locks[agent]:
            return await _in_thread(self._publish, agent, asked)

    async def restore(self, agent: str, version: api.VersionRef) -> api.Restored:
        """Raises: Conflict (`version_damaged`), TooMuch: the folder as it is cannot be kept first."""
        async with self._locks[agent]:
            return await _in_thread(self._restore, agent, version)

    async def diff(self, agent: str, asked: api.DiffRequest) -> api.Diff:
        """Raises: Conflict (`version_damaged`), TooMuch: the folder as it is is too large."""
        return await _in_thread(self._diff, agent, asked)

    async def pack(self, agent: str, asked: api.Pack) -> bytes:
        """Return a version, or the folder as it is, as a ZIP file. Raises: Conflict, TooMuch: as `diff`."""
        return await _in_thread(self._pack, agent, asked)

    async def unpack(self, agent: str, raw: bytes) -> api.Imported:
        """Write a ZIP file's content into the folder of a new agent. Raises: BadInput (`bad_archive`)."""
        async with self._locks[agent]:
            return await _in_thread(packing.imported, raw, self._folder(agent))

    async def duplicate(self, agent: str, target: str) -> None:
        """Copy the folder's files into the folder of a new agent. Raises: TooMuch: it is too large."""
        await _in_thread(self._duplicate, agent, target)

    async def instructions(self, agent: str) -> api.Instructions:
        """The text of CLAUDE.md."""
        return await _in_thread(self._instructions, agent)

    async def write_instructions(self, agent: str, wanted: api.Instructions) -> api.Instructions:
        """Raises: Conflict (`instructions_changed`): the file is not the one that the writer has seen."""
        async with self._locks[agent]:
            return await _in_thread(self._write_instructions, agent, wanted)

    def _folder(self, agent: str) -> Path:
        return self._home / "agents" / agent

    def _repository(self, agent: str) -> Repository:
        return Repository(repository_path(self._home, agent))

    def _publish(self, agent: str, asked: api.Publish) -> api.Published:
        folder = self._folder(agent)
        with opened(folder) as root:
            old = read_path(root, agent_toml.NAME)
            ours = File(agent_toml.written(old.content if old else None, asked.agent_toml))
            write_path(root, agent_toml.NAME, ours)
        reader = Reader()
        tree = reader.read(folder)
        tree[agent_toml.NAME] = ours  # what this moment's definition says, whatever a program has made of it since
        message = f"v{asked.number}: {asked.note}" if asked.note else f"v{asked.number}"
        made = self._repository(agent).commit(tree, message=message, parent=asked.parent, tag=f"v{asked.number}")
        return api.Published(
            commit=made.commit,
            digest=made.digest,
            files=len(tree),
            size_bytes=sum(len(file.content) for file in tree.values()),
            left_out=tuple(reader.left_out),
            instructions=_text(tree.get(api.INSTRUCTIONS_FILE), api.INSTRUCTIONS_CHARS) or "",
        )

    def _restore(self, agent: str, version: api.VersionRef) -> api.Restored:
        repository, folder = self._repository(agent), self._folder(agent)
        tree, there = repository.read(version), Reader().read(folder)
        before = repository.commit(there, message="The draft before another version was restored")
        with opened(folder) as root:
            for path in there:
                if path not in tree and is_definition(path):
                    remove_path(root, path)
            for path, file in tree.items():
                write_path(root, path, file)
        return api.Restored(before=before)

    def _pack(self, agent: str, asked: api.Pack) -> bytes:
        tree = self._tree(agent, asked.version)
        old = tree.get(agent_toml.NAME)
        tree[agent_toml.NAME] = File(agent_toml.written(old.content if old else None, asked.agent_toml))
        return packing.packed(tree)

    def _duplicate(self, agent: str, target: str) -> None:
        tree = Reader().read(self._folder(agent))
        with opened(self._folder(target)) as root:
            for path, file in tree.items():
                write_path(root, path, file)

    def _diff(self, agent: str, asked: api.DiffRequest) -> api.Diff:
        before, after = (self._tree(agent, version) for version in (asked.before, asked.after))
        paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        changes, room = [], DIFF_TOTAL
        for path in paths[:DIFF_FILES]:
            one = _change(path, before.get(path), after.get(path), min(DIFF_CHARS, room))
            room = max(0, room - len(one.before or "") - len(one.after or ""))
            changes.append(one)
        return api.Diff(changes=tuple(changes), more=max(0, len(paths) - DIFF_FILES))

    def _tree(self, agent: str, version: api.VersionRef | None) -> Tree:
        return self._repository(agent).read(version) if version else Reader().read(self._folder(agent))

    def _instructions(self, agent: str) -> api.Instructions:
        with opened(self._folder(agent)) as root:
            return _as_instructions(read_path(root, api.INSTRUCTIONS_FILE))

    def _write_instructions(self, agent: str, wanted: api.Instructions) -> api.Instructions:
        if len(wanted.text) > api.INSTRUCTIONS_CHARS:
            raise BadInput(f"instructions have at most {api.INSTRUCTIONS_CHARS} characters", code="text_too_long")
        with opened(self._folder(agent)) as root:
            there = _as_instructions(read_path(root, api.INSTRUCTIONS_FILE))
            if there.etag != wanted.etag:
                raise Conflict("CLAUDE.md has changed meanwhile", code="instructions_changed")
            if there.cut:
                raise BadInput("CLAUDE.md is longer than can be edited here", code="text_too_long")
            write_path(root, api.INSTRUCTIONS_FILE, File(wanted.text.encode("utf-8", "replace")))
            return _as_instructions(read_path(root, api.INSTRUCTIONS_FILE))


async def _in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Raises: StoreUnavailable: the disk did not do it."""
    try:
        return await asyncio.to_thread(call, *args, **kwargs)
    except OSError as error:
        raise StoreUnavailable(f"the agent's folder: {error}") from error


def _as_instructions(file: File | None) -> api.Instructions:
    if file is None:
        return api.Instructions()
    text = file.content.decode("utf-8", "replace")
    short = text[: api.INSTRUCTIONS_CHARS]
    return api.Instructions(text=short, etag=sha256(file.content).hexdigest()[:32], cut=len(short) < len(text))


def _text(file: File | None, most: int) -> str | None:
    """The file as text; None: there is none, or it is none."""
    if file is None or len(file.content) > 4 * most or b"\0" in file.content:
        return None
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= most else None


def _change(path: str, before: File | None, after: File | None, most: int) -> api.FileChange:
    status: Literal["added", "removed", "changed"] = "changed"
    if before is None or after is None:
        status = "added" if before is None else "removed"
    texts = [_text(file, most) for file in (before, after)]
    unshown = any(text is None for text, file in zip(texts, (before, after), strict=True) if file)
    return api.FileChange(
        path=path, status=status, before=None if unshown else texts[0], after=None if unshown else texts[1]
    )
