"""Bounds of a log that strangers can make a process write: few entries of one kind, and files of a certain size."""

import contextlib
import logging
import os
import stat
import sys
import time
from collections import OrderedDict

FILE_BYTES = 16 * 1024**2  # then the file gets the suffix .1, in the place of the one before, and a new one begins
AGAIN_S = 60.0  # between two entries of one kind
KINDS = 1_000
STRANGERS = "aiohttp"  # loggers below this one say what strangers sent, with tracebacks of the library's own code


class FloodFilter(logging.Filter):
    """Let one entry of a kind through a minute, with the number of those that were left out.

    Entries are of one kind if they come from the same line of the program and name the same things; for the HTTP
    library, whose texts a stranger can vary, the line alone counts, and the traceback is left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()  # since when, how many more

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if the entry is to be written; what was left out before it is added to its text."""
        foreign = record.name == STRANGERS or record.name.startswith(f"{STRANGERS}.")
        if record.levelno >= logging.ERROR and not foreign:
            return True
        kind = (record.pathname, record.lineno, "" if foreign else str(record.args)[:200])
        since, more = self._known.get(kind, (-AGAIN_S, 0))
        if time.monotonic() - since < AGAIN_S:
            self._known[kind] = since, more + 1
            return False
        self._known[kind] = time.monotonic(), 0
        self._known.move_to_end(kind)
        if len(self._known) > KINDS:
            self._known.popitem(last=False)
        if foreign:
            _without_traceback(record)
        if more:
            record.msg, record.args = f"{record.getMessage()} (and {more} more since)", ()
        return True


def _without_traceback(record: logging.LogRecord) -> None:
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}: {error}", ()
    record.exc_info = record.exc_text = None


class RotatingStderr(logging.StreamHandler):  # type: ignore[type-arg]  # its stream is always sys.stderr
    """Write to stderr, and begin a new file when stderr is a file and has become too large."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the entry."""
        super().emit(record)
        with contextlib.suppress(OSError):  # no new file can be made: the old one goes on
            self._rotate(sys.stderr.fileno())

    def _rotate(self, fd: int) -> None:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size <= FILE_BYTES:
            return
        path = os.readlink(f"/proc/self/fd/{fd}")
        os.rename(path, f"{path.removesuffix('.log')}.1")
        new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        for number in (1, fd):
            if number == fd or os.fstat(number).st_ino == about.st_ino:  # stdout may be the same file
                os.dup2(new, number)
        os.close(new)
