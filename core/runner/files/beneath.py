"""Opens what lies below a folder, whatever links and names are in the way: no path leads out of it (F1, F2).

The kernel resolves the path with openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), so that nothing can be swapped
between a check and the use. A kernel or a seccomp filter without openat2 gets a walk from descriptor to descriptor
that follows no links at all. Everything else is then done with the descriptor, never with the path again.
"""

import ctypes
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH = 0x02, 0x08
OPENAT2 = 437  # on every architecture
RETRIES = 64  # the kernel says EAGAIN if something was renamed while it looked
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
FOLDER = os.O_RDONLY | os.O_DIRECTORY
_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_beneath(root: int, names: Sequence[str], flags: int, *, walk: bool = False) -> int:
    """A descriptor of `names` below the folder `root`. `walk` uses the way without openat2, to test it.

    Raises: OSError: as open does; EXDEV, ELOOP or ENOTDIR if the path leads out.
    """
    if walk or not has_openat2():
        return _walk(root, names, flags)
    for _ in range(RETRIES):
        try:
            return _openat2(root, "/".join(names) or ".", flags)
        except BlockingIOError:
            continue
    raise OSError(errno.EAGAIN, "the folder is being renamed all the time")


@contextmanager
def opened(root: int, names: Sequence[str], flags: int = FOLDER) -> Iterator[int]:
    """Open a file as `open_beneath` does, and close it when the context ends."""
    handle = open_beneath(root, names, flags)
    try:
        yield handle
    finally:
        os.close(handle)


@cache
def has_openat2() -> bool:
    """True if this kernel has openat2 and lets us call it."""
    here = os.open("/", FOLDER | os.O_CLOEXEC)
    try:
        os.close(_openat2(here, ".", FOLDER))
    except OSError:
        return False
    finally:
        os.close(here)
    return True


def _openat2(root: int, path: str, flags: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    raw = os.fsencode(path)
    handle = int(_libc.syscall(OPENAT2, root, raw, ctypes.byref(how), ctypes.sizeof(how)))
    if handle < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return handle


def _walk(root: int, names: Sequence[str], flags: int) -> int:
    handle = os.open(".", FOLDER | os.O_CLOEXEC, dir_fd=root)
    for at, name in enumerate(names):
        last = at == len(names) - 1
        try:
            following = os.open(name, (flags if last else FOLDER) | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=handle)
        finally:
            os.close(handle)
        handle = following
    return handle


def rename(source: int, name: str, target: int, new_name: str, flags: int) -> None:
    """renameat2: RENAME_NOREPLACE or RENAME_EXCHANGE. Raises: OSError: EINVAL where the file system has neither."""
    raw, new_raw = os.fsencode(name), os.fsencode(new_name)
    if _libc.renameat2(source, raw, target, new_raw, flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
