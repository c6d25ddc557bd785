"""Counts the lines that were added to a text and taken from it, in bounded time."""

from difflib import SequenceMatcher

MOST_LINES = 2_000  # of the part that differs; longer parts count as all out, all in


def counts(before: bytes, after: bytes) -> tuple[int, int]:
    """(added, removed); -1 for both if either is no text."""
    try:
        old, new = before.decode().splitlines(), after.decode().splitlines()
    except UnicodeDecodeError:
        return -1, -1
    if b"\0" in before or b"\0" in after:
        return -1, -1
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if len(old) > MOST_LINES or len(new) > MOST_LINES:
        return len(new), len(old)
    same = sum(block.size for block in SequenceMatcher(None, old, new, autojunk=True).get_matching_blocks())
    return len(new) - same, len(old) - same
