"""The commands and sub-agents that a session's CLI runs in the background, and the record of their end."""

import uuid

from core.domain.states import SessionState
from core.runner.journal import Journal
from core.runner.turn_result import background_end


class BackgroundWork:
    """The background work of one CLI. `tasks` describes each piece; the CLI reports every change."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.tasks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.tasks)

    def change(self, tasks: tuple[str, ...], *, ending: bool) -> None:
        """Take over the CLI's list of running work. It is ignored while the CLI's processes are `ending`."""
        if not ending:
            self.tasks = tasks

    def state(self, *, asking: bool) -> SessionState:
        """The state of a session with a CLI and without an open turn."""
        if asking:
            return SessionState.ASKING
        return SessionState.BUSY if self.tasks else SessionState.IDLE

    def end(self, reason: str, *, detail: str = "", told: bool = False) -> None:
        """End all background work for `reason` (a code as in TurnFinished). `told`: the end of an open turn
        reports it.
        """
        tasks, self.tasks = self.tasks, ()
        if tasks and not told:
            self.tell_end(reason, "; ".join(filter(None, tasks)) or detail[-500:])

    def tell_end(self, reason: str, detail: str = "") -> None:
        """Record the end as a turn of its own, because pages, dashboards and notices know how to show one."""
        self._journal.become(SessionState.BUSY, f"background-{uuid.uuid4()}")
        self._journal.record(background_end(reason, detail[-1000:]))
