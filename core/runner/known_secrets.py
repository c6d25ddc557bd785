"""The secrets that this runner has given to CLIs, which are masked in the output of all its sessions.

There is one set for the whole box, because its agents share a home: one may read what another one wrote. Replaced or
withdrawn values stay known, because texts that contain them remain.
"""

from collections.abc import Callable, Iterable

from core.observability.redaction import Redactor

KEPT_CHARS = 512 * 1024  # several full vaults; beyond it the oldest are forgotten


class KnownSecrets:
    """The known values. `redactor` is replaced whenever a value is added; `learned` is called with all values, for the
    log.
    """

    def __init__(self, values: Iterable[str] = (), *, learned: Callable[[list[str]], None] = lambda _: None) -> None:
        self.redactor = Redactor()
        self._values: list[str] = []
        self._learned = learned
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Add values to be masked. Costs nothing if all are known."""
        given = set(values)
        if given <= set(self._values):
            return
        newest = [value for value in self._values if value not in given] + sorted(given)
        while sum(map(len, newest)) > KEPT_CHARS:
            newest.pop(0)
        self._values, self.redactor = newest, Redactor(newest)
        self._learned(newest)
