"""Deletes a home. Its user may have locked folders in it, or nested them deeper than any path can reach."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def remove(home: Path) -> None:
    """Delete a whole home without following links. No process of its user may run. Raises: OSError."""
    if not home.is_dir():
        return
    with _unlocked(str(home), None) as top:
        while names := os.listdir(top):
            for name in names:
                if not _is_file(name, top):
                    _dissolve(name, top)
    home.rmdir()


def _is_file(name: str, folder: int) -> bool:
    """Delete an entry and return True, unless it is a folder."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        return False
    return True


def _dissolve(name: str, top: int) -> None:
    """Delete a folder; its subfolders are moved to the top, where the caller finds them."""
    with _unlocked(name, top) as folder:
        for inner in os.listdir(folder):
            if not _is_file(inner, folder):
                with _unlocked(inner, folder):  # a locked folder cannot be moved
                    os.rename(inner, secrets.token_hex(16), src_dir_fd=folder, dst_dir_fd=top)
    os.rmdir(name, dir_fd=top)


@contextmanager
def _unlocked(name: str, above: int | None) -> Iterator[int]:
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        os.chmod(f"/proc/self/fd/{handle}", 0o700)
        folder = os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(handle)
    try:
        yield folder
    finally:
        os.close(folder)
