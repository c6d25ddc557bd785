"""Names a version of a file: by its content if it is small enough to be read, else by what the kernel knows of it.

Time stamps alone would not do: two writes in one tick of the kernel's clock leave the same ones.
"""

import os
from hashlib import blake2b

HASHED_BYTES = 4 * 1024 * 1024  # what an editor opens; read in about 5 ms
PIECE_BYTES = 256 * 1024


def by_stat(about: os.stat_result) -> str:
    """The cheap name, which listings give. Not by ctime, which a rename changes."""
    return f"s{about.st_ino:x}-{about.st_size:x}-{about.st_mtime_ns:x}"


def by_content(handle: int) -> str:
    """The name of what can be read of `handle`, from its beginning."""
    digest, at = blake2b(digest_size=16), 0
    while piece := os.pread(handle, PIECE_BYTES, at):
        digest.update(piece)
        at += len(piece)
    return f"h{digest.hexdigest()}"


def of(handle: int) -> str:
    """The name that a reader gets as its ETag."""
    about = os.fstat(handle)
    return by_content(handle) if about.st_size <= HASHED_BYTES else by_stat(about)


def matches(handle: int, wanted: str) -> bool:
    """Return whether `wanted`, in either form, names what `handle` has now."""
    if wanted.startswith("s"):
        return by_stat(os.fstat(handle)) == wanted
    return os.fstat(handle).st_size <= HASHED_BYTES and by_content(handle) == wanted
