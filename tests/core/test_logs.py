"""Logs: one line an entry, whatever a stranger calls themselves."""

import json
import logging
import sys

from core.logs import LINE_CHARS, JsonFormat, TextFormat

HOSTILE = "eve\n12:00:00 INFO oma: forged \x1b[2J\u202e"


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("oma", logging.INFO, __file__, 1, "said %s", (text,), None)


def test_a_name_with_line_breaks_and_escapes_cannot_forge_a_line() -> None:
    line = TextFormat().format(record(HOSTILE))
    assert "\n" not in line
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_a_json_entry_is_one_line_and_capped() -> None:
    line = JsonFormat().format(record(HOSTILE * 10_000))
    assert "\n" not in line
    assert len(json.loads(line)["message"]) <= LINE_CHARS


def test_an_error_keeps_its_traceback() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        entry = logging.LogRecord("oma", logging.ERROR, __file__, 1, "broke", (), sys.exc_info())
    assert "ValueError: why" in TextFormat().format(entry)
