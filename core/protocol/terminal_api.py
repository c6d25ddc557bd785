"""The terminals part of a runner's API: a list, and a WebSocket for each viewer of a terminal.

The runner sends `TerminalOutput` frames, the web sends `TerminalInput` frames. The first frame of the runner has the
screen; a later one with a screen replaces everything before it (the viewer lagged, or the size changed).
"""

from typing import Final

import msgspec

from core.protocol.runner_api import SESSION

TERMINALS: Final = SESSION + "/terminals"  # GET
TERMINAL: Final = TERMINALS + "/{number}"  # POST TerminalSize, GET (WebSocket), DELETE

NUMBERS: Final = range(1, 5)  # of the terminals of one session
COLUMNS: Final = range(2, 501)
ROWS: Final = range(1, 201)
INPUT_CHARS: Final = 65_536  # of one frame


class TerminalList(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the terminals that a session has, in order."""

    numbers: tuple[int, ...] = ()


class TerminalSize(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST: the size in characters, for a terminal that is not there yet."""

    columns: int
    rows: int


class TerminalOpened(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to POST. `started` is true if the terminal was not there before."""

    started: bool


class TerminalOutput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The output of a terminal. `screen` draws all of it, `text` goes on from there; `columns` and `rows` come with a
    screen. `ended` says that its shell has ended, and is the last frame.
    """

    text: str = ""
    screen: str | None = None
    columns: int = 0
    rows: int = 0
    ended: bool = False


class TerminalInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The text that a viewer types, or the size that its window has; 0 keeps the size."""

    text: str = ""
    columns: int = 0
    rows: int = 0
