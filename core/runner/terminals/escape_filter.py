"""Removes from a program's output what a terminal would obey to a person's harm.

A terminal answers some sequences by typing (its position, its title, its colours), and with others a program sets the
clipboard, the window's title or a link that shows one address and opens another. Movement, colours, screens and modes
stay. Nothing that is not known passes.
"""

import codecs
import re
from typing import Final

TAIL_CHARS: Final = 4_096  # an unfinished sequence that is longer is dropped
ESC: Final = "\x1b"

# A string sequence (OSC, DCS, SOS, PM, APC) with its end, a control sequence (CSI), or a short one.
_SEQUENCE = re.compile(
    r"\x1b(?:[\]PX^_][^\x07\x1b\x18\x1a]*(?:\x07|\x1b\\|(?=\x1b|\Z)|[\x18\x1a])"
    r"|\[(?P<csi>[0-?]{0,64}[ -/]{0,4}[@-~])"
    r"|(?P<short>[ -/]{0,2}[0-Z\\^-~])"
    r"|)"
)
_UNFINISHED = re.compile(r"\x1b(?:[\]PX^_][^\x07\x1b\x18\x1a]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)\Z")
_CSI_KEPT = re.compile(r"\?[0-9;]*[hlJK]|[0-9;:]*[@A-HJ-MPSTXZ`adefghlmrsu]|[0-9]{0,4}b|[0-9;]* q|!p|>[0-9;]*m")
_SHORT_KEPT = re.compile(r"[78=>DEHMNOc]|[()*+][0-9A-Z]|#8")
# Among them ENQ, which asks for an answer, and the eight-bit forms of the sequences.
_CONTROLS = re.compile(r"[\x00-\x06\x10-\x1a\x1c-\x1f\x7f-\x9f]")


class EscapeFilter:
    """The output of one terminal, in pieces as they come."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = ""

    def feed(self, data: bytes) -> str:
        """Return what of `data`, and of what was held back before it, may be shown."""
        text = self._tail + self._decoder.decode(data)
        unfinished = _UNFINISHED.search(text)
        cut = unfinished.start() if unfinished else len(text)
        self._tail = text[cut:] if len(text) - cut <= TAIL_CHARS else text[cut : cut + 2]
        return _CONTROLS.sub("", _SEQUENCE.sub(_kept, text[:cut]))


def _kept(found: re.Match[str]) -> str:
    csi, short = found["csi"], found["short"]
    if csi is not None:
        return found[0] if _CSI_KEPT.fullmatch(csi) else ""
    return found[0] if short is not None and _SHORT_KEPT.fullmatch(short) else ""
