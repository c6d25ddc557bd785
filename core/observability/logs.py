"""Logging: text for people at a terminal, or one JSON object per line for machines.

Every entry of web, gateway and runner goes through `EntryFormatter`. It masks secrets, and a stranger's text in an
entry can neither look like an entry of its own nor fill the disk.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal

from core.observability import tracing
from core.observability.log_bounds import FloodFilter, RotatingStderr
from core.observability.redaction import LONGEST, Redactor

LINE_BYTES = 4096  # an entry with all its fields
MESSAGE_BYTES = 3200
LOGGER_BYTES = 80  # also a file's and a function's name
READ_CHARS = 16 * 1024  # of either end of a message; the middle of a longer one is dropped unread
CUT = " [… cut …] "

GOOGLE = "logging.googleapis.com"
PROGRAM = f"{Path(__file__).resolve().parents[2]}/"

FLOODED = ("gateway",)  # boxes can make these parts write what they like, and as often as they like

NOISY = ("httpx", "httpx2", "uvicorn.error", "uvicorn.access", "aiohttp.access", "watchfiles", "engineio", "socketio")


class EntryFormatter(logging.Formatter):
    """Base of both formats: masks secrets and cuts a long message in its middle, since a traceback's end says most."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def message(self, record: logging.LogRecord, spell: Callable[[str], str]) -> str:
        """Return the message with each character written by `spell`, in at most MESSAGE_BYTES."""
        text = _message(record)
        if len(text) <= 2 * READ_CHARS:
            return truncate_middle(self._redactor.mask_line(text), MESSAGE_BYTES, spell)
        # A secret that is cut in two is not recognised, so LONGEST characters at the cut are dropped.
        head = self._redactor.mask_line(text[:READ_CHARS])[:-LONGEST]
        tail = self._redactor.mask_line(text[-READ_CHARS:])[LONGEST:]
        return truncate_middle(head + CUT + tail, MESSAGE_BYTES, spell)


class TextFormat(EntryFormatter):
    """The text format, `12:00:01 INFO oma.gateway: …`. Control characters are escaped, so that nobody forges a line."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        logger = truncate_middle(record.name, LOGGER_BYTES, _visible)
        here = tracing.current.get()
        belongs = f" trace={here.trace_id}" if here else ""
        return f"{at:%H:%M:%S} {record.levelname} {logger}: {self.message(record, _visible)}{belongs}"


class JsonFormat(EntryFormatter):
    """The JSON format of Cloud Logging. `part` names our process; `project` is where its traces are stored."""

    def __init__(self, redactor: Redactor, *, part: str = "", project: str = "") -> None:
        super().__init__(redactor)
        self._labels = f',"{GOOGLE}/labels":{json.dumps({"process": part})}' if part else ""
        self._traces = f"projects/{project}/traces/" if project else ""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        logger, said = truncate_middle(record.name, LOGGER_BYTES, _in_json), self.message(record, _in_json)
        head = f'"time":"{at}","severity":"{record.levelname}","logger":"{logger}"'
        return f'{{{head}{self._labels}{_source(record)}{self._trace()},"message":"{said}"}}'

    def _trace(self) -> str:
        here = tracing.current.get()
        if here is None:
            return ""
        whole = json.dumps(self._traces + here.trace_id)
        return f',"{GOOGLE}/trace":{whole},"{GOOGLE}/spanId":"{here.span_id}","{GOOGLE}/trace_sampled":true'


def _source(record: logging.LogRecord) -> str:
    """Return the source location of an entry as a JSON field."""
    path = truncate_middle(record.pathname.removeprefix(PROGRAM), LOGGER_BYTES, _in_json)
    function = truncate_middle(record.funcName or "", LOGGER_BYTES, _in_json)
    return f',"{GOOGLE}/sourceLocation":{{"file":"{path}","line":"{record.lineno}","function":"{function}"}}'


def _message(record: logging.LogRecord) -> str:
    """Return the message, followed by the traceback of its error."""
    try:
        said = record.getMessage()
    except (TypeError, ValueError, KeyError) as error:  # an entry of a library: the text without its arguments
        said = f"{record.msg} ({error})"
    if record.exc_info:
        said += "\n" + logging.Formatter().formatException(record.exc_info)
    return said


def escape_line(text: str, longest: int = MESSAGE_BYTES) -> str:
    """Return one line of at most `longest` characters; line breaks, escape sequences, direction marks are escaped."""
    return "".join(map(_visible, text[:longest]))[:longest]


def truncate_middle(text: str, most_bytes: int, spell: Callable[[str], str]) -> str:
    """Return `text` with each character written by `spell`; a text that is too long loses its middle."""
    if len(text) <= most_bytes and text.isprintable() and len((all_at_once := spell(text)).encode()) <= most_bytes:
        return all_at_once
    head, tail = text[:most_bytes], text[-most_bytes:]
    whole = [spell(character) for character in head]
    if len(text) <= most_bytes and _size(whole) <= most_bytes:
        return "".join(whole)
    room = (most_bytes - _size([CUT])) // 2
    end = _within([spell(character) for character in reversed(tail)], room)
    return "".join([*_within(whole, room), CUT, *reversed(end)])


def _within(pieces: list[str], most_bytes: int) -> list[str]:
    size = 0
    for number, piece in enumerate(pieces):
        size += _size([piece])
        if size > most_bytes:
            return pieces[:number]
    return pieces


def _size(pieces: Iterable[str]) -> int:
    return sum(len(piece.encode()) for piece in pieces)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _in_json(character: str) -> str:
    """Write a character inside a JSON string; unprintable ones are escaped, though JSON would allow most of them."""
    return json.dumps(character, ensure_ascii=not character.isprintable())[1:-1]


def configure_logging(
    form: Literal["text", "json"], secrets: Iterable[str] = (), *, part: str = "", project: str = ""
) -> None:
    """Log entries, warnings and uncaught errors to stderr in this form, with the values of `secrets` masked.

    Access logs stay off (they would hold the client ids of sockets). May be called again when more is known.
    """
    redactor = Redactor(secrets)
    handler = RotatingStderr() if part in FLOODED else logging.StreamHandler(sys.stderr)
    if part in FLOODED:
        handler.addFilter(FloodFilter())
    handler.setFormatter(JsonFormat(redactor, part=part, project=project) if form == "json" else TextFormat(redactor))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda ended: _log_uncaught(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    """Log an uncaught error as one entry; Python itself would print many lines, unmasked."""
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    logging.getLogger("oma").critical("not caught: %s", kind.__name__, exc_info=(kind, error or RuntimeError(), where))
