"""The secrets that this runner has given to CLIs: what has to be masked in all that any of its sessions says.

One for the whole box, because its agents share a home: what one of them wrote down another one may read out. Values
that have been replaced or withdrawn since stay known, as the texts that hold them do not end with them.
"""

from collections.abc import Callable, Iterable

from core.observability.redaction import Redactor

KEPT_CHARS = 512 * 1024  # several full vaults; beyond it the oldest are forgotten


class KnownSecrets:
    """`redactor` is another object whenever there is more to mask. `learned` is told all of it, for the log."""

    def __init__(self, values: Iterable[str] = (), *, learned: Callable[[list[str]], None] = lambda _: None) -> None:
        self.redactor = Redactor()
        self._values: list[str] = []
        self._learned = learned
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """From now on these are masked, too. Costs nothing if all of them are known."""
        given = set(values)
        if given <= set(self._values):
            return
        newest = [value for value in self._values if value not in given] + sorted(given)
        while sum(map(len, newest)) > KEPT_CHARS:
            newest.pop(0)
        self._values, self.redactor = newest, Redactor(newest)
        self._learned(newest)
