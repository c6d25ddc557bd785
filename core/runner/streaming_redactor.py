"""Secrets in text that comes in pieces: a value is masked wherever the pieces were cut."""

from core.observability.redaction import Redactor, covered_spans
from core.observability.secret_patterns import MASK


class StreamingRedactor:
    """One stream of text. What could be the beginning of a value waits for what follows it.

    Fewer than `redaction.LONGEST` characters wait, mostly none. What came out is `Redactor.text` of what went in.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._held = redactor, ""
        self._masked = 0  # so many characters of what is held belong to a value that has been shown as a mask
        self._open = False  # what was shown ended with a mask: what touches it needs none of its own

    @property
    def waiting(self) -> int:
        """Characters that have not been shown yet."""
        return len(self._held)

    def feed(self, piece: str) -> str:
        """What may be shown now."""
        text = self._held + piece
        start = min((begun(spelling, text) for spelling in self._redactor.spellings), default=len(text))
        return self._show(text, start)

    def end(self) -> str:
        """What is left, when nothing follows."""
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
    """How far the mask that was shown last reaches, with the spans that go on from it, and the other spans."""
    while spans and spans[0][0] <= masked:
        masked = max(masked, spans.pop(0)[1])
    return masked, spans


def begun(spelling: str, text: str) -> int:
    """Where the end of `text` begins that is the beginning of `spelling`, but not all of it; its length if nowhere."""
    at = text.find(spelling[0], max(0, len(text) - len(spelling) + 1))
    while at >= 0:
        if spelling.startswith(text[at:]):
            return at
        at = text.find(spelling[0], at + 1)
    return len(text)
