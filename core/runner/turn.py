"""An open turn: the message that it answers, the tools that run in it, and its end."""

import asyncio
import time

from core.domain.events import ToolCalled
from core.runner.attachments import Message
from core.runner.processes import boottime


class Turn:
    """A turn, from the message that opened it to the event that ends it."""

    def __init__(self, name: str) -> None:
        self.name = name  # as in StateChanged.turn
        self.words = Message("")  # its message, until the CLI certainly has it
        self.uuid = ""  # of our message to the CLI; empty if the CLI began by itself
        self.begun = True  # the CLI has begun with that message
        self.tools: set[str] = set()
        self.over = asyncio.Event()
        self.stopping = ""  # the reason, once it is to be ended
        self.silence_told = False
        self.plan = ""  # the last plan that was written or presented
        self.started = time.monotonic()
        self._waited = self._waiting_since = 0.0
        self.started_boottime = boottime()

    def sent_as(self, uuid: str) -> None:
        """Note the uuid of the message sent for this turn. A result before the CLI takes it in is another turn's."""
        self.uuid, self.begun = uuid, False

    def waits(self, waiting: bool) -> None:
        """Note whether the turn waits for a person from now on, to measure `waited_s`."""
        now = time.monotonic()
        if self._waiting_since:
            self._waited += now - self._waiting_since
        self._waiting_since = now if waiting else 0.0

    @property
    def duration_s(self) -> float:
        return round(time.monotonic() - self.started, 3)

    @property
    def waited_s(self) -> float:
        """The seconds of its duration that it waited for a person."""
        self.waits(self._waiting_since > 0)
        return round(self._waited, 3)


def plan_in(called: ToolCalled) -> str:
    """Return the plan in a tool call: presented by it, or written to the CLI's plan file; empty if there is none."""
    path, plan = called.input.get("file_path"), called.input.get("plan")
    if called.name == "Write" and isinstance(path, str) and "/.claude/plans/" in path:
        plan = called.input.get("content")
    return plan if isinstance(plan, str) else ""
