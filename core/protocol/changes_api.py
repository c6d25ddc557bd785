"""The part of a runner's API that says what has changed in an agent's folder, and takes a change back."""

from typing import Final, Literal

import msgspec

from core.protocol.runner_api import AGENT

CHANGES: Final = AGENT + "/changes"  # GET ?since=&session=
BEFORE: Final = AGENT + "/changes/before"  # GET ?since=&session=&path= : the content that a file had
REVERT: Final = AGENT + "/changes/revert"  # POST Revert

KEPT_FILE_BYTES: Final = 1024 * 1024  # contents of larger files are not kept: their changes are told, not shown

Since = Literal["turn", "session"]
ChangeKind = Literal["new", "changed", "deleted"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One file that is not as it was. `added` and `removed` count lines; -1: it is no text, or too large to compare.

    `kept` says that the content before is still there, so that it can be shown and restored.
    """

    path: str
    kind: ChangeKind
    size_bytes: int = 0
    added: int = -1
    removed: int = -1
    revision: str = ""
    kept: bool = False


class ChangeList(msgspec.Struct, frozen=True, kw_only=True):
    """All changes by path. `at` is the time of the snapshot that is compared with, 0: there is none yet.

    `cut`: the folder has more files, or more changes, than are looked at.
    """

    changes: tuple[Change, ...] = ()
    at: float = 0.0
    cut: bool = False


class Revert(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a revert: put back the content that `path` had. `revision` is the one that was seen, empty: deleted."""

    since: Since
    path: str
    session: str = ""
    revision: str = ""


class Reverted(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to a revert. `trash` restores what was there, empty if nothing was."""

    trash: str = ""
