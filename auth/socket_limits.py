"""Limits on the messages of a browser's socket, checked before anything else reads them: size, rate and kinds.

Only the kinds of messages that NiceGUI's page sends are allowed. A socket that sends another one is cut; its page
connects again.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nicegui import json
from starlette.types import Message, Receive, Send

from core.domain.errors import TooMuch

log = logging.getLogger("oma.sockets")

MAX_FRAME_BYTES = 2**20  # the longest message that a person can send, 200,000 characters, is 0.8 MB on its way
BURST, PER_S = 200.0, 50.0  # frames at once, and in the long run; a person causes 20 a second at most
FREE_CHARS = 16_384  # a longer frame counts as several
PER_USER, PER_NETWORK = 100, 20  # sockets open at once: of one user, and of strangers from one network
# Engine.IO: close, pong. Socket.IO in it: connect, disconnect, event. NiceGUI's page says nothing else, nothing binary.
PLAIN = frozenset({"1", "3", "40", "40{}", "41"})
EVENT = re.compile(r"42\d{0,9}(?=\[)")
WORDS = frozenset({"event", "handshake", "javascript_response", "ack", "log"})
POLICY = 1008  # WebSocket's code for a peer that does not keep to the rules


class FrameLimits:
    """The `receive` of one socket, with limits."""

    def __init__(self, receive: Receive, send: Send, *, who: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._receive, self._send, self._who, self._clock = receive, send, who, clock
        self._left, self._at = BURST, clock()

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive" and (fault := self._fault(message.get("text"))):
            log.warning("socket of %s cut: %s", self._who, fault)
            await self._send({"type": "websocket.close", "code": POLICY})
            return {"type": "websocket.disconnect", "code": POLICY}
        return message

    def _fault(self, text: str | None) -> str:
        """Return why this frame is refused, or an empty text."""
        if text is None:
            return "binary"
        if len(text) > MAX_FRAME_BYTES:
            return "too large"
        if not self._affordable(1 + len(text) / FREE_CHARS):
            return "too often"
        return "" if text in PLAIN or _understood(text) else "not understood"

    def _affordable(self, cost: float) -> bool:
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._at) * PER_S) - cost
        self._at = now
        return self._left >= 0


def _understood(text: str) -> bool:
    """Return whether Socket.IO's decoder can read it; that one fails on deep nesting."""
    # nosemgrep: half-a-match  # the rest is JSON, and read as such
    head = EVENT.match(text)
    if head is None:
        return False
    try:
        said = json.loads(text[head.end() :])
    except ValueError:
        return False
    return isinstance(said, list) and bool(said) and isinstance(said[0], str) and said[0] in WORDS


class ConnectionLimiter:
    """Counts open sockets by user or network."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def slot(self, who: str, *, most: int) -> Iterator[None]:
        """Count one more socket while the context is open. Raises: TooMuch."""
        if self._taken[who] >= most:
            raise TooMuch(f"{most} sockets are open", code="too_many_sockets")
        self._taken[who] += 1
        try:
            yield
        finally:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]
