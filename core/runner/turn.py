"""One turn while it is open: which message it answers, which tools are at work in it, and when it is over."""

import asyncio
import time

from core.domain.events import Attachment, ToolCalled, UserSaid
from core.runner.processes import boottime


class Turn:
    """From the message that opened it to the one event that ends it."""

    def __init__(self, name: str) -> None:
        self.name = name  # what StateChanged.turn says
        self.words = ""  # that open it, until the CLI has them for certain
        self.uuid = ""  # of our message to the CLI; empty when the CLI began by itself
        self.begun = True  # the CLI has taken that message in
        self.tools: set[str] = set()
        self.over = asyncio.Event()
        self.stopping = ""  # the reason, once somebody wants it to end
        self.silence_told = False
        self.plan = ""  # the last one written or presented
        self.started = time.monotonic()
        self._waited = self._waiting_since = 0.0
        self.started_boottime = boottime()

    def sent_as(self, uuid: str) -> None:
        """Note the uuid of the message sent for this turn. A result before the CLI takes it in is another turn's."""
        self.uuid, self.begun = uuid, False

    def waits(self, waiting: bool) -> None:
        """Whether a person is being asked something from now on."""
        now = time.monotonic()
        if self._waiting_since:
            self._waited += now - self._waiting_since
        self._waiting_since = now if waiting else 0.0

    @property
    def duration_s(self) -> float:
        return round(time.monotonic() - self.started, 3)

    @property
    def waited_s(self) -> float:
        """How long of its duration a person was asked something."""
        self.waits(self._waiting_since > 0)
        return round(self._waited, 3)


def plan_in(called: ToolCalled) -> str:
    """The plan in a tool call: presented with it, or written to the file that the CLI keeps plans in."""
    path, plan = called.input.get("file_path"), called.input.get("plan")
    if called.name == "Write" and isinstance(path, str) and "/.claude/plans/" in path:
        plan = called.input.get("content")
    return plan if isinstance(plan, str) else ""


def words_of(said: UserSaid) -> str:
    """A message as the model reads it: the text, and where the attached files are."""
    return said.text + "".join(f"\n[Attached file: {_path(file)}]" for file in said.attachments)


def _path(file: Attachment) -> str:
    return " ".join(file.path.split())
