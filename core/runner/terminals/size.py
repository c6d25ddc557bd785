"""The size of a terminal."""

from typing import NamedTuple


class Size(NamedTuple):
    """Columns and rows, in characters."""

    columns: int
    rows: int
