"""The HTTP API of a runner: the paths, bodies and answers that the web and a runner exchange, declared once.

Every request carries `Authorization: Bearer <token>` (core.protocol.tokens). An error is a `Refusal` with the status of
core/domain/errors.py. `watch` and `hold` are WebSockets on which only the runner sends.
"""

from typing import Final, Literal
from urllib.parse import quote

import msgspec

from core.domain.events import Attachment, Decision, QueueChanged, Reply, UserSaid
from core.domain.states import SessionState

# The version of this API. A web ends a runner of another version in good order and starts a new one. Raise it only if
# the web cannot work with a runner of the version before, because this interrupts open turns.
PROTOCOL: Final = 1

MESSAGE_CHARS: Final = 200_000
MESSAGE_ID_CHARS: Final = 128

HEALTH: Final = "/healthz"  # the only path that needs no token
INIT: Final = "/v1/init"
STATUS: Final = "/v1/status"
HOLD: Final = "/v1/hold"
STOP: Final = "/v1/stop"
DISK_FULL: Final = "/v1/full"
EXPORT: Final = "/v1/export"
SESSION: Final = "/v1/sessions/{session}"
WARM: Final = SESSION + "/warm"
MESSAGES: Final = SESSION + "/messages"
QUEUE: Final = SESSION + "/queue"
SETTINGS: Final = SESSION + "/settings"  # POST: what a person chose for the session has changed
CLI: Final = SESSION + "/cli"
INTERRUPT: Final = SESSION + "/interrupt"
REQUEST: Final = SESSION + "/requests/{request}"
EVENTS: Final = SESSION + "/events"  # ?after=&limit=
WATCH: Final = SESSION + "/watch"  # ?after=
AGENT: Final = "/v1/agents/{agent}"
END_CLIS: Final = AGENT + "/rest"
RENEW_CLIS: Final = AGENT + "/renew"
COPY: Final = AGENT + "/copies/{copy}"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of GET /healthz. Runners from before the field `protocol` speak version 1."""

    status: str = "ok"
    bound: bool = False
    protocol: int = 1


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The largest number of CLIs, and the seconds that an unused CLI and a turn without any web may last."""

    max_live_sessions: int = 4
    idle_cli_s: float = 600.0
    orphan_s: float = 900.0


class Init(SessionLimits, frozen=True, kw_only=True):
    """The body of POST /v1/init: the runner's user and box, and the key that signs all later calls.

    `log_key` marks what the runner writes in the home as its own; it is the user's and stays the same. `take_over`:
    logs without marks may be there, and are believed.
    """

    user: str
    box: str
    key: str
    log_key: str = ""
    take_over: bool = False

    def __repr__(self) -> str:
        return f"Init({self.user}, {self.box})"


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST /v1/init. `marks`: the logs carry marks of this key; runners of an earlier version make none."""

    marks: bool = False


class SessionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a session, in `Status`."""

    id: str
    agent: str
    state: str
    last_seq: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of GET /v1/status. `open_turns` counts open turns, waiting messages and background work."""

    user: str = ""
    open_turns: int = 0
    idle_s: float = 0.0
    live: int = 0
    sessions: tuple[SessionStatus, ...] = ()


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """The optional body of POST /v1/stop: stop only if nothing was done for `idle_s` seconds."""

    idle_s: float


class OpenSession(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PUT /v1/sessions/{id}. Locale and title are the record's; the CLI gets them from the gateway."""

    agent: str
    kind: str = "chat"
    locale: str = ""
    title: str = ""


class SendMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/messages: a `user_said` event without its number and time. `message_id` makes it idempotent."""

    message_id: str
    text: str
    via: str = "web"
    steer: bool = False
    attachments: tuple[Attachment, ...] = ()
    retry_of: str = ""

    @property
    def event(self) -> UserSaid:
        return UserSaid(**msgspec.structs.asdict(self))


class ChangeQueue(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/queue: a `queue_changed` event without its number. `seen` is the text that was edited."""

    message_id: str
    kind: Literal["edit", "move", "steer", "remove"]
    text: str = ""
    before: str = ""
    seen: str = ""

    @property
    def event(self) -> QueueChanged:
        return QueueChanged(message_id=self.message_id, kind=self.kind, text=self.text, before=self.before)


class SlashCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command that a message may begin with. `own`: a file of the agent's folder defines it."""

    name: str
    description: str = ""
    hint: str = ""
    own: bool = False


class ModelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the CLI can switch to, and the effort levels that it knows."""

    value: str
    name: str = ""
    efforts: tuple[str, ...] = ()


class CliInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of GET …/cli: what the session's CLI says that it can do. `ready` is False until the CLI has said it."""

    ready: bool = False
    commands: tuple[SlashCommand, ...] = ()
    models: tuple[ModelChoice, ...] = ()


Replies = dict[str, Reply]  # by the text of the question


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST …/requests/{request_id}: an `answered` event without its number, time and request."""

    decision: Decision
    by: str = ""
    message: str = ""
    rule: str = ""
    answers: dict[str, str] = {}
    replies: Replies = {}

    @classmethod
    def of(cls, decision: Decision, *, by: str, message: str, rule: str, replies: Replies) -> "Answer":
        """An answer with the replies also as the CLI takes them: one string a question, a line for each part."""
        answers = {question: "\n".join(reply.lines) for question, reply in replies.items()}
        return cls(decision=decision, by=by, message=message, rule=rule, answers=answers, replies=replies)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a message or a decision: its event number in the session's log."""

    seq: int


class SessionChange(msgspec.Struct, frozen=True, kw_only=True):
    """A frame of `hold`: a session has changed.

    `line` is a summary of its last message or request, `asking` the number of its open requests; `outcome` and
    `reason` are those of its last turn, empty while a turn is open. The Store has the events up to `stored_seq`.
    Runners of an earlier version do not send the last two.
    """

    session: str
    agent: str
    state: SessionState
    last_seq: int = 0
    line: str = ""
    outcome: str = ""
    reason: str = ""
    asking: int | None = None
    stored_seq: int | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Body of every answer with a status of 400 or more."""

    code: str = ""
    detail: str = ""


def path(template: str, **ids: str) -> str:
    """Return `template` with its ids filled in. Each id is quoted, so it stays one part of the path."""
    return template.format(**{name: quote(value, safe="") for name, value in ids.items()})
