"""The numbered log of a session: every kind of event, their union, and how they are written and read.

JSON is flat: `{"seq": n, "at": "…Z", "type": "user_said", …}`. `seq` and `at` are absent on events that are shown
but not stored (`LIVE_ONLY`). Unknown fields are ignored and unknown kinds are dropped by `decode_many`, so an older
web reads a newer runner's log. All of it is attacker text: sizes are checked where it
enters, and it is escaped on the screen.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from core.domain.event_values import Attachment as Attachment
from core.domain.event_values import Picture as Picture
from core.domain.event_values import Question as Question
from core.domain.event_values import TodoItem as TodoItem
from core.domain.event_values import Usage as Usage
from core.domain.states import SessionState

Decision = Literal["allow", "allow_always", "deny", "answer"]  # what a person answers to a request


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The fields that all events share. `seq` counts from 1 without gaps inside one session."""

    seq: int | UnsetType = UNSET
    at: datetime | UnsetType = UNSET


class SessionOpened(Event, frozen=True, kw_only=True, tag="session_opened"):
    """First event of every session."""

    agent: str
    kind: str = "chat"


class UserSaid(Event, frozen=True, kw_only=True, tag="user_said"):
    """A message, acknowledged. `message_id` is the client's and the idempotency key.

    `retry_of`: it says again what that message said, because its turn failed.
    """

    message_id: str
    text: str
    attachments: tuple[Attachment, ...] = ()
    via: str = "web"
    steer: bool = False
    retry_of: str = ""


class QueueChanged(Event, frozen=True, kw_only=True, tag="queue_changed"):
    """A person changed a message that waits for its turn.

    `kind`: edit (it says `text` now), move (it now stands before the message `before`; empty: at the end), steer (the
    agent gets it as soon as possible), remove (the agent does not get it).
    """

    message_id: str
    kind: Literal["edit", "move", "steer", "remove"]
    text: str = ""
    before: str = ""


class TextDelta(Event, frozen=True, kw_only=True, tag="text_delta"):
    """The next part of an unfinished text block. A new `message` discards all unfinished text before it (G2)."""

    message: str
    block: int
    text: str


class Text(Event, frozen=True, kw_only=True, tag="text"):
    """A finished block, byte for byte as the model wrote it; it replaces its deltas. `partial`: it was cut off."""

    message: str
    block: int
    text: str
    partial: bool = False


class ThinkingDelta(Event, frozen=True, kw_only=True, tag="thinking_delta"):
    """The next part of an unfinished thinking block."""

    message: str
    block: int
    text: str


class Thinking(Event, frozen=True, kw_only=True, tag="thinking"):
    """A finished thinking block."""

    message: str
    block: int
    text: str


class ToolCalled(Event, frozen=True, kw_only=True, tag="tool_called"):
    """The model uses a tool. `parent` is the tool call of the subagent it happens in, or empty.

    `cut`: the input is longer than what is kept, so nothing can be counted in it.
    """

    id: str
    name: str
    input: dict[str, Any]
    parent: str = ""
    cut: bool = False


class Decided(Event, frozen=True, kw_only=True, tag="decided"):
    """The platform decided about a use of a tool without a person (core.domain.permission_policy).

    `by`: reading (the list of commands that only read), edits (inside the agent's folder), rule (those in `rule`),
    mode (nobody is asked), size (longer than anybody could read before deciding).
    """

    tool_id: str
    tool: str
    decision: Literal["allow", "deny"]
    by: str
    rule: str = ""


class ToolProgress(Event, frozen=True, kw_only=True, tag="tool_progress"):
    """A tool is still at work. `text` is the next part of its output; `skipped` bytes before it were left out."""

    id: str
    elapsed_s: float = 0.0
    text: str = ""
    skipped: int = 0


class ToolReturned(Event, frozen=True, kw_only=True, tag="tool_returned"):
    """A tool's result; `content` is cut at the runner's limit, `full_size` is its length before that.

    `stopped`: it did not finish because its turn was stopped; that is no failure of the tool. `background`: it goes on
    by itself, and another result with the same `id` tells its end, perhaps after the turn's.
    """

    id: str
    ok: bool
    content: str = ""
    truncated: bool = False
    full_size: int = 0
    stopped: bool = False
    background: bool = False
    pictures: tuple[Picture, ...] = ()


class Asked(Event, frozen=True, kw_only=True, tag="asked"):
    """A request that only a person decides. `tool` and `input` are exact and whole; `reason` is the model's own text.

    `rule` is what "always" would add, in the CLI's rule syntax (`Bash(npm test:*)`), for the user to edit. Where no
    rule allows just this, `no_rule` says why: `long`, `signs` (characters no rule can hold) or `tool`.
    """

    request_id: str
    kind: Literal["permission", "question", "plan"]
    tool: str = ""
    tool_id: str = ""
    input: dict[str, Any] = {}
    reason: str = ""
    rule: str = ""
    no_rule: str = ""
    folder: str = ""
    questions: tuple[Question, ...] = ()
    plan: str = ""


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one question: the labels of the options that were chosen, and the person's own text."""

    choices: tuple[str, ...] = ()
    text: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """All parts of the answer; a comma or a line break may be part of one."""
        return (*self.choices, *((self.text,) if self.text else ()))


class Answered(Event, frozen=True, kw_only=True, tag="answered"):
    """The only answer to a request. `by` is a user id and the way by which the answer came ("u… web").

    `replies` are the answers to questions, by the question's text; `answers` are the same as the CLI takes them, a
    string each. Events of earlier versions have `answers` alone.
    """

    request_id: str
    decision: Decision
    by: str = ""
    message: str = ""
    rule: str = ""
    answers: dict[str, str] = {}
    replies: dict[str, Reply] = {}


class Parked(Event, frozen=True, kw_only=True, tag="parked"):
    """The CLI process that asked has ended. The request stays open, and answering it resumes the session."""

    request_id: str


class Todos(Event, frozen=True, kw_only=True, tag="todos"):
    """The whole checklist as it stands now."""

    items: tuple[TodoItem, ...] = ()


class Retrying(Event, frozen=True, kw_only=True, tag="retrying"):
    """The model did not answer; the CLI asks it again in `in_s` seconds."""

    reason: str
    in_s: float = 0.0
    attempt: int = 1


class Notice(Event, frozen=True, kw_only=True, tag="notice"):
    """A remark of the platform. `text` is a catalogue key (`notice.<text>`) or, failing that, plain text."""

    level: Literal["info", "warn", "error"] = "info"
    text: str = ""


class StateChanged(Event, frozen=True, kw_only=True, tag="state"):
    """The session's state; `turn` is the message_id whose turn is open (empty: none), so a restart can tell.

    `phase` (core.spawner.Phase): how far the start of the user's box is; only in what is shown and never stored.
    """

    state: SessionState
    turn: str = ""
    phase: str = ""


class TurnFinished(Event, frozen=True, kw_only=True, tag="turn_finished"):
    """The only end of a turn. `reason` is a code with a sentence in the catalogues (`reason.<code>`).

    `duration_s` is from its beginning to its end; for `waited_s` of that a person was asked and had not answered.
    `usage` is the sum over all calls of the model: each of them reads the conversation again.
    `model` answered last (empty: none did), `context_tokens` of `window_tokens` were full then; 0 is unknown.
    `cost_usd` is what the gateway metered, without the `unpriced_calls`, whose price nobody knows. A runner's own log
    has 0 in both: the gateway writes them into the Store. `background` commands and sub-agents went on at that moment.
    """

    outcome: Literal["ok", "error", "interrupted", "limit"]
    reason: str = ""
    detail: str = ""
    usage: Usage = Usage()
    cost_usd: float = 0.0
    duration_s: float = 0.0
    waited_s: float = 0.0
    model: str = ""
    context_tokens: int = 0
    window_tokens: int = 0
    unpriced_calls: int = 0
    background: int = 0
    anchor: str = ""  # the CLI's id of the last message: from there another session can branch


class TurnCost(Event, frozen=True, kw_only=True, tag="turn_cost"):
    """The cost of an ended turn, sent to the readers of `watch` as soon as the gateway has metered it; never stored.

    `turn` is the number of its `turn_finished`. In the Store that event has the same values.
    """

    turn: int
    cost_usd: float = 0.0
    unpriced_calls: int = 0


class Live(Event, frozen=True, kw_only=True, tag="live"):
    """A mark inside `watch`: all stored events up to `last_seq` have been sent, and everything after it is new."""

    last_seq: int


class UnknownEvent(Event, frozen=True, kw_only=True, tag="unknown"):
    """An event of a kind that the gateway which stored it did not know. A newer version reads it as that kind."""

    kind: str
    data: dict[str, Any] = {}


AnyEvent = (
    SessionOpened | UserSaid | QueueChanged | TextDelta | Text | ThinkingDelta | Thinking | ToolCalled | Decided
    | ToolProgress | ToolReturned | Asked | Answered | Parked | Todos | Retrying | Notice | StateChanged | TurnFinished
    | TurnCost | Live | UnknownEvent
)  # fmt: skip
LIVE_ONLY = (TextDelta, ThinkingDelta, ToolProgress, TurnCost, Live)

PRACTICE = "practice"  # what `TurnFinished.model` says of the practice model, whatever name the CLI gave it

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(AnyEvent)


def numbered(event: AnyEvent, *, seq: int, at: datetime | None = None) -> AnyEvent:
    """Return a copy of `event` with its number and time, as it is stored."""
    return msgspec.structs.replace(event, seq=seq, at=at or datetime.now(UTC))


def seq_of(event: Event) -> int:
    """Return the event's number; 0 if it is not stored."""
    return 0 if event.seq is UNSET else event.seq


def encode(event: Event) -> bytes:
    """Encode an event as a line of JSON, without the newline."""
    return _encoder.encode(event)


def decode(line: bytes | str | msgspec.Raw) -> AnyEvent:
    """Decode an event. Raises: msgspec.ValidationError, msgspec.DecodeError: it is not one of our events."""
    event: AnyEvent = _decoder.decode(line)
    return _known_by_now(event) if isinstance(event, UnknownEvent) else event


def encode_many(events: "list[AnyEvent]") -> bytes:
    """Encode events as a JSON array: a frame of `watch`, or a body of ingest."""
    return _encoder.encode(events)


def decode_many(frame: bytes | str) -> "list[AnyEvent]":
    """Decode a frame and return the events that this version knows; unknown kinds and broken events are left out.

    Raises: msgspec.DecodeError: the frame is no JSON array at all.
    """
    known: list[AnyEvent] = []
    for raw in msgspec.json.decode(frame, type=list[msgspec.Raw]):
        try:
            known.append(decode(raw))
        except msgspec.ValidationError:
            continue
    return known


def _known_by_now(kept: UnknownEvent) -> AnyEvent:
    """Return the event that `kept` stands for if this version knows its kind, else `kept` itself."""
    head = {name: value for name in ("seq", "at") if (value := getattr(kept, name)) is not UNSET}
    try:
        event: AnyEvent = msgspec.convert({**kept.data, **head, "type": kept.kind}, AnyEvent)
    except msgspec.ValidationError:
        return kept
    return kept if isinstance(event, (UnknownEvent, *LIVE_ONLY)) else event
