"""The state of a session as its log tells it. Every event is applied once, when it is stored or read at opening.

So a restarted runner and one that never stopped have the same state, by construction.
"""

from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Parked,
    QueueChanged,
    SessionOpened,
    StateChanged,
    TurnFinished,
    UserSaid,
    seq_of,
)
from core.domain.message_queue import MessageQueue
from core.domain.states import OPEN_TURN, SessionState
from core.domain.summaries import last_line


class SessionProjection:
    """The messages with their numbers, those that wait, the open requests, and the open turn."""

    def __init__(self) -> None:
        self.agent = ""
        self.kind = "chat"
        self.state = SessionState.ASLEEP
        self.turn = ""  # the last StateChanged.turn, until that turn was finished
        self.seqs: dict[str, int] = {}  # number by message_id, of all messages
        self.waiting = MessageQueue()  # acknowledged, and in no turn yet
        self.asked: dict[str, Asked] = {}  # not answered
        self.parked: set[str] = set()
        self.answered: dict[str, Answered] = {}
        self.decided: dict[str, tuple[Asked, Answered]] = {}  # answered while parked, and not yet told to the model
        self.outcome = ""  # of the last turn; this and the reason are empty while a turn is open
        self.reason = ""
        self.background = 0  # commands and sub-agents that went on when the last turn ended
        self.line = ""

    def apply(self, event: AnyEvent, *, shown: AnyEvent | None = None) -> None:
        """Apply the next event of the log. `shown` is its stored form if secrets were masked in it."""
        match event:
            case SessionOpened():
                self.agent, self.kind = event.agent, event.kind
            case UserSaid():
                self.seqs[event.message_id] = seq_of(event)
                self.waiting.add(event)
            case QueueChanged():
                self.waiting.apply(event)
            case StateChanged():
                self._changed(event)
            case TurnFinished():
                self.turn, self.outcome, self.reason = "", event.outcome, event.reason
                self.background = event.background
            case Asked() | Answered() | Parked():
                self._request(event)
        self.line = last_line([shown or event]) or self.line

    def replace_with(self, other: "SessionProjection") -> None:
        """Replace this object's content with the other's. Holders of a reference to this object see the new content."""
        vars(self).update(vars(other))

    @property
    def at_rest(self) -> bool:
        """True if nothing has to be done for this session after a restart."""
        still = self.state in (SessionState.ASLEEP, SessionState.FAILED)
        return still and not (self.turn or self.waiting or self.decided or self.asked.keys() - self.parked)

    def _changed(self, event: StateChanged) -> None:
        self.state = event.state
        if event.state not in OPEN_TURN:
            self.background = 0
        if event.state is SessionState.BUSY:
            self.outcome = self.reason = ""
        if event.turn:
            self.turn = event.turn
            self.waiting.take(event.turn)
            self.decided.pop(event.turn, None)

    def _request(self, event: Asked | Answered | Parked) -> None:
        match event:
            case Asked():
                self.asked[event.request_id] = event
            case Parked():
                self.parked.add(event.request_id)
            case Answered():
                self.answered[event.request_id] = event
                asked = self.asked.pop(event.request_id, None)
                if asked is not None and event.request_id in self.parked:
                    self.parked.discard(event.request_id)
                    self.decided[event.request_id] = (asked, event)
