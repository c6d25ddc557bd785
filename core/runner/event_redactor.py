"""Removes secrets from the texts of events: stored ones, live ones, and those for late readers.

It stands between a conversation and its journal. Values that a decision depends on (a tool's input, an answer) stay
unchanged in memory; only what is written or sent is masked.
"""

from typing import Any

import msgspec

from core.domain.events import (
    AnyEvent,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolProgress,
    ToolReturned,
    TurnFinished,
    decode,
    encode,
)
from core.observability.redaction import LONGEST
from core.runner.known_secrets import KnownSecrets
from core.runner.streaming_redactor import StreamingRedactor

Delta = TextDelta | ThinkingDelta
OUTPUT = -1  # the block number of a command's output
# Codes and ids; these fields never hold free text.
NAMES = frozenset({
    "type", "at", "id", "name", "kind", "state", "turn", "level", "status", "outcome", "decision", "agent", "by", "via",
    "message_id", "request_id", "tool_id", "parent", "before", "anchor",
})  # fmt: skip


class EventRedactor:
    """Masks the events of one session; without known secrets it costs nothing."""

    def __init__(self, known: KnownSecrets) -> None:
        self._known = known
        self._streams: dict[tuple[str, int], StreamingRedactor] = {}

    def stored(self, event: AnyEvent) -> AnyEvent:
        """Return the event as it may be stored."""
        if not (redactor := self._known.redactor):
            return event
        if isinstance(event, Text | Thinking):
            self._streams.pop((event.message, event.block), None)
        elif isinstance(event, ToolReturned) and not event.background:
            self._streams.pop((event.id, OUTPUT), None)
        elif isinstance(event, TurnFinished):
            self._streams = {key: stream for key, stream in self._streams.items() if key[1] == OUTPUT}
        line = encode(event)
        if not redactor.contains_secret(line):
            return event
        return decode(msgspec.json.encode(self._masked(msgspec.json.decode(line))))

    def shown(self, event: AnyEvent) -> AnyEvent | None:
        """Return the event as it may be shown now; None if its whole text waits for the next piece."""
        if not isinstance(event, Delta | ToolProgress):
            return self.stored(event)
        if not self._known.redactor:
            return event
        if isinstance(event, ToolProgress):
            return self._output(event) if event.text else event
        stream = self._streams.setdefault((event.message, event.block), StreamingRedactor(self._known.redactor))
        text = stream.feed(event.text)
        return msgspec.structs.replace(event, text=text) if text else None

    def _output(self, event: ToolProgress) -> ToolProgress | None:
        """Mask more of a command's output. After a gap its first characters are dropped: they may be the end of a
        secret.
        """
        key = (event.id, OUTPUT)
        if event.skipped:
            self._streams.pop(key, None)
        stream = self._streams.setdefault(key, StreamingRedactor(self._known.redactor))
        shown = stream.feed(event.text)[LONGEST if event.skipped else 0 :]
        return msgspec.structs.replace(event, text=shown) if shown else None

    def unfinished(self, deltas: list[Delta]) -> list[Delta]:
        """Return unfinished blocks as far as they have been shown, each as one delta."""
        if not (redactor := self._known.redactor):
            return deltas
        seen = [(delta, StreamingRedactor(redactor).feed(delta.text)) for delta in deltas]
        return [msgspec.structs.replace(delta, text=text) for delta, text in seen if text]

    def _masked(self, value: Any, name: str = "", depth: int = 0) -> Any:
        match value:
            case str() if name not in NAMES or depth > 1:
                return self._known.redactor.mask_text(value)
            case dict():
                inner = {key if depth == 0 else self._known.redactor.mask_text(key): key for key in value}
                return {shown: self._masked(value[key], key, depth + 1) for shown, key in inner.items()}
            case list():
                return [self._masked(item, name, depth) for item in value]
        return value
