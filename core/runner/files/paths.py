"""Checks paths inside an agent's folder before the kernel sees them. The walls are in beneath.py, not here."""

from core.domain.errors import BadInput
from core.protocol.files_api import DEEPEST, NAME_BYTES, PATH_BYTES


def parts_of(path: str) -> tuple[str, ...]:
    """The names on the way to `path`; empty for the folder itself.

    Raises: BadInput: it is absolute, has `.`, `..`, an empty name or NUL in it, is no UTF-8, or is too long.
    """
    if not path:
        return ()
    try:
        size = len(path.encode())
    except UnicodeEncodeError as error:
        raise BadInput("the path is not UTF-8", code="bad_path") from error
    names = tuple(path.split("/"))
    if size > PATH_BYTES or len(names) > DEEPEST or "\0" in path:
        raise BadInput("the path is too long, or has NUL in it", code="bad_path")
    if any(name in ("", ".", "..") or len(name.encode()) > NAME_BYTES for name in names):
        raise BadInput("the path is not below the folder", code="bad_path")
    return names


def new_parts_of(path: str) -> tuple[str, ...]:
    """Split a path as `parts_of` does, for a new entry: its name has to be harmless on other systems, too."""
    names = parts_of(path)
    if not names or any("\\" in name or not name.isprintable() or name != name.strip() for name in names):
        raise BadInput("the name has characters that it may not have", code="bad_path")
    return names
