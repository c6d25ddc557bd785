"""A tool call and its outcome: pure values, from which its card is drawn."""

from datetime import datetime

import msgspec

from core.domain.events import Answered, Asked, Decided, Event, ToolCalled, ToolReturned
from ui.transcript import tool_labels


class ToolCallView(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call and its outcome."""

    call: ToolCalled
    result: ToolReturned | None = None
    steps: tuple["ToolCallView", ...] = ()  # of a sub-agent: its calls so far
    earlier: int = 0  # number of steps before those in `steps`
    waiting: bool = False
    asked: Asked | None = None
    answered: Answered | None = None
    decided: Decided | None = None  # the platform's decision without a person
    output: str = ""  # the end of its output while it runs
    skipped: int = 0
    ended: Event | None = None  # the event that ended it before it finished

    @property
    def state(self) -> str:
        """The state: running, waiting, ok, failed, denied or stopped."""
        if self.answered is not None and self.answered.decision == "deny":
            return "stopped" if self.answered.by == "stop" else "denied"
        if self.decided is not None and self.decided.decision == "deny":
            return "denied"
        if self.result is not None and not self.result.background:
            return "ok" if self.result.ok else "stopped" if self.result.stopped else "failed"
        return "stopped" if self.ended else "waiting" if self.waiting else "running"

    @property
    def in_background(self) -> bool:
        """True if it continues after its turn."""
        return self.result is not None and self.result.background and self.ended is None

    @property
    def target(self) -> str:
        """The object of the call in full: a command, a path, a pattern."""
        return tool_labels.visible(tool_labels.target(self.call.name, self.call.input))

    @property
    def began(self) -> datetime | None:
        """The time at which the tool could begin: the time of a person's decision is not counted."""
        at = (self.answered or self.call).at
        return at if isinstance(at, datetime) else None

    @property
    def took_s(self) -> float:
        """The seconds until the result; 0 if there is none."""
        if (
            self.result is None
            or self.result.background
            or self.began is None
            or not isinstance(self.result.at, datetime)
        ):
            return 0.0
        return max(0.0, (self.result.at - self.began).total_seconds())
