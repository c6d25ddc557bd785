"""Moves and renames inside an agent's folder, and makes folders. Nothing is ever replaced."""

import os
from collections.abc import Sequence

from core.domain.errors import BadInput
from core.runner.files.beneath import RENAME_NOREPLACE, opened, rename
from core.runner.files.folder import AgentFolder, make_folders


def move(folder: AgentFolder, source: Sequence[str], target: Sequence[str]) -> None:
    """Move what is at `source` to `target`; a link is moved itself. Folders on the way to `target` are made.

    Raises: OSError: EEXIST: there is something at `target`. BadInput: a folder into itself.
    """
    if not source or target[: len(source)] == tuple(source):
        raise BadInput("a folder cannot be moved into itself", code="bad_path")
    with folder.root() as root, opened(root, source[:-1]) as parent:
        os.stat(source[-1], dir_fd=parent, follow_symlinks=False)  # nothing there: no folder is made for it
        place = make_folders(root, target[:-1])
        try:
            rename(parent, source[-1], place, target[-1], RENAME_NOREPLACE)
        finally:
            os.close(place)


def make(folder: AgentFolder, names: Sequence[str]) -> None:
    """Make a folder with its parents. Raises: OSError: EEXIST: there is something of this name."""
    with folder.root(make=True) as root:
        parent = make_folders(root, names[:-1])
        try:
            os.mkdir(names[-1], 0o755, dir_fd=parent)
        finally:
            os.close(parent)
