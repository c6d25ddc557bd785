"""A run's state as a shape and its word."""

from core.domain.states import RunState
from ui.layout.html import icon, icon_markup, markup, tag

# The ended states come first, in the order in which sums name them.
GLYPHS = {
    RunState.SUCCEEDED: "check",
    RunState.FAILED: "bad",
    RunState.MISSED: "miss",
    RunState.SKIPPED: "skip",
    RunState.CANCELLED: "gone",
    RunState.QUEUED: "list",
}


def state_markup(state: RunState | str, word: str) -> str:
    """Return it for `fragment`. `running` and `waiting` have a shape of the style sheet."""
    glyph = GLYPHS.get(RunState(state))
    inner = (icon_markup(glyph) if glyph else "") + markup("span", word)
    return markup("span", classes="rs", data_state=str(state), inner=inner)


def state_mark(state: RunState | str, word: str) -> None:
    """Draw it into the element that is open."""
    with tag("span", classes="rs", data_state=str(state)):
        if glyph := GLYPHS.get(RunState(state)):
            icon(glyph)
        tag("span", word)
