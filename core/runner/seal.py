"""Marks lines in the home's files as the runner's own: an agent's programs can write there, but cannot make the mark.

A line is a JSON object, and its mark is the last member of it: a keyed BLAKE2b hash of the line and of the mark before
it. Lines can therefore not be changed, swapped, added or left out. Only from the end can they be taken; a runner that
opens a log asks the Store what it has. The key is the user's, comes with `Init` over the runner's socket and is in the
memory of the runner alone, which no other program of the box can read.

A log of a version without marks is taken over once: `cover` makes all of it the ground on which the first mark stands.
"""

import hashlib
from copy import copy

START, END = b',"mac":"', b'"}'
DIGITS = 32
MARK_BYTES = len(START) + DIGITS + len(END)
KEY_BYTES = 32


class Seal:
    """The marks of one file, in order. They are worth nothing in a file of another `name`."""

    def __init__(self, key: bytes, name: str) -> None:
        self._key = hashlib.blake2b(name.encode(), key=key[:64], digest_size=KEY_BYTES).digest()
        self._last = b""

    def restarted(self, last: bytes = b"") -> "Seal":
        """Return marks for the same file, from its beginning or after a line with the mark `last`."""
        found = copy(self)
        found._last = last
        return found

    @property
    def last(self) -> bytes:
        """The mark that the next one follows."""
        return self._last

    def cover(self, raw: bytes) -> None:
        """Let the next mark cover `raw`, which the file holds without marks."""
        self._last = self._mark(raw)

    def line(self, body: bytes) -> bytes:
        """Return this JSON object, which is not empty, with its mark."""
        self._last = self._mark(body)
        return body[:-1] + START + self._last + END

    def opened(self, line: bytes) -> bytes | None:
        """Return the object without its mark; None if the mark is not ours, and then nothing has changed here."""
        body = unmarked(line)
        if body is line or (mark := self._mark(body)) != mark_of(line):
            return None
        self._last = mark
        return body

    def _mark(self, body: bytes) -> bytes:
        found = hashlib.blake2b(self._last, key=self._key, digest_size=DIGITS // 2)
        found.update(body)
        return found.hexdigest().encode()


def mark_of(line: bytes) -> bytes:
    """Return what stands where a marked line has its mark."""
    return line[-len(END) - DIGITS : -len(END)]


def unmarked(line: bytes) -> bytes:
    """Return the object without its mark; the very same line if it has none. Says nothing about whose mark it is."""
    if line[-MARK_BYTES : -MARK_BYTES + len(START)] != START or not line.endswith(END):
        return line
    return line[:-MARK_BYTES] + b"}"
