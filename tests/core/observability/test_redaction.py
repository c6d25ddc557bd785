"""Secrets by value: gone from a text in every spelling that programs make of them, and nothing else is."""

import base64
import html
import json
import re
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.observability.redaction import LONGEST, Redactor

VALUES = {
    "key": "sk-ant-canary-0123456789abcdefABCDEF_-AA",
    "password": "p@ss w0rd/+&\"'<>%",
    "korean": "비밀번호는-아무도-몰라요",
    "emoji": "correct🐴battery🔋staple",
    "backslashes": "C:\\secret\\n\\t\\x00",
    "several lines": "first line of a secret\nsecond line of a secret\n",
    "long": "".join(f"{number:03}x" for number in range(500)),
}
SPELLED = {
    "raw": str,
    "in a URL": lambda value: urllib.parse.quote(value, safe=""),
    "in a path": urllib.parse.quote,
    "in a form": urllib.parse.quote_plus,
    "in a URL in small letters": lambda value: re.sub(
        "%..", lambda escape: escape[0].lower(), urllib.parse.quote(value, safe="")
    ),
    "in JSON": json.dumps,
    "in JSON with its own letters": lambda value: json.dumps(value, ensure_ascii=False),
    "in JSON in JSON": lambda value: json.dumps(json.dumps([value])),
    "in JSON for pages": lambda value: re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value)),
    "in JSON with slashes escaped": lambda value: json.dumps(value).replace("/", "\\/"),
    "as Python writes it": repr,
    "in HTML": html.escape,
    "in hex": lambda value: value.encode().hex(),
    "in hex in capitals": lambda value: value.encode().hex().upper(),
    "in base64": lambda value: base64.b64encode(value.encode()).decode(),
    "in base64 behind one character": lambda value: base64.b64encode(b":" + value.encode() + b"\n").decode(),
    "in base64 behind two": lambda value: base64.b64encode(b"u:" + value.encode() + b"\n").decode(),
    "in base64 for URLs": lambda value: base64.urlsafe_b64encode(b"user:" + value.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("spelled", SPELLED.values(), ids=SPELLED.keys())
def test_a_value_is_gone_however_it_is_spelled(value: str, spelled: "type[str]") -> None:
    written = spelled(value)
    text = Redactor([value]).mask_text(f"before {written} after")
    assert text.startswith("before ")
    assert text.endswith(" after")
    middle = text.removeprefix("before ").removesuffix(" after").replace("***", "")
    # quotes, braces and padding around it may stay, and of base64 the characters that hold its neighbours too
    assert len(middle) <= 16, middle
    raw = Redactor([value]).mask_bytes(f"before {written} after".encode())
    assert raw == text.encode()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("before", ["", "TOKEN=", "a line that is longer than most of them are; "])
def test_of_base64_in_lines_at_most_the_piece_at_a_break_is_left(value: str, before: str) -> None:
    """`base64` and `env | base64` print lines of 76 characters."""
    text = Redactor([value]).mask_text(base64.encodebytes(f"{before}{value}".encode()).decode())
    left = text.removeprefix(base64.b64encode(before.encode()).decode().rstrip("="))
    runs = [len(run) for run in re.findall("[A-Za-z0-9+/]+", left)]
    assert max(runs, default=0) < 19 + 3, text  # and what stands beside it in a group of three bytes


def test_nothing_else_is_touched() -> None:
    text = json.dumps({"words": "there is a word, and a wor", "more": ["한국어", "🐴", 1.5, None]}, ensure_ascii=False)
    redactor = Redactor(["words-are-secret", "there is another"])
    assert redactor.mask_text(text) == text
    assert redactor.mask_bytes(text.encode()) == text.encode()
    assert not redactor.contains_secret(text.encode())


def test_no_part_of_overlapping_values_is_left() -> None:
    redactor = Redactor(["one-two-three", "three-four-five", "two"])
    assert redactor.mask_text("zero one-two-three-four-five six") == "zero *** six"


def test_short_values_are_no_secrets_and_none_means_nothing() -> None:
    assert not Redactor(["", "1234567", "   \n  "])
    assert Redactor([]).mask_text("anything") == "anything"


def test_of_a_value_of_many_lines_each_long_line_counts_by_itself() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\nend\n-----END KEY-----\n"
    text = Redactor([key]).mask_text("1: MIIEvQIBADANBgkq\n2: hkiG9w0BAQEFAASC\n3: the end\n")
    assert text == "1: ***\n2: ***\n3: the end\n"


def test_no_spelling_is_longer_than_a_stream_waits_for() -> None:
    assert max(map(len, Redactor(VALUES.values()).spellings)) <= LONGEST


def test_masking_twice_is_masking_once() -> None:
    redactor = Redactor(VALUES.values())
    once = redactor.mask_text(" ".join(VALUES.values()) + json.dumps(VALUES))
    assert redactor.mask_text(once) == once


@given(st.lists(st.text(alphabet="ab", min_size=8, max_size=12), min_size=1, max_size=3), st.text("ab", max_size=80))
def test_what_is_left_holds_no_value(values: list[str], text: str) -> None:
    left = Redactor(values).mask_text(f"{text}{values[0]}")
    assert not any(value in left for value in values)


def test_a_megabyte_takes_no_time_that_anybody_notices() -> None:
    redactor = Redactor([f"{number}-correct-horse-battery-staple" for number in range(50)])
    texts = [pattern * (2**20 // len(pattern)) for pattern in ("a", "1-correct-horse-battery-stapl", "correct 말 ")]
    began = time.process_time()
    for text in texts:
        redactor.mask_text(text)
        redactor.mask_bytes(text.encode())
    assert time.process_time() - began < 20  # it is 0.3 s; what went back and forth would take minutes
