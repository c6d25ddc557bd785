"""The files part of a runner's API: an agent's folder, listed, read, written, moved, deleted and restored.

Paths inside the folder are `/`-separated, relative, and travel as the query parameter `path`, so that no client or
server in between can normalise them into another route. The root is the empty path. GET of a folder answers with a
`FolderPage` as JSON and the header `KIND: folder`; of a file, with its bytes, `KIND: file` and an ETag.
"""

from typing import Final, Literal

import msgspec

from core.protocol.runner_api import AGENT

FILES: Final = AGENT + "/files"  # GET, PUT, DELETE  ?path=
MOVE: Final = AGENT + "/files/move"  # POST MovePath
MKDIR: Final = AGENT + "/files/folder"  # POST NewFolder
RESTORE: Final = AGENT + "/files/restore"  # POST RestorePath
ZIP: Final = AGENT + "/files/zip"  # GET ?path=

KIND: Final = "Oma-Kind"
MODIFIED: Final = "Oma-Modified"  # seconds since 1970
PATH_BYTES: Final = 4096
NAME_BYTES: Final = 255
DEEPEST: Final = 100  # folders in folders
LISTED: Final = 1_000  # entries of one page, unless the caller says otherwise
MOST_LISTED: Final = 10_000
SCANNED: Final = 200_000  # names of one folder that are looked at; the others are only said to be there

EntryKind = Literal["file", "folder", "link", "other"]


class FolderEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a folder. `revision` changes when a file does; it is also an ETag that If-Match takes."""

    name: str
    kind: EntryKind
    size_bytes: int = 0
    modified_at: float = 0.0
    revision: str = ""


class FolderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Folders first, then by name. `next` continues the list, empty at its end. `total` counts all entries."""

    path: str
    entries: tuple[FolderEntry, ...] = ()
    total: int = 0
    next: str = ""
    cut: bool = False  # there are more names than anybody looks at


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to PUT: the new ETag. `created` is true if there was no such file before."""

    revision: str
    size_bytes: int
    created: bool


class MovePath(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a move or rename. What is at `target` already is never replaced."""

    source: str
    target: str


class NewFolder(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the making of a folder, with its parents."""

    path: str


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to DELETE. `trash` restores it; empty: it was deleted for good."""

    trash: str = ""


class RestorePath(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a restore: the `trash` of a `Deleted`."""

    trash: str


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to a restore: where it is again."""

    path: str
