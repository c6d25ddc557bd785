"""Logs: one short line an entry, whatever a stranger calls themselves, and no secret in it."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core.observability import tracing
from core.observability.logs import LINE_BYTES, EntryFormatter, JsonFormat, TextFormat
from core.observability.redaction import Redactor
from tests.canary import KEY

ROOT = Path(__file__).resolve().parents[3]
SECRET = "correct-horse-battery-staple"
SOURCE = "logging.googleapis.com/sourceLocation"
FORMS = pytest.mark.parametrize("form", [TextFormat, JsonFormat])
HOSTILE = {
    "a forged line": "eve\n12:00:00 INFO oma: forged",
    "carriage return": "x\r12:00:00 INFO oma: forged",
    "other separators": "a\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029b",
    "terminal": "\x1b[2J\x1b]0;title\x07\x9b31m",
    "direction": "\u202e\u2066\u200f",
    "invisible": "\u200b\ufeff\U000e0041",
    "half a character": "\udcff\ud800",
    "nul": "\x00",
    "quotes": '","severity":"CRITICAL","x":"\\',
    "long": "y" * 10_000_000,
    "long in bytes": "한" * 1_000_000,
    "long once spelled out": "\U000e0041" * 10_000,
    "long quotes": '"\\' * 100_000,
}


def record(text: str, *, logger: str = "oma") -> logging.LogRecord:
    return logging.LogRecord(logger, logging.INFO, __file__, 1, "said %s", (text,), None, "work")


@FORMS
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_stranger_says_stays_one_short_visible_line(form: type[EntryFormatter], text: str) -> None:
    line = form(Redactor()).format(record(text, logger="oma." + text[:300]))
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    assert len(line.encode()) < LINE_BYTES


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_json_entry_has_our_fields_and_no_others(text: str) -> None:
    entry = json.loads(JsonFormat(Redactor()).format(record(text)))
    assert list(entry) == ["time", "severity", "logger", SOURCE, "message"]
    assert entry["severity"] == "INFO"
    if len(text) < 100 and "\ud800" not in text:
        assert entry["message"] == f"said {text}"


def test_an_entry_says_where_it_was_logged_and_to_which_trace_it_belongs() -> None:
    here = tracing.message_trace("s1", "m1")
    form = JsonFormat(Redactor(), part="web", project="agents-1")
    with tracing.use_trace(here):
        entry, text = json.loads(form.format(record("x"))), TextFormat(Redactor()).format(record("x"))
    cloud = {
        name.partition("/")[2]: value for name, value in entry.items() if name.startswith("logging.googleapis.com/")
    }
    assert cloud == {
        "labels": {"process": "web"},
        "sourceLocation": {"file": "tests/core/observability/test_logs.py", "line": "1", "function": "work"},
        "trace": f"projects/agents-1/traces/{here.trace_id}",
        "spanId": here.span_id,
        "trace_sampled": True,
    }
    assert text.endswith(f"said x trace={here.trace_id}")


def test_the_longest_entry_with_all_its_fields_is_short_enough() -> None:
    entry = logging.LogRecord(
        "l" * 500, logging.CRITICAL, "/" + "한" * 500, 10**6, "x" * 10_000, (), None, "\u202e" * 500
    )
    with tracing.use_trace(tracing.new_trace()):
        line = JsonFormat(Redactor(), part="gateway", project="p" * 30).format(entry)
    assert len(line.encode()) < LINE_BYTES
    assert json.loads(line)["severity"] == "CRITICAL"


@FORMS
def test_an_error_keeps_the_end_of_its_traceback_however_much_was_said(form: type[EntryFormatter]) -> None:
    try:
        raise ValueError("why")
    except ValueError:
        entry = logging.LogRecord("oma", logging.ERROR, __file__, 1, "broke %s", ("x" * 50_000,), sys.exc_info())
    line = form(Redactor()).format(entry)
    assert line.rstrip('"}').endswith("ValueError: why")
    assert "broke xxx" in line


@FORMS
@pytest.mark.parametrize("before", [0, 3_000, 16_370, 16_384, 50_000])
def test_no_cut_leaves_a_part_of_a_secret(form: type[EntryFormatter], before: int) -> None:
    line = form(Redactor([SECRET])).format(record("-" * before + SECRET + "-" * 100_000))
    assert "horse" not in line
    line = form(Redactor([SECRET])).format(record("-" * 100_000 + SECRET + "-" * before))
    assert "horse" not in line


@FORMS
@pytest.mark.parametrize("shift", range(0, len(SECRET), 5))
def test_no_cut_leaves_a_part_where_masking_made_a_long_text_short(form: type[EntryFormatter], shift: int) -> None:
    line = form(Redactor([SECRET])).format(record("-" * shift + SECRET * 5_000 + "-" * shift))
    assert not re.search("corr|horse|batt|stap|aple", line)


@FORMS
def test_a_secret_in_a_traceback_or_an_argument_is_masked(form: type[EntryFormatter]) -> None:
    try:
        raise ValueError(f"the key {SECRET} was refused")
    except ValueError:
        entry = logging.LogRecord("oma", logging.ERROR, __file__, 1, "%s", ({"key": SECRET},), sys.exc_info())
    line = form(Redactor([SECRET])).format(entry)
    assert "horse" not in line
    assert "the key *** was refused" in line


def test_an_entry_with_the_wrong_arguments_is_still_one() -> None:
    entry = logging.LogRecord("lib", logging.INFO, __file__, 1, "%d of %s", ("x",), None)
    assert "%d of %s" in TextFormat(Redactor()).format(entry)


END = """
import logging, sys, threading, warnings
from core.observability import logs
logs.configure_logging("json", ["correct-horse-battery-staple"])
warnings.warn("correct-horse-battery-staple\\nforged")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
logging.getLogger("a.library").info("correct-horse-battery-staple")
raise RuntimeError("correct-horse-battery-staple\\nforged")
"""


def test_warnings_and_what_nobody_caught_are_entries_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", END], cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    entries = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [entry["severity"] for entry in entries] == ["WARNING", "CRITICAL", "INFO", "CRITICAL"]
    assert "horse" not in done.stderr
    assert "ZeroDivisionError" in entries[1]["message"]
    assert "RuntimeError: ***\nforged" in entries[3]["message"]


def test_a_key_that_went_into_the_wrong_variable_is_not_printed() -> None:
    environ = {"OMA_MODEL": f"{KEY}\nforged", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "main.py"], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("oh-my-agent: OMA_MODEL is '***")
    assert KEY[:20] not in done.stderr
    assert len(done.stderr.splitlines()) == 1
