"""The repository of an agent's versions: commits are made and read by dulwich's objects alone.

No program of git runs, no hook, no configuration and no attribute of the folder is read. The repository lies in
`~/.oma/versions`, where programs of the box could write as well: what is read is checked against the digest that the
Store keeps. It is a plain bare repository, so `git clone` takes it.
"""

import os
import time
from pathlib import Path
from typing import Any

from core.domain.errors import Conflict
from core.protocol.versions_api import VersionRef
from core.runner.versions.tree import DEEPEST, FILES, PATH_CHARS, TOTAL_BYTES, File, Tree, digest

AUTHOR = b"Oh My Agent <agent@localhost>"
FOLDER, PLAIN, EXECUTABLE = 0o040000, 0o100644, 0o100755
CONFIG = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
BRANCH = "refs/heads/main"


class Repository:
    """One agent's. All calls block; they are made in a thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def commit(self, tree: Tree, *, message: str, parent: str = "", tag: str = "") -> VersionRef:
        """Keep the tree. A `tag` also makes it the head of the branch. Raises: OSError."""
        from dulwich.objects import Commit, ObjectID  # it costs every runner 20 MB, and most never publish

        store = self._store()
        commit = Commit()
        commit.tree = _add_tree(store, _nested(tree))
        if parent and parent.encode() in store:
            commit.parents = [ObjectID(parent.encode())]
        commit.author = commit.committer = AUTHOR
        commit.author_time = commit.commit_time = int(time.time())
        commit.author_timezone = commit.commit_timezone = 0
        commit.encoding, commit.message = b"UTF-8", message.encode()
        store.add_object(commit)
        store.close()
        id = commit.id.decode()
        if tag:
            self._point(f"refs/tags/{tag}", id)
            self._point(BRANCH, id)
        return VersionRef(commit=id, digest=digest(tree))

    def read(self, version: VersionRef) -> Tree:
        """The tree of a version. Raises: Conflict (`version_damaged`): it is not there as it was made."""
        store = self._store()
        tree: Tree = {}
        try:
            commit = store[version.commit.encode()]
            _read_tree(store, commit.tree, "", tree, [TOTAL_BYTES])
        except Exception as error:  # whatever a program of the box has put there, dulwich stumbles in its own ways
            raise _damaged(version) from error
        finally:
            store.close()
        if digest(tree) != version.digest:
            raise _damaged(version)
        return tree

    def _store(self) -> Any:
        from dulwich.object_store import DiskObjectStore  # see above

        objects = self._path / "objects"
        if not objects.is_dir():
            for part in (objects / "info", objects / "pack", self._path / "refs" / "heads", self._path / "refs/tags"):
                part.mkdir(parents=True, exist_ok=True)
            (self._path / "config").write_bytes(CONFIG)
            (self._path / "HEAD").write_text(f"ref: {BRANCH}\n")
        return DiskObjectStore(str(objects))

    def _point(self, ref: str, id: str) -> None:
        path = self._path / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.lock")
        draft.write_text(f"{id}\n")
        os.replace(draft, path)


def _damaged(version: VersionRef) -> Conflict:
    return Conflict(f"version {version.commit[:12]} is not what was published", code="version_damaged")


def _nested(tree: Tree) -> dict[str, Any]:
    """The tree as folders in folders."""
    whole: dict[str, Any] = {}
    for path, file in tree.items():
        *above, name = path.split("/")
        folder = whole
        for part in above:
            folder = folder.setdefault(part, {})
        folder[name] = file
    return whole


def _add_tree(store: Any, folder: dict[str, Any]) -> Any:
    """Add a folder with all that is below it; return its id."""
    from dulwich.objects import Blob
    from dulwich.objects import Tree as GitTree

    entries = GitTree()
    for name, one in folder.items():
        if isinstance(one, File):
            blob = Blob.from_string(one.content)
            if blob.id not in store:
                store.add_object(blob)
            entries.add(name.encode(), EXECUTABLE if one.executable else PLAIN, blob.id)
        else:
            entries.add(name.encode(), FOLDER, _add_tree(store, one))
    if entries.id not in store:
        store.add_object(entries)
    return entries.id


def _read_tree(store: Any, id: Any, above: str, into: Tree, room: list[int]) -> None:
    """Raises: ValueError: it is no tree of ours. KeyError: an object is missing."""
    if above.count("/") > DEEPEST:
        raise ValueError("too deep")
    for entry in store[id].items():
        path = above + entry.path.decode()
        if entry.mode == FOLDER:
            _read_tree(store, entry.sha, f"{path}/", into, room)
            continue
        content = store[entry.sha].as_raw_string()
        room[0] -= len(content)
        if len(into) >= FILES or room[0] < 0 or len(path) > PATH_CHARS or entry.mode not in (PLAIN, EXECUTABLE):
            raise ValueError("no tree of ours")
        into[path] = File(content, executable=entry.mode == EXECUTABLE)
