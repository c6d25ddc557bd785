"""Limits log messages that strangers can cause to one line a minute with a count."""

import logging
import time
from collections.abc import Callable

EVERY_S = 60.0


class OnceAMinute(logging.Filter):
    """Lets one entry of each of its messages through in EVERY_S, without arguments and without a traceback.

    The next one that is let through says how many there were since the one before.
    """

    def __init__(self, *messages: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._messages, self._clock = frozenset(messages), clock
        self._held: dict[str, tuple[float, int]] = {}  # message → when it may be said again, and how many were held

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the entry is written."""
        message = str(record.msg)
        if message not in self._messages:
            return True
        until, held = self._held.get(message, (0.0, 0))
        now = self._clock()
        if now < until:
            self._held[message] = until, held + 1
            return False
        self._held[message] = now + EVERY_S, 0
        record.msg = f"{message} ({held} more since the last line)" if held else message
        record.args, record.exc_info, record.exc_text, record.stack_info = (), None, None, None
        return True


def quiet(logger: str, *messages: str) -> None:
    """Hold these messages of a logger to one line a minute. May be called again."""
    found = logging.getLogger(logger)
    for old in [one for one in found.filters if isinstance(one, OnceAMinute)]:
        found.removeFilter(old)
    found.addFilter(OnceAMinute(*messages))
