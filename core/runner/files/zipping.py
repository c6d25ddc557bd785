"""A folder as a ZIP that is made while it is sent: plain files only, no link is followed, nothing without a bound."""

import os
import stat
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress

from core.lib.write_sink import WriteSink
from core.protocol.files_api import DEEPEST
from core.runner.export import ENTER, HOLLOW_BYTES, MISSING
from core.runner.export import READ as READ_FILE

PIECE_BYTES = 256 * 1024
MOST_FILES = 100_000
MOST_BYTES = 8 * 1024**3
FIRST_YEAR, LAST_YEAR = 315_619_200, 4_354_732_800  # what a ZIP can say: 1980 to 2107
LEVEL = 1  # half the size of text at a tenth of the time


class _Archive:
    """The archive in the making. What is left out is named in a last file."""

    def __init__(self) -> None:
        self._sink, self._missing = WriteSink(), list[str]()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self._files, self._bytes = 0, 0

    def pieces(self, root: int) -> Iterator[bytes]:
        """The whole archive. Closes `root`."""
        yield from self._folder(root, "", DEEPEST)
        if self._missing:
            self._zip.writestr(_entry(MISSING, time.time()), "".join(f"{one}\n" for one in self._missing))
        self._zip.close()
        yield self._sink.take()

    def _folder(self, handle: int, path: str, deeper: int) -> Iterator[bytes]:
        try:
            for name in sorted(os.listdir(handle)):
                below = path + os.fsencode(name).decode("utf-8", "replace").replace("\\", "_")
                with suppress(FileNotFoundError):
                    try:
                        folder = os.open(name, ENTER, dir_fd=handle)
                    except NotADirectoryError:
                        yield from self._file(handle, name, below)
                        continue
                    except OSError:
                        self._miss(below)
                        continue
                    if deeper:
                        yield from self._folder(folder, f"{below}/", deeper - 1)
                    else:
                        os.close(folder)
                        self._miss(below)
        finally:
            os.close(handle)

    def _file(self, folder: int, name: str, path: str) -> Iterator[bytes]:
        try:
            handle = os.open(name, READ_FILE, dir_fd=folder)
        except OSError:
            self._miss(path)
            return
        with os.fdopen(handle, "rb", buffering=0) as file:
            about = os.fstat(handle)
            hollow = about.st_size > HOLLOW_BYTES and about.st_blocks * 512 < about.st_size // 10
            self._files += 1
            full = self._files > MOST_FILES or self._bytes + about.st_size > MOST_BYTES
            if not stat.S_ISREG(about.st_mode) or hollow or full:
                self._miss(path)
                return
            left = about.st_size  # no more than it had: somebody may be writing for ever
            with self._zip.open(_entry(path, about.st_mtime), "w", force_zip64=True) as entry:
                while left > 0 and (piece := file.read(min(left, PIECE_BYTES))):
                    entry.write(piece)
                    left -= len(piece)
                    self._bytes += len(piece)
                    if self._sink.size >= PIECE_BYTES:
                        yield self._sink.take()

    def _miss(self, path: str) -> None:
        if len(self._missing) < 10_000:
            self._missing.append("".join(char if char.isprintable() else "?" for char in path))


def archive(root: int) -> Iterator[bytes]:
    """The ZIP of the folder `root`, in pieces. Closes `root`."""
    return _Archive().pieces(root)


def _entry(name: str, mtime: float) -> zipfile.ZipInfo:
    at = time.gmtime(min(max(mtime, FIRST_YEAR), LAST_YEAR))
    info = zipfile.ZipInfo(name, at[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info
