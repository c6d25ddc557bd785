"""The snapshots of one agent: one for the beginning of each session, one for the last turn of each."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import get_args

from core.domain.errors import Conflict, NotFound
from core.protocol.changes_api import KEPT_FILE_BYTES, Change, ChangeList, Reverted, Since
from core.runner.changes import line_counts, snapshot
from core.runner.changes.snapshot import BLOBS, Manifest
from core.runner.files import revision, trash, writing
from core.runner.files.beneath import opened
from core.runner.files.folder import AgentFolder
from core.runner.files.paths import new_parts_of
from core.runner.files.reading import open_to_read

SESSIONS = 50  # whose snapshots are kept; the oldest go
MOST_CHANGES = 1_000
NAME = re.compile(r"([A-Za-z0-9_-]{1,64})\.(turn|session)")


class History:
    """The changes of one agent. Its calls block, for seconds in a large folder: they belong into threads."""

    def __init__(self, home: Path, agent: str) -> None:
        self._folder = AgentFolder(home, agent)

    def begin_turn(self, session: str) -> None:
        """Remember how the folder is now; the first time, also as the beginning of the session. Raises: OSError."""
        with self._places() as (place, blobs), self._folder.root() as root:
            known = self._manifests(place)
            newest = max(known.values(), key=lambda manifest: manifest.at_ns, default=snapshot.NOTHING)
            now = snapshot.take(root, before=newest, keep_in=blobs)
            for since in ("turn", "session"):
                name = f"{session}.{since}"
                if since == "turn" or name not in known:
                    snapshot.save(place, name, now)
                    known[name] = now
            for name in self._oldest(known):
                known.pop(name)
                with suppress(OSError):
                    os.unlink(name, dir_fd=place)
            snapshot.sweep(blobs, known)

    def forget(self, session: str) -> None:
        """Remove the snapshots of a session, and the contents that only they name. Raises: OSError."""
        with self._places() as (place, blobs):
            for since in get_args(Since):
                with suppress(FileNotFoundError):
                    os.unlink(f"{session}.{since}", dir_fd=place)
            snapshot.sweep(blobs, self._manifests(place))

    def changes(self, session: str, since: Since) -> ChangeList:
        """Return what has changed since the turn or the session began. Raises: OSError."""
        with self._places() as (place, blobs), self._folder.root() as root:
            base = self._base(place, session, since)
            if base is None:
                return ChangeList()
            now = snapshot.take(root, before=base)
            found: list[Change] = []
            for path in sorted(base.files.keys() | now.files.keys()):
                before, after = base.files.get(path), now.files.get(path)
                if before and after and before.same_as(after):
                    continue
                if len(found) >= MOST_CHANGES:
                    return ChangeList(changes=tuple(found), at=base.at_ns / 1e9, cut=True)
                found.append(self._change(path, base, now, root, blobs))
            return ChangeList(changes=tuple(found), at=base.at_ns / 1e9, cut=base.cut or now.cut)

    def before(self, session: str, since: Since, path: str) -> bytes:
        """The content that a file had. Raises: NotFound: there was none, or it is not kept. OSError."""
        with self._places() as (place, blobs):
            base = self._base(place, session, since)
            stamp = base.files.get(path) if base else None
            if stamp is None:
                raise NotFound("there was no such file")
            return snapshot.kept(blobs, stamp)

    def revert(self, session: str, since: Since, path: str, *, seen: str) -> Reverted:
        """Put back the content that a file had; what is there now goes to the trash, from which it can be restored.

        Raises: Conflict: the file is not the one that was `seen`. NotFound: the content is not kept. OSError.
        """
        names = new_parts_of(path)
        with self._places() as (place, _):
            base = self._base(place, session, since)
            stamp = base.files.get(path) if base else None
        data = self.before(session, since, path) if stamp else b""
        with self._folder.root(make=True) as root:
            if self._present(root, names) != seen:
                raise Conflict("the file was changed meanwhile", code="file_changed")
            gone = trash.throw_away(self._folder, names) if seen else ""
            if stamp:
                with writing.staging(self._folder, limit_bytes=KEPT_FILE_BYTES) as staged:
                    staged.write(data)
                    os.fchmod(staged.handle, stamp.mode)
                    writing.commit(root, names, staged, if_none_match=writing.ANYTHING)
        return Reverted(trash=gone)

    # --- how it is done ----------------------------------------------------------------------------------------------

    @contextmanager
    def _places(self) -> Iterator[tuple[int, int]]:
        """Descriptors of the folder of manifests and of that of contents."""
        with self._folder.private("changes") as place:
            with suppress(FileExistsError):
                os.mkdir(BLOBS, 0o700, dir_fd=place)
            with opened(place, (BLOBS,)) as blobs:
                yield place, blobs

    def _manifests(self, place: int) -> dict[str, Manifest]:
        found = {}
        for name in os.listdir(place):
            if NAME.fullmatch(name) and (manifest := snapshot.load(place, name)):
                found[name] = manifest
        return found

    def _base(self, place: int, session: str, since: Since) -> Manifest | None:
        """The manifest to compare with; without a session, that of the newest one."""
        if session:
            return snapshot.load(place, f"{session}.{since}")
        fitting = [one for name, one in self._manifests(place).items() if name.endswith(f".{since}")]
        return max(fitting, key=lambda manifest: manifest.at_ns, default=None)

    @staticmethod
    def _oldest(known: dict[str, Manifest]) -> list[str]:
        """Names of the snapshots of sessions that are too many."""
        by_session: dict[str, int] = {}
        for name, manifest in known.items():
            session = name.rpartition(".")[0]
            by_session[session] = max(by_session.get(session, 0), manifest.at_ns)
        kept = set(sorted(by_session, key=lambda session: by_session[session], reverse=True)[:SESSIONS])
        return [name for name in known if name.rpartition(".")[0] not in kept]

    def _change(self, path: str, base: Manifest, now: Manifest, root: int, blobs: int) -> Change:
        before, after = base.files.get(path), now.files.get(path)
        old = new = b""
        added = removed = -1
        known = before is None or snapshot.has_kept(blobs, before)
        with suppress(OSError, NotFound):
            if before:
                old = snapshot.kept(blobs, before)
            if after:
                new = self._current(root, path)
            added, removed = line_counts.counts(old, new)
        return Change(
            path=path,
            kind="changed" if before and after else "new" if after else "deleted",
            size_bytes=after.size if after else 0,
            added=added,
            removed=removed,
            revision=self._present(root, path.split("/")),
            kept=known,
        )

    @staticmethod
    def _current(root: int, path: str) -> bytes:
        """Raises: OSError. NotFound: it is too large."""
        with opened(root, path.split("/")[:-1]) as folder:
            data = snapshot.read_small(path.rpartition("/")[2], folder)
        if data is None:
            raise NotFound("too large")
        return data

    @staticmethod
    def _present(root: int, names: Sequence[str]) -> str:
        """The revision of the file that is there now, empty if there is none."""
        try:
            handle = open_to_read(root, names)
        except (OSError, Conflict):
            return ""
        try:
            return revision.of(handle)
        finally:
            os.close(handle)
