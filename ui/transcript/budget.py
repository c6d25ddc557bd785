"""How much work one text may cost: its rules ask as they go, and text that is built to be slow is given up."""

import time
from collections.abc import Callable
from typing import Final

EVERY: Final = 32  # ticks between two looks at the clock, which cost more than a tick

Now = Callable[[], float]


class TooSlow(Exception):
    """The text is built to be slow."""


class Budget:
    """CPU seconds of this thread, so that a loaded machine takes nothing away. `now` is another measure in tests."""

    __slots__ = ("_now", "_ticks", "_until")

    def __init__(self, seconds: float, now: Now = time.thread_time) -> None:
        self._now = now
        self._until = now() + seconds
        self._ticks = 0

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self._now() > self._until

    def tick(self) -> None:
        """One small step of work.

        Raises: TooSlow: it was one too many.
        """
        self._ticks += 1
        if self._ticks % EVERY == 0 and self.spent:
            raise TooSlow
