"""Lists one folder: bounded, sorted, page by page."""

import os
import stat
from collections.abc import Sequence

from core.domain.errors import BadInput
from core.protocol.files_api import MOST_LISTED, SCANNED, EntryKind, FolderEntry, FolderPage
from core.runner.files import revision

Key = tuple[bool, str]


def folder_page(handle: int, path: str, *, after: str, limit: int) -> FolderPage:
    """Return a page of the folder `handle`, from the cursor `after` on. Raises: OSError. BadInput: an
    invalid cursor.
    """
    keys, total, cut = [], 0, False
    with os.scandir(handle) as entries:
        for entry in entries:
            total += 1
            if total > SCANNED:
                cut = True
                break
            keys.append((not entry.is_dir(follow_symlinks=False), entry.name))
    keys.sort(key=_order)
    limit = max(1, min(limit, MOST_LISTED))
    start = _start(keys, after) if after else 0
    found = keys[start : start + limit]
    more = start + limit < len(keys)
    return FolderPage(
        path=path,
        entries=tuple(one for _, name in found if (one := _entry(handle, name))),
        total=total,
        next=_cursor(found[-1]) if more else "",
        cut=cut,
    )


def _order(key: Key) -> tuple[bool, str, str]:
    return key[0], key[1].casefold(), key[1]


def _cursor(key: Key) -> str:
    return f"{int(key[0])}{_shown(key[1])}"


def _start(keys: Sequence[Key], after: str) -> int:
    """The place behind the cursor, also if what it named is gone."""
    if after[0] not in "01":
        raise BadInput("`after` is not a cursor of this list", code="bad_input")
    last = _order((after[0] == "1", after[1:]))
    return next((at for at, key in enumerate(keys) if _order(key) > last), len(keys))


def _entry(handle: int, name: str) -> FolderEntry | None:
    """None: it is gone meanwhile."""
    try:
        about = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError:
        return None
    kind, shown = _kind(about.st_mode), _shown(name)
    if shown != name:
        kind = "other"  # no path of ours can name it
    return FolderEntry(
        name=shown,
        kind=kind,
        size_bytes=about.st_size if kind == "file" else 0,
        modified_at=about.st_mtime,
        revision=revision.by_stat(about) if kind == "file" else "",
    )


def _kind(mode: int) -> EntryKind:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _shown(name: str) -> str:
    """A name that is no UTF-8 with its odd bytes as `\\xNN`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
