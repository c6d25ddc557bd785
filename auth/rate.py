"""A bucket of tokens per caller: so many at once, so many per second after that."""

import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000  # callers remembered; the one not seen for longest is forgotten, with a full bucket


class Rate:
    """`take` costs a dictionary lookup: nothing heavy may come before it."""

    def __init__(self, *, burst: float, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """0 if the caller may go on, else the seconds until then."""
        now = self._clock()
        left, at = self._left.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        self._left[caller] = (max(left - 1, 0) if left >= 1 else left, now)
        if len(self._left) > MOST:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._per_s
