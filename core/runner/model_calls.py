"""Which messages a model has really begun, read from what the gateway answers on its way to the CLIs.

The CLI's words are believed only for messages that came this way. The gateway answers uncompressed.
"""

import re
from collections import OrderedDict

REMEMBERED = 10_000  # ids of messages; the oldest give way
ID = re.compile(rb'"id"\s*:\s*"([^"\\]{1,128})"')
CARRIED_BYTES = 160  # of one piece, for an id that is cut in two


class ModelCalls:
    """One a runner. `answer()` for each connection to the gateway, `knows` for each message of a CLI."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def knows(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)

    def answer(self) -> "Answer":
        return Answer(self)


class Answer:
    """What comes back on one connection, piece by piece."""

    def __init__(self, calls: ModelCalls) -> None:
        self._calls, self._carried = calls, b""

    def feed(self, data: bytes) -> None:
        """Called for every piece: it costs a search for a few bytes where there is no id."""
        whole = self._carried + data
        self._carried = data[-CARRIED_BYTES:]
        if b'"id"' in whole:
            for found in ID.findall(whole):
                self._calls.add(found.decode(errors="replace"))
