"""Reads and writes the files of a folder that an agent's programs may change at the same moment.

Every step goes by handles, and none follows a link: a link in the way is left out when reading and replaced when
writing.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from core.domain.errors import TooMuch

FILES = 2_000
TOTAL_BYTES = 20 * 2**20
FILE_BYTES = 2 * 2**20  # a larger file is no part of a definition
DEEPEST = 20
PATH_CHARS = 400
ENTRIES = 20_000  # looked at; in a folder with more, something else than a definition lies
NAMED = 100  # paths that are told to have been left out
# What a program can make again, and what belongs to another program's bookkeeping.
SKIPPED = frozenset(
    {
        *(".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", ".cache", ".DS_Store"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".ipynb_checkpoints"),
    }
)
ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
DEFINITION_FILES = frozenset({"CLAUDE.md", "CLAUDE.local.md", "AGENTS.md", ".mcp.json", "agent.toml"})
DEFINITION_FOLDERS = (".claude", "tests")


class File(msgspec.Struct, frozen=True):
    """One file of a tree."""

    content: bytes
    executable: bool = False

    @property
    def sha256(self) -> str:
        """The digest of the content, for comparisons."""
        return sha256(self.content).hexdigest()


Tree = dict[str, File]


def is_definition(path: str) -> bool:
    """Return True if the file says what the agent is, False if it is something the agent works on."""
    return path in DEFINITION_FILES or path.split("/", 1)[0] in DEFINITION_FOLDERS


def digest(tree: Tree) -> str:
    """The SHA-256 over all paths, modes and contents."""
    whole = sha256()
    for path in sorted(tree):
        one = tree[path]
        whole.update(f"{len(path.encode())} {path} {int(one.executable)} {one.sha256}\n".encode())
    return whole.hexdigest()


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A handle of the folder, which is made if it is not there. Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, ENTER)
    try:
        yield handle
    finally:
        os.close(handle)


class Reader:
    """Reads a tree within bounds. `left_out` are paths that it does not hold."""

    def __init__(self) -> None:
        self.tree: Tree = {}
        self.left_out: list[str] = []
        self._bytes = self._entries = 0

    def read(self, folder: Path) -> Tree:
        """Raises: TooMuch (`version_too_large`): there are more files or bytes than a version may have. OSError."""
        with opened(folder) as root:
            self._folder(root, "", DEEPEST)
        return self.tree

    def _folder(self, folder: int, above: str, deeper: int) -> None:
        for name in sorted(os.listdir(folder)):
            self._entries += 1
            if self._entries > ENTRIES:
                raise too_large(f"there are more than {ENTRIES} entries in it")
            path = above + name
            if name in SKIPPED:
                continue
            if not path.isprintable() or len(path) > PATH_CHARS or not deeper:
                self._leave_out(ascii(path))
                continue
            try:
                below = os.open(name, ENTER, dir_fd=folder)
            except OSError:
                self._file(folder, name, path)
                continue
            try:
                self._folder(below, f"{path}/", deeper - 1)
            finally:
                os.close(below)

    def _file(self, folder: int, name: str, path: str) -> None:
        found = read_file(folder, name)
        if found is None:
            self._leave_out(path)
            return
        self._bytes += len(found.content)
        self.tree[path] = found
        if len(self.tree) > FILES or self._bytes > TOTAL_BYTES:
            raise too_large(f"it has more than {FILES} files or {TOTAL_BYTES >> 20} MiB")

    def _leave_out(self, path: str) -> None:
        if len(self.left_out) < NAMED:
            self.left_out.append(path)


def too_large(why: str) -> TooMuch:
    """The folder is no definition any more."""
    return TooMuch(f"the agent's folder cannot become a version: {why}", code="version_too_large")


def read_file(folder: int, name: str) -> File | None:
    """A plain file of at most FILE_BYTES; None: it is something else, or not readable."""
    with suppress(OSError):
        handle = os.open(name, READ, dir_fd=folder)
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            if stat.S_ISREG(about.st_mode):
                content = file.read(FILE_BYTES + 1)
                if len(content) <= FILE_BYTES:
                    return File(content, executable=bool(about.st_mode & 0o100))
    return None


def read_path(root: int, path: str) -> File | None:
    """The file at a path below the folder; None: there is none that can be read."""
    with _parent(root, path, make=False) as (folder, name):
        return read_file(folder, name) if folder >= 0 else None


def write_path(root: int, path: str, file: File) -> None:
    """Put the file at a path below the folder, in place of whatever is there. Raises: OSError."""
    with _parent(root, path, make=True) as (folder, name):
        if read_file(folder, name) == file:
            return
        draft = f".oma-{secrets.token_hex(8)}"
        handle = os.open(draft, WRITE, 0o755 if file.executable else 0o644, dir_fd=folder)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(file.content)
            _clear(folder, name)
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft, dir_fd=folder)
            raise


def remove_path(root: int, path: str) -> None:
    """Remove the file at a path below the folder, and folders that are empty then. Idempotent."""
    with suppress(OSError), _parent(root, path, make=False) as (folder, name):
        if folder >= 0:
            os.unlink(name, dir_fd=folder)
    parts = path.split("/")[:-1]
    while parts:
        with suppress(OSError), _parent(root, "/".join(parts), make=False) as (folder, name):
            if folder >= 0:
                os.rmdir(name, dir_fd=folder)
        parts.pop()


@contextmanager
def _parent(root: int, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """A handle of the folder that the path's last part lies in, and that part; -1: there is none. Raises: OSError."""
    *above, name = path.split("/")
    if name in ("", ".", "..") or any(part in ("", ".", "..") for part in above) or "\0" in path:
        raise OSError(f"no path inside a folder: {path[:80]!r}")
    handle = os.dup(root)
    try:
        for part in above:
            try:
                below = os.open(part, ENTER, dir_fd=handle)
            except OSError:
                if not make:
                    yield -1, name
                    return
                with suppress(FileNotFoundError):
                    os.unlink(part, dir_fd=handle)  # a link, or a file where a folder has to be
                os.mkdir(part, 0o755, dir_fd=handle)
                below = os.open(part, ENTER, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle, name
    finally:
        os.close(handle)


def _clear(folder: int, name: str) -> None:
    """Make room for a file where an empty folder is; a full one stays, and the rename fails."""
    with suppress(OSError):
        os.rmdir(name, dir_fd=folder)
