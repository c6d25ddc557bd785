"""Says what a failed system call on a user's file means to the user."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from core.domain.errors import BadInput, Conflict, Forbidden, NoSpace, NotFound, PlatformError, StoreUnavailable

KINDS: dict[int, tuple[type[PlatformError], str]] = {
    errno.ENOENT: (NotFound, ""),
    errno.EXDEV: (NotFound, ""),  # the path leads out of the folder
    errno.ELOOP: (NotFound, ""),
    errno.ENOTDIR: (NotFound, ""),
    errno.ENAMETOOLONG: (BadInput, "bad_path"),
    errno.EINVAL: (BadInput, "bad_path"),
    errno.EISDIR: (Conflict, "not_a_file"),
    errno.ENXIO: (Conflict, "not_a_file"),
    errno.ENODEV: (Conflict, "not_a_file"),
    errno.EEXIST: (Conflict, "file_exists"),
    errno.ENOTEMPTY: (Conflict, "file_exists"),
    errno.EACCES: (Forbidden, "file_locked"),
    errno.EPERM: (Forbidden, "file_locked"),
    errno.EROFS: (Forbidden, "file_locked"),
    errno.ENOSPC: (NoSpace, ""),
    errno.EDQUOT: (NoSpace, ""),
    errno.EFBIG: (NoSpace, ""),
}


@contextmanager
def told() -> Iterator[None]:
    """Raise what an OSError means instead of it."""
    try:
        yield
    except OSError as error:
        kind, code = KINDS.get(error.errno or 0, (StoreUnavailable, ""))
        raise kind(error.strerror or "the file cannot be used", code=code) from error
