"""Lets another user id reach folders of ours below private ones, in a mount namespace of its own process.

bubblewrap and the kernel open a path with the user id of the process. So an empty folder that everybody may pass is
mounted over each private folder on the way, with only the needed entries in it. No other process of the machine sees
that.
"""

import ctypes
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_SLAVE = 2, 4, 8, 4096, 16384, 1 << 19
PR_CAPBSET_DROP, CAPABILITIES = 24, 64
COVER = b"mode=0711,size=256k"
T = TypeVar("T")


def staged(paths: Iterable[Path], run: Callable[[], T]) -> T:
    """Call `run`, which starts a process of another user id, in a namespace where all `paths` can be reached. Raises:
    OSError.

    It uses a thread that ends afterwards, because a namespace belongs to a thread and must not be used again.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="stage") as alone:
        return alone.submit(_staged, list(paths), run).result()


def _staged(paths: list[Path], run: Callable[[], T]) -> T:
    _check(LIBC.unshare(CLONE_NEWNS))
    _mount(None, "/", flags=MS_REC | MS_SLAVE)
    usual = os.umask(0o022)
    with ExitStack() as opened:
        for path, fd in _opened(paths, opened):
            _open_the_way(path, fd)
    os.umask(usual)
    for number in range(CAPABILITIES):  # the started process can never get one again; ours end with this thread
        LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    return run()


def _opened(paths: list[Path], opened: ExitStack) -> list[tuple[Path, int]]:
    """Open all paths, as given and resolved, upper ones first, before any of them vanishes behind a mount."""
    every = {Path(os.path.abspath(path)) for path in (*paths, *(path.resolve() for path in paths)) if path.exists()}
    found = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in sorted(every)]
    for _, fd in found:
        opened.callback(os.close, fd)
    return found


def _open_the_way(path: Path, fd: int) -> None:
    for above in reversed(path.parents):
        if not above.exists():
            break
        if not above.stat().st_mode & stat.S_IXOTH:
            _mount("stage", str(above), kind=b"tmpfs", flags=MS_NOSUID | MS_NODEV | MS_NOEXEC, data=COVER)
            break
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        path.mkdir()
    else:
        path.touch()
    _mount(f"/proc/self/fd/{fd}", str(path), flags=MS_BIND | MS_REC)


def _mount(what: str | None, where: str, *, kind: bytes | None = None, flags: int, data: bytes | None = None) -> None:
    source = None if what is None else os.fsencode(what)
    _check(LIBC.mount(source, os.fsencode(where), kind, ctypes.c_ulong(flags), data))


def _check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
