"""Opens a file for reading: only plain files, and never one that makes the reader wait."""

import os
import stat
from collections.abc import Sequence

from core.domain.errors import Conflict
from core.runner.files.beneath import open_beneath

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # not blocking: a FIFO would wait for a writer


def is_folder(handle: int) -> bool:
    return stat.S_ISDIR(os.fstat(handle).st_mode)


def open_to_read(root: int, names: Sequence[str]) -> int:
    """A descriptor of a folder or a plain file. Raises: OSError. Conflict: it is a device, a FIFO or a socket.

    What it is is looked at before it is opened for reading: opening a device may already do something.
    """
    place = open_beneath(root, names, os.O_PATH)
    try:
        mode = os.fstat(place).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise Conflict("only plain files can be opened", code="not_a_file")
    finally:
        os.close(place)
    handle = open_beneath(root, names, READ)
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # swapped meanwhile
        os.close(handle)
        raise Conflict("only plain files can be opened", code="not_a_file")
    return handle
