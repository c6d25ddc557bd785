"""The part of a runner's HTTP API that concerns versions of an agent and its instructions, declared once.

A version is a commit in a repository that the runner keeps outside the agent's folder. Programs in the box can write
there too, so the Store keeps the digest of each version, and a runner refuses a version that does not fit its digest.
"""

from typing import Any, Final, Literal

import msgspec

from core.protocol.runner_api import AGENT

VERSIONS: Final = AGENT + "/versions"
RESTORE: Final = VERSIONS + "/restore"
DIFF: Final = VERSIONS + "/diff"
PACK: Final = VERSIONS + "/pack"  # POST; the answer is a ZIP file
IMPORT: Final = AGENT + "/import"  # POST; the body is a ZIP file
DUPLICATE: Final = AGENT + "/duplicate"
INSTRUCTIONS: Final = AGENT + "/instructions"

INSTRUCTIONS_FILE: Final = "CLAUDE.md"
INSTRUCTIONS_CHARS: Final = 100_000
NOTE_CHARS: Final = 300


class VersionRef(msgspec.Struct, frozen=True, kw_only=True):
    """Names a version's content: the commit, and the SHA-256 over all paths, modes and contents in it."""

    commit: str
    digest: str


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/versions: commit the folder as it is. `agent_toml` is what `agent.toml` has to say."""

    number: int
    note: str = ""
    parent: str = ""
    agent_toml: dict[str, Any]


class Published(VersionRef, frozen=True, kw_only=True):
    """Answer of POST …/versions. `left_out` are paths that no version holds: links, and what is too large."""

    files: int
    size_bytes: int
    left_out: tuple[str, ...] = ()
    instructions: str = ""


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/versions/restore: make the agent's folder what this version was. Files beside it stay."""

    version: VersionRef


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST …/versions/restore. `before` is the folder as it was, committed first: nothing is lost."""

    before: VersionRef


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/versions/pack: the version, None for the folder as it is, and the content of its `agent.toml`."""

    version: VersionRef | None = None
    agent_toml: dict[str, Any]


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/duplicate: copy the folder's files into the folder of this new agent."""

    target: str


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST …/import. `held` are hooks, helpers and servers that the files ask for (`mcp__<server>`);
    `allowed` are tools that their settings would allow unasked. Nothing of either is in force.
    """

    files: int
    agent_toml: dict[str, Any] = {}
    held: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


class DiffRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/versions/diff; None is the folder as it is."""

    before: VersionRef | None
    after: VersionRef | None


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """One file that differs. A text is None where there is no file, or none that can be shown as text."""

    path: str
    status: Literal["added", "removed", "changed"]
    before: str | None = None
    after: str | None = None


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST …/versions/diff, by path. `more` files differ besides."""

    changes: tuple[FileChange, ...] = ()
    more: int = 0


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of GET …/instructions, and body of PUT: there, `etag` names the text that the writer has seen.

    Both are empty while there is no file. `cut`: the file is longer than the text here, and cannot be written.
    """

    text: str = ""
    etag: str = ""
    cut: bool = False
