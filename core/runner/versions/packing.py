"""An agent as a ZIP file: packed for taking home, and unpacked from anywhere without running or following anything."""

import json
import stat
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec

from core.domain.errors import BadInput
from core.protocol.versions_api import Imported
from core.runner.folder_requests import wants
from core.runner.versions import agent_toml
from core.runner.versions.tree import (
    FILE_BYTES,
    FILES,
    PATH_CHARS,
    SKIPPED,
    TOTAL_BYTES,
    File,
    Tree,
    opened,
    write_path,
)

DATE = (2020, 1, 1, 0, 0, 0)  # the same files are the same archive
RULES, RULE_CHARS = 50, 200  # pre-allowed tools that are told


def packed(tree: Tree) -> bytes:
    """The tree as a ZIP file."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree):
            entry = zipfile.ZipInfo(path, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if tree[path].executable else 0o100644) << 16
            archive.writestr(entry, tree[path].content)
    return out.getvalue()


def unpacked(raw: bytes) -> Tree:
    """The files of a ZIP file. Raises: BadInput (`bad_archive`): it is none, or has something in it that is refused."""
    try:
        with zipfile.ZipFile(BytesIO(raw)) as archive:
            return _below_one_folder(_read(archive))
    except BadInput:
        raise
    except Exception as error:  # the library stumbles over made-up archives in many ways
        raise _refused("it cannot be read as a ZIP file") from error


def imported(raw: bytes, folder: Path) -> Imported:
    """Write an archive's files into an agent's new folder, and tell what they ask for. Nothing of it is in force.

    Raises: BadInput (`bad_archive`). OSError.
    """
    tree = unpacked(raw)
    with opened(folder) as root:
        for path, file in tree.items():
            write_path(root, path, file)
    found = tree.get(agent_toml.NAME)
    return Imported(
        files=len(tree),
        agent_toml=agent_toml.values(found.content if found else None),
        held=wants(folder, ()).held,
        allowed=_allowed(tree.get(".claude/settings.json")),
    )


def _read(archive: zipfile.ZipFile) -> Tree:
    entries = archive.infolist()
    if len(entries) > FILES:
        raise _refused(f"it has more than {FILES} files")
    tree: Tree = {}
    room, seen = TOTAL_BYTES, set[str]()
    for entry in entries:
        if entry.is_dir():
            continue
        path = _path(entry)
        if path is None:
            continue
        if path.casefold() in seen:
            raise _refused(f"two files have the name {path[:80]!r}")
        seen.add(path.casefold())
        with archive.open(entry) as file:
            content = file.read(min(room, FILE_BYTES) + 1)  # whatever the entry says of its own size
        room -= len(content)
        if len(content) > FILE_BYTES or room < 0:
            raise _refused(f"it unpacks to more than {TOTAL_BYTES >> 20} MiB, or one file to {FILE_BYTES >> 20} MiB")
        tree[path] = File(content, executable=bool(entry.external_attr >> 16 & 0o100))
    if not tree:
        raise _refused("there are no files in it")
    return tree


def _path(entry: zipfile.ZipInfo) -> str | None:
    """The entry's path; None: it is left out, as what programs make again. Raises: BadInput."""
    name, mode = entry.filename, entry.external_attr >> 16
    parts = name.split("/")
    if entry.flag_bits & 1:
        raise _refused("it is encrypted")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise _refused(f"{name[:80]!r} is a link or a device")
    plain = name.isprintable() and "\\" not in name and ":" not in name and len(name) <= PATH_CHARS
    if not plain or any(part in ("", ".", "..") or part != part.strip() for part in parts):
        raise _refused(f"the name {ascii(name)[:80]} leads out of its folder, or is no plain name")
    return None if SKIPPED.intersection(parts) else name


def _below_one_folder(tree: Tree) -> Tree:
    """Without the one folder that all files lie in, as archives of a folder have it."""
    tops = {path.split("/", 1)[0] for path in tree}
    if len(tops) != 1 or any("/" not in path for path in tree) or next(iter(tops)) in (".claude", "tests"):
        return tree
    return {path.split("/", 1)[1]: file for path, file in tree.items()}


def _allowed(settings: File | None) -> tuple[str, ...]:
    """The tools that the folder's settings would allow unasked; the platform does not heed them."""
    try:
        said: Any = json.loads(settings.content) if settings else {}
        found = said.get("permissions", {}).get("allow", [])
        return tuple(rule[:RULE_CHARS] for rule in found if isinstance(rule, str))[:RULES]
    except (ValueError, RecursionError, AttributeError, TypeError, msgspec.ValidationError):
        return ()


def _refused(why: str) -> BadInput:
    return BadInput(f"This archive is not taken: {why}.", code="bad_archive")
