"""Replaces invisible characters in every text that is a command, a path, a name or a title by their code points.

Invisible characters and those that change the direction of writing make a text read as another one. `visible` writes
each as `⟨U+202E⟩`; the joiner inside an emoji is left alone. Prose of people and models is not escaped.
"""

import json
import re
from typing import Final

_EMOJI: Final = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
# Controls but tab and newline, soft hyphen, fillers, zero-width, bidirectional, line separators, variation selectors
# beyond the emoji one, tags, byte order mark, interlinear marks, halves of surrogate pairs.
_HIDDEN: Final = re.compile(
    f"(?<![{_EMOJI}])\u200d|\u200d(?![{_EMOJI}])|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """Return the text with each invisible character replaced by its code point in brackets."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def has_hidden(text: str) -> bool:
    """True if the text has an invisible character."""
    return bool(_HIDDEN.search(text))


def escape_in_json(text: str) -> str:
    """Return the same JSON with invisible characters as `\\u` escapes. They can stand in its strings only."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], text)
