"""Limits the sizes of what goes into the log: the CLI's output is cut to what a page and a store can handle."""

import re
from typing import Any

import msgspec

from core.domain.events import Picture

CONTENT_CHARS = 64 * 1024  # of one tool result
PICTURE_CHARS = 700_000  # of one picture in base64: 512 KiB
PICTURES = 4  # of one tool result
PICTURE_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
INPUT_CHARS = 512 * 1024  # of all strings of a tool's input together; a longer request is denied
DEPTH = 12
TEXT_BYTES = 7 * 1024 * 1024  # of one event, encoded: ingest takes 8 MiB at once


def content(raw: object) -> tuple[str, int]:
    """Return (a tool result as text, cut; its whole length). Parts that are neither text nor a kept picture
    are named.
    """
    parts = raw if isinstance(raw, list) else [raw]
    text = "\n".join(_part(part) for part in parts if part is not None and _picture(part) is None)
    return text[:CONTENT_CHARS], len(text)


def result(raw: object, told: object) -> tuple[str, int]:
    """Return (a tool result as text, cut; its whole length). `told` is the tool's own record, if the CLI passes it on.

    The CLI puts a large result into a file and tells the model so; here it is what was printed, not what was told.
    """
    text, size = content(raw)
    if error := _ERROR.fullmatch(text):
        return error[1], len(error[1])
    persisted = _PERSISTED.fullmatch(text)
    if persisted is None:
        return text, size
    record = told if isinstance(told, dict) else {}
    printed, whole = record.get("stdout"), record.get("persistedOutputSize")
    if not isinstance(whole, int):
        whole = int(float(persisted["size"]) * _UNITS[persisted["unit"]])
    printed = printed if isinstance(printed, str) and printed else persisted["preview"]
    return printed[:CONTENT_CHARS], max(whole, len(printed))


_ERROR = re.compile(r"<tool_use_error>(.*)</tool_use_error>\s*", re.S)
_UNITS = {"bytes": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_PERSISTED = re.compile(
    r"<persisted-output>\nOutput too large \((?P<size>\d{1,9}(?:\.\d{1,3})?) ?(?P<unit>bytes|[KMG]?B)\)[^\n]*\n\n"
    r"Preview[^\n]*\n(?P<preview>.*?)(?:\n\.\.\.)?\n</persisted-output>\s*",
    re.S,
)


def pictures(raw: object) -> tuple[Picture, ...]:
    """Return the pictures in a tool result that are small enough to be kept."""
    found = [_picture(part) for part in raw] if isinstance(raw, list) else []
    return tuple(picture for picture in found if picture)[:PICTURES]


def _picture(part: object) -> Picture | None:
    source = part.get("source") if isinstance(part, dict) and part.get("type") == "image" else None
    if not isinstance(source, dict):
        return None
    kind, data = source.get("media_type"), source.get("data")
    small = isinstance(data, str) and len(data) <= PICTURE_CHARS
    return Picture(media_type=str(kind), data=str(data)) if small and kind in PICTURE_KINDS else None


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return str(part)
    text = part.get("text")
    return text if isinstance(text, str) else f"[{str(part.get('type', 'data'))[:40]}]"


def text(raw: str) -> str:
    """Return the model's text: whole, unless it is so large that the gateway would refuse it."""
    while len(raw) > TEXT_BYTES // 6 and len(msgspec.json.encode(raw)) > TEXT_BYTES:
        raw = raw[: len(raw) // 2]
    return raw


def tool_input(raw: object) -> dict[str, Any]:
    """Return a tool's input, whole up to INPUT_CHARS. The same input is always cut in the same way."""
    if not isinstance(raw, dict):
        return {}
    budget = [INPUT_CHARS]
    return {str(key)[:200]: _value(value, budget, DEPTH) for key, value in list(raw.items())[:200]}


def _value(value: Any, budget: list[int], depth: int) -> Any:
    if isinstance(value, str):
        room = max(0, budget[0])
        budget[0] -= min(len(value), room)
        return value if len(value) <= room else f"{value[:room]}… [{len(value) - room} more characters]"
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth == 0:
        return "…"
    if isinstance(value, dict):
        return {str(key)[:200]: _value(item, budget, depth - 1) for key, item in list(value.items())[:200]}
    if isinstance(value, list):
        return [_value(item, budget, depth - 1) for item in value[:1000]]
    return str(value)[:200]
