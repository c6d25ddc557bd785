"""Masks known secret values in any text, in every encoding that programs commonly use.

This is only a safety net: a program that has a secret can always write it in an unknown encoding. Very short values are
not masked, because they would match half of all text.
"""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import AnyStr
from urllib.parse import quote, quote_plus

from core.observability import secret_patterns
from core.observability.secret_patterns import MASK

SHORTEST = 8  # characters of a value; shorter ones are common words or numbers
SHORTEST_LINE = 12  # of one line of a value with several lines, which are often common words
LONGEST = 256  # characters of a spelling: longer ones are looked for piece by piece, so that a stream waits for no more
BASE64_PIECE = 19  # characters: programs break base64 after 76, four of these, and somewhere if more stands before it
ESCAPE = re.compile("%[0-9A-F]{2}")
IN_PAGES = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&"})  # as Go writes JSON


class Redactor:
    """Masks a fixed set of values. It is immutable: for another value, make another one."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        every = {piece for value in values for spelling in _spellings(value) for piece in _pieces(spelling)}
        self.spellings = tuple(sorted(every))
        self._raw = tuple(spelling.encode(errors="surrogateescape") for spelling in self.spellings)

    def __bool__(self) -> bool:
        return bool(self.spellings)

    def contains_secret(self, data: bytes) -> bool:
        """Return whether there is anything to mask; much faster than masking."""
        return any(spelling in data for spelling in self._raw)

    def mask_text(self, text: str) -> str:
        """Replace every character that belongs to a value; adjacent values become one mask."""
        return "".join(_parts(text, covered_spans(text, self.spellings), MASK))

    def mask_bytes(self, data: bytes) -> bytes:
        """Mask values in bytes."""
        return b"".join(_parts(data, covered_spans(data, self._raw), MASK.encode()))

    def mask_line(self, text: str) -> str:
        """Mask the values and whatever looks like a secret: for logs."""
        return secret_patterns.mask(self.mask_text(text))


def covered_spans(text: AnyStr, spellings: Iterable[AnyStr]) -> list[tuple[int, int]]:
    """Return the spans of `text` that consist of spellings, in order; overlapping ones are joined."""
    found = sorted(span for spelling in spellings if spelling in text for span in _places(spelling, text))
    spans: list[tuple[int, int]] = []
    for start, end in found:
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _places(spelling: AnyStr, text: AnyStr) -> Iterator[tuple[int, int]]:
    at = text.find(spelling)
    while at >= 0:
        yield at, at + len(spelling)
        at = text.find(spelling, at + 1)


def _parts(text: AnyStr, spans: list[tuple[int, int]], mask: AnyStr) -> Iterator[AnyStr]:
    done = 0
    for start, end in spans:
        yield text[done:start]
        yield mask
        done = end
    yield text[done:]


def _spellings(value: str) -> Iterator[str]:
    """Yield the value as it is, line by line, and in the encodings that programs make of it."""
    lines = [line.strip() for line in value.splitlines()]
    wanted = {value, value.strip(), *(line for line in lines if len(line) >= SHORTEST_LINE)}
    for text in wanted:
        if len(text) >= SHORTEST:
            yield from (spelled for spelled in _encodings(text) if len(spelled) >= SHORTEST)


def _encodings(text: str) -> Iterator[str]:
    yield text
    for quoted in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield quoted
        yield ESCAPE.sub(lambda escape: escape[0].lower(), quoted)
        yield quoted.replace("%", "%25")  # a URL in a URL
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]):
        yield escaped
        yield json.dumps(escaped)[1:-1]  # JSON in JSON: what a tool printed, in an event
        yield escaped.translate(IN_PAGES)
        yield escaped.replace("/", "\\/")
    yield html.escape(text)
    raw = text.encode(errors="surrogateescape")
    yield raw.hex()
    yield raw.hex().upper()
    for shift in range(3):
        inner = _base64(raw, shift)
        yield from _pieces(inner, BASE64_PIECE)
        yield from _pieces(inner.replace("+", "-").replace("/", "_"), BASE64_PIECE)
        yield quote(inner, safe="")


def _base64(raw: bytes, shift: int) -> str:
    """Return the base64 characters that depend on the value alone, if it begins `shift` bytes into a group of three."""
    encoded = b64encode(bytes(shift) + raw).decode()
    first = (0, 2, 3)[shift]  # characters that the bytes before it have a part in
    return encoded[first : len(encoded) - (0, 3, 2)[(shift + len(raw)) % 3]]


def _pieces(spelling: str, longest: int = LONGEST) -> Iterator[str]:
    """Yield pieces of at most `longest` characters, each long enough to be searched for."""
    while len(spelling) > longest:
        cut = longest if len(spelling) - longest >= SHORTEST else longest - SHORTEST
        yield spelling[:cut]
        spelling = spelling[cut:]
    yield spelling
