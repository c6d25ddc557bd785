"""One call of a tool and what became of it: pure values, from which its card is drawn."""

from datetime import datetime

import msgspec

from core.domain.events import Answered, Asked, Decided, Event, ToolCalled, ToolReturned
from ui.transcript import tool_labels


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool and what became of it."""

    call: ToolCalled
    result: ToolReturned | None = None
    steps: tuple["ToolCall", ...] = ()  # of a sub-agent: what it has done so far
    earlier: int = 0  # of its steps that are not in `steps`
    waiting: bool = False
    asked: Asked | None = None
    answered: Answered | None = None
    decided: Decided | None = None  # what the platform decided about it without a person
    output: str = ""  # the end of what it has printed while it runs
    skipped: int = 0
    ended: Event | None = None  # what ended it before it had finished by itself

    @property
    def state(self) -> str:
        """running, waiting, ok, failed, denied or stopped."""
        if self.answered is not None and self.answered.decision == "deny":
            return "stopped" if self.answered.by == "stop" else "denied"
        if self.decided is not None and self.decided.decision == "deny":
            return "denied"
        if self.result is not None and not self.result.background:
            return "ok" if self.result.ok else "stopped" if self.result.stopped else "failed"
        return "stopped" if self.ended else "waiting" if self.waiting else "running"

    @property
    def in_background(self) -> bool:
        """Whether it goes on after its turn."""
        return self.result is not None and self.result.background and self.ended is None

    @property
    def target(self) -> str:
        """What it is about, in full."""
        return tool_labels.visible(tool_labels.target(self.call.name, self.call.input))

    @property
    def began(self) -> datetime | None:
        """When the tool could begin: a person's thinking is not its time."""
        at = (self.answered or self.call).at
        return at if isinstance(at, datetime) else None

    @property
    def took_s(self) -> float:
        """Seconds until the result."""
        if (
            self.result is None
            or self.result.background
            or self.began is None
            or not isinstance(self.result.at, datetime)
        ):
            return 0.0
        return max(0.0, (self.result.at - self.began).total_seconds())
