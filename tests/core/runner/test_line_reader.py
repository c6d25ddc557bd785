"""Tests that the same lines come out, whatever bytes arrive in whatever pieces."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from core.runner.cli import parse
from core.runner.line_reader import LineReader


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")), max_size=20), st.integers(1, 50))
def test_lines_do_not_depend_on_how_they_are_cut_into_chunks(lines: list[bytes], size: int) -> None:
    raw = b"".join(line + b"\n" for line in lines)
    reader = LineReader()
    got = [line for at in range(0, len(raw), size) for line in reader.feed(raw[at : at + size])]
    assert got == [line.strip() for line in lines if line.strip()]
    assert reader.dropped == 0


def test_a_line_over_the_limit_is_dropped_and_counted_and_the_next_one_is_read() -> None:
    reader = LineReader(limit_bytes=100)
    assert reader.feed(b"x" * 90) == []
    assert reader.feed(b"x" * 90) == []
    assert reader.feed(b"x" * 90 + b"\nnext\n" + b"y" * 101 + b"\nlast") == [b"next"]
    assert reader.feed(b"\n") == [b"last"]
    assert reader.dropped == 2


def test_the_fault_corpus_is_read_without_an_error() -> None:
    assert parse(b'{"i":1}') == {"i": 1}
    assert parse(b'{"t":"\xff\xfe\xc3"}') == {"t": "\ufffd\ufffd\ufffd"}
    assert parse(b'{"t":"\\ud800"}') == {"t": "?"}
    assert parse('{"t":"€😀"}'.encode()) == {"t": "€😀"}
    assert parse(b'{"t":"a\\u2028b\xe2\x80\xa8c"}') == {"t": "a\u2028b\u2028c"}
    assert parse(b'{"n":1e999}') is None or json.dumps(parse(b'{"n":1e999}'))
    for junk in (b"not json", b"[1]", b'{"cut": tr', b"{" * 10_000, b"", b"null", b'{"a":' * 100_000):
        assert parse(junk) is None
