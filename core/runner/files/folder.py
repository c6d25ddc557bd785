"""An agent's folder for changes by its user: the descriptor of its root, and the places of its trash and staging."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from core.domain.errors import Conflict
from core.runner.files.beneath import FOLDER, open_beneath

PLAIN = FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC
PRIVATE = ("trash", "staging", "changes")  # what `private` keeps for an agent


class AgentFolder:
    """The paths of one agent below the user's home. Opens nothing until it is asked to."""

    def __init__(self, home: Path, agent: str) -> None:
        self._home, self._agent = home, agent

    @contextmanager
    def root(self, *, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder. Raises: OSError: it is not there, or no folder."""
        with _below(self._home, ("agents", self._agent), make=make) as handle:
            yield handle

    @contextmanager
    def private(self, name: str) -> Iterator[int]:
        """A descriptor of `~/.oma/<name>/<agent>`, made if it is not there. Raises: OSError."""
        with _below(self._home, (".oma", name, self._agent), make=True) as handle:
            yield handle

    def forget(self, *names: str) -> None:
        """Remove these private folders, when the agent is deleted."""
        for name in names:
            with suppress(OSError), _below(self._home, (".oma", name), make=False) as handle:
                remove(handle, self._agent)


@contextmanager
def _below(home: Path, names: Sequence[str], *, make: bool) -> Iterator[int]:
    """No link is followed on the way."""
    handle = os.open(home, PLAIN)
    try:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=handle)
            following = os.open(name, PLAIN, dir_fd=handle)
            os.close(handle)
            handle = following
        yield handle
    finally:
        os.close(handle)


def make_folders(root: int, names: Sequence[str]) -> int:
    """A descriptor of the folder `names` below `root`, made with its parents where they are missing.

    Raises: OSError. Conflict: a part of the path is something else.
    """
    for depth in range(len(names) + 1):
        with suppress(FileExistsError):
            if depth:
                parent = open_beneath(root, names[: depth - 1], FOLDER)
                try:
                    os.mkdir(names[depth - 1], 0o755, dir_fd=parent)
                finally:
                    os.close(parent)
    try:
        return open_beneath(root, names, FOLDER)
    except OSError as error:
        if error.errno == errno.ENOTDIR:
            raise Conflict("a part of the path is a file", code="file_exists") from error
        raise


def remove(folder: int, name: str) -> None:
    """Remove `name` from `folder` with all that is in it; links are removed, not followed. Raises: OSError."""
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        shutil.rmtree(name, dir_fd=folder)
