"""The news of all sessions, with the number of sessions in each state for the metrics."""

from collections.abc import Callable, Collection
from functools import partial

from core.domain.records import UserId
from core.domain.states import SessionState
from core.lib.pubsub import Hub
from core.observability import metrics
from core.protocol.runner_api import SessionChange

SESSIONS = 10_000  # of one user that are counted
RECORDS = SessionChange(session="", agent="", state=SessionState.ASLEEP)


class SessionFeed(Hub[SessionChange]):
    """A hub that remembers the state of each session. Metrics count only the sessions of `living` users."""

    def __init__(self, living: Callable[[], Collection[UserId]]) -> None:
        super().__init__()
        self._living = living
        self._states: dict[str, dict[str, str]] = {}  # user → session → state
        metrics.runners.set_function(lambda: len(living()))
        for state in SessionState:
            metrics.sessions.labels(state.value).set_function(partial(self.count, state.value))

    def publish(self, topic: str, word: SessionChange) -> None:
        states = self._states.setdefault(topic, {})
        if word.session in states or len(states) < SESSIONS:
            states[word.session] = word.state
        super().publish(topic, word)

    def records(self, user: UserId) -> None:
        """Tell the user's other pages that agents or sessions were created, changed or deleted here."""
        super().publish(user, RECORDS)

    def count(self, state: str) -> int:
        """Return the number of sessions in this state whose runner is held now; called when metrics are read."""
        living = self._living()
        for gone in [user for user in self._states if user not in living]:
            del self._states[gone]
        return sum(one == state for states in self._states.values() for one in states.values())
