"""A row of the table of guards."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """`old` in `file` is the guard, `new` is what stands there when it is off, `red` are the tests that notice."""

    name: str
    rows: str  # of SECURITY.md, separated by spaces
    file: str
    old: str
    new: str
    red: str  # node ids, one a line; any of them is enough, and the cheapest comes first
    by: str = ""  # the exception, where it is not that of an assertion: a wait that is the test's point, for example

    @property
    def slug(self) -> str:
        """The name as pytest's `-k` takes it."""
        return re.sub(r"[^\w]+", "-", self.name).strip("-")

    @property
    def wait_s(self) -> float:
        """The seconds that its tests wait for something; short, because it will often not come."""
        return 3.0 if self.by == "TimeoutError" else 10.0

    @property
    def tests(self) -> tuple[str, ...]:
        return tuple(self.red.split("\n"))

    def off(self, text: str) -> str:
        """The file's text without the guard. Raises: ValueError: its words are not there exactly once."""
        if self.old == self.new or (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: the words of {self.name!r} are there {found} times: mend this row")
        return text.replace(self.old, self.new)
