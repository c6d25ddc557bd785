"""The payloads, harmless text of the same shape to compare with, and what of a text must be readable."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

FILE = Path(__file__).with_name("payloads.txt")
CANARY = "PWNED"
# What the pages show as ⟨U+202E⟩ where something is approved, and browsers show as nothing elsewhere.
HIDDEN = re.compile(
    "⟨U\\+[0-9A-F]{4,5}⟩|[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufeff\ufffd\uffa0\U000e0000-\U000e007f]"
)
READ = 100  # characters of a payload that must be there: pages cut what is long


def payloads() -> list[str]:
    """Each as it arrives."""
    lines = [line for line in FILE.read_text("utf-8").split("\n") if line and not line.startswith("# ")]
    return [json.loads(line[5:]) if line.startswith('json "') else line for line in lines]


def harmless(payload: str) -> str:
    """Return a harmless text of the same length, spaces and line ends, so that pages lay it out with the
    same elements.
    """
    return re.sub(r"\S", "b", HIDDEN.sub(lambda found: found[0] if found[0].isspace() else "b", payload))


def readable(text: str) -> str:
    """The text as a reader's eye has it: without spaces and what cannot be seen."""
    return re.sub(r"\s", "", HIDDEN.sub("", text))


def first_line(payload: str) -> str:
    """Return the part that pages show in a single line."""
    return payload.strip().splitlines()[0].strip()[:READ]


def missing(wanted: Iterable[str], page: str) -> list[str]:
    """Return the payloads whose beginning the page does not show, character for character."""
    there = readable(page)
    return [one for one in wanted if readable(first_line(one)) not in there]
