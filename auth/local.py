"""Local sign-in by a printed link: a person who can read this terminal is the owner."""

import secrets
import time
from collections.abc import Callable

VALID_S = 600
MOST = 20  # links open at once; the oldest gives way


class LocalLinks:
    """Codes that each work once, kept in memory only: a restart makes all links worthless."""

    def __init__(self, base: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._base, self._clock = base, clock
        self._open: dict[str, tuple[float, str]] = {}  # code → when it ends, and where it leads

    def make(self, target: str) -> str:
        """Return a fresh link that leads to `target`, a path of ours, which the link itself does not show."""
        code = secrets.token_urlsafe(24)
        self._open[code] = self._clock() + VALID_S, target
        if len(self._open) > MOST:
            del self._open[next(iter(self._open))]
        return f"{self._base}/auth/local?code={code}"

    def redeem(self, code: str) -> str:
        """Use a code up and return its target, or an empty text if the code is not valid."""
        ends, target = self._open.pop(code, (0.0, ""))
        return target if ends > self._clock() else ""
