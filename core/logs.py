"""One way to log: text for a person at a terminal, one JSON line an entry for machines; both capped and escaped."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

LINE_CHARS = 4096  # an entry is cut here: names, paths and user agents come from strangers


class TextFormat(logging.Formatter):
    """`12:00:01 INFO oma.gate: …`, control characters escaped so that nobody forges a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        return f"{at:%H:%M:%S} {record.levelname} {record.name}: {escaped(message(record))}"


class JsonFormat(logging.Formatter):
    """Cloud Logging's field names."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "severity": record.levelname,
            "logger": record.name,
            "message": message(record)[:LINE_CHARS],
        }
        return json.dumps(entry, ensure_ascii=False)


def message(record: logging.LogRecord) -> str:
    """What was said, with the traceback of an error behind it."""
    said = record.getMessage()
    if record.exc_info:
        said += "\n" + logging.Formatter().formatException(record.exc_info)
    return said


def escaped(text: str) -> str:
    """One line, at most LINE_CHARS: line breaks, escape sequences and direction marks are spelled out."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:LINE_CHARS])
    return line[:LINE_CHARS]


def install(form: Literal["text", "json"]) -> None:
    """Send everything to stderr in this form; access logs stay off (they would hold socket client ids)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormat() if form == "json" else TextFormat())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("httpx", "uvicorn.error", "uvicorn.access", "aiohttp.access", "watchfiles", "engineio", "socketio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
