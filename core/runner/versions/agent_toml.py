"""`agent.toml`: what of an agent's definition Claude Code's own files have no place for, with a person's comments.

The platform writes it and does not read it, apart from an import: the agent could have changed it.
"""

import json
import tomllib
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

NAME = "agent.toml"
MOST_BYTES = 256 * 1024
HEAD = (
    "The definition of an agent of Oh My Agent. The platform writes this file; comments stay.",
    "To change it, use the agent's page: values that are changed here are not read, apart from an import.",
)


def written(old: bytes | None, values: dict[str, Any]) -> bytes:
    """The file with these values. What the old one says besides goes, its comments at values that stay do not."""
    document = _parsed(old)
    if document is None:
        document = tomlkit.document()
        for line in HEAD:
            document.add(tomlkit.comment(line))
    _merge(document, values)
    return tomlkit.dumps(document).encode()


def values(raw: bytes | None) -> dict[str, Any]:
    """The plain values of a file from anywhere; none if it cannot be read."""
    if raw is None or len(raw) > MOST_BYTES:
        return {}
    try:
        return json.loads(json.dumps(tomllib.loads(raw.decode()), default=str))  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        return {}


def _parsed(old: bytes | None) -> "tomlkit.TOMLDocument | None":
    if old is None or len(old) > MOST_BYTES:
        return None
    try:
        return tomlkit.parse(old.decode())
    except (TOMLKitError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _merge(into: "tomlkit.TOMLDocument | Table", values: dict[str, Any]) -> None:
    for name in [name for name in into if name not in values]:
        del into[name]
    for name, value in values.items():
        there = into.get(name)
        if isinstance(value, dict) and isinstance(there, Table):
            _merge(there, value)
        elif there is None or there.unwrap() != value:
            into[name] = value
