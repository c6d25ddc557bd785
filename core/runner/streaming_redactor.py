"""Masks secrets in text that comes in pieces, wherever the pieces are cut."""

from core.observability.redaction import Redactor, covered_spans
from core.observability.secret_patterns import MASK


class StreamingRedactor:
    """A stream of text. Text that may be the beginning of a secret waits for what follows.

    Less than `redaction.LONGEST` characters wait, mostly none. The output equals `Redactor.text` of the input.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._held = redactor, ""
        self._masked = 0  # characters of the held text that belong to a value already shown as a mask
        self._open = False  # the output ended with a mask, which also covers a value that touches it

    @property
    def waiting(self) -> int:
        """The number of characters that have not been shown yet."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """Add a piece and return the text that may be shown now."""
        text = self._held + piece
        start = min((begun(spelling, text) for spelling in self._redactor.spellings), default=len(text))
        return self._show(text, start)

    def end(self) -> str:
        """Return the remaining text at the end of the stream."""
        return self._show(self._held, len(self._held))

    def _show(self, text: str, upto: int) -> str:
        spans, done = covered_spans(text, self._redactor.spellings), 0
        shown: list[str] = []
        if self._open:
            done, spans = _joined(self._masked, spans)
        for start, end in spans:
            if start >= upto:
                break
            shown += text[done:start], MASK
            done = end
        shown.append(text[done:upto])
        self._open = done >= upto and (done > 0 or self._open)
        self._masked, self._held = max(0, done - upto), text[upto:]
        return "".join(shown)


def _joined(masked: int, spans: list[tuple[int, int]]) -> tuple[int, list[tuple[int, int]]]:
    """Extend the last mask over the spans that touch it. Returns its new end and the other spans."""
    while spans and spans[0][0] <= masked:
        masked = max(masked, spans.pop(0)[1])
    return masked, spans


def begun(spelling: str, text: str) -> int:
    """Return where the end of `text` may be the beginning of `spelling`; the length of `text` if nowhere."""
    at = text.find(spelling[0], max(0, len(text) - len(spelling) + 1))
    while at >= 0:
        if spelling.startswith(text[at:]):
            return at
        at = text.find(spelling[0], at + 1)
    return len(text)
