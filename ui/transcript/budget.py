"""A limit for the work on one text. Its rules check it as they go, and a text that is built to be slow is given up."""

import time
from collections.abc import Callable
from typing import Final

EVERY: Final = 32  # ticks between two reads of the clock, which cost more than a tick

Now = Callable[[], float]


class TooSlow(Exception):
    """The text is built to be slow and exceeds its budget."""


class Budget:
    """A budget in CPU seconds of this thread, so that other load on the machine does not count. Tests replace `now`."""

    __slots__ = ("_now", "_ticks", "_until")

    def __init__(self, seconds: float, now: Now = time.thread_time) -> None:
        self._now = now
        self._until = now() + seconds
        self._ticks = 0

    @property
    def spent(self) -> bool:
        """True if the budget is used up."""
        return self._now() > self._until

    def tick(self) -> None:
        """Count a small step of work.

        Raises: TooSlow: the budget is used up.
        """
        self._ticks += 1
        if self._ticks % EVERY == 0 and self.spent:
            raise TooSlow
