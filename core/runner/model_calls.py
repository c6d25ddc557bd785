"""Collects the ids of messages that a model has really begun, from the gateway's answers to the CLIs.

The CLI's output is believed only for these messages. The gateway answers without compression.
"""

import re
from collections import OrderedDict

REMEMBERED = 10_000  # ids of messages; then the oldest are dropped
ID = re.compile(rb'"id"\s*:\s*"([^"\\]{1,128})"')
CARRIED_BYTES = 160  # kept of a piece, for an id that is cut in two


class ModelCalls:
    """The known message ids of a runner. Call `answer()` for each connection to the gateway, `knows` for
    each message.
    """

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def knows(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    def answer(self) -> "AnswerScanner":
        return AnswerScanner(self)


class AnswerScanner:
    """Searches the gateway's answers on one connection, piece by piece."""

    def __init__(self, calls: ModelCalls) -> None:
        self._calls, self._carried = calls, b""

    def feed(self, data: bytes) -> None:
        """Search a piece for message ids. It costs little if there is none."""
        whole = self._carried + data
        self._carried = data[-CARRIED_BYTES:]
        if b'"id"' in whole:
            for found in ID.findall(whole):
                self._calls.add(found.decode(errors="replace"))
