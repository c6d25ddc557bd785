"""All records of the platform: frozen values, each owned by one user.

Records are written and read by the Store as JSON through msgspec; a field with a default may be missing in what an
older version wrote. Times are aware datetimes in UTC. Money is USD.
"""

import secrets
import uuid
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Literal, NewType

import msgspec

from core.domain.agent_inputs import AgentInput, AgentLimits
from core.domain.states import OPEN_TURN, SessionState

UserId = NewType("UserId", str)
SYSTEM = UserId("system")  # owner of the platform's own rows: users, logins, runners

GOOGLE = "https://accounts.google.com"
LOCAL = "local"


def now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def user_id(issuer: str, subject: str) -> UserId:
    """Return the account's key, safe in paths and URLs: Google's subject stays readable, all others are hashed.

    The e-mail address is never part of it: addresses are reassigned, subjects are not.
    """
    if issuer == LOCAL:
        return UserId(f"local-{subject}")
    if issuer == GOOGLE and subject.isascii() and subject.isdigit() and len(subject) <= 64:
        return UserId(f"google-{subject}")
    return UserId("u-" + sha256(f"{issuer}\0{subject}".encode()).hexdigest()[:32])


AGENT_ID_SIGNS = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 of them: each is 5 bits


def new_agent_id() -> str:
    """Return a new agent id of twelve random letters and digits (60 bits). The agent's folder has this name."""
    return "".join(secrets.choice(AGENT_ID_SIGNS) for _ in range(12))


def derived_agent_id(user: UserId, key: str) -> str:
    """Return the agent id that follows from this user's idempotency key, so that a repeated request means the same
    agent.
    """
    digest = sha256(f"agent\0{user}\0{key}".encode()).digest()
    return "".join(AGENT_ID_SIGNS[byte % 32] for byte in digest[:12])


def new_session_id() -> str:
    """Return a new session id, a UUID: the CLI's session has the same id."""
    return str(uuid.uuid4())


def derived_session_id(user: UserId, agent: str, key: str) -> str:
    """Return the session id that follows from user, agent and idempotency key, as `derived_agent_id` does."""
    digest = sha256(f"session\0{user}\0{agent}\0{key}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


class Role(StrEnum):
    """A user's role: it decides what they may see besides their own things."""

    USER = "user"
    ADMIN = "admin"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all records."""

    id: str


class User(Record, frozen=True, kw_only=True):
    """A person who signed in at least once. `locale` and `theme` are empty until chosen."""

    id: UserId
    issuer: str
    subject: str
    email: str = ""
    name: str = ""
    picture: str = ""
    role: Role = Role.USER
    disabled: bool = False
    locale: str = ""
    theme: str = ""
    # An administrator gave this user the role; a user whom the settings name has it without this.
    admin_granted: bool = msgspec.field(default=False, name="appointed")
    # The account is being deleted; a web that starts continues the deletion.
    deleting: bool = msgspec.field(default=False, name="leaving")
    created_at: datetime
    seen_at: datetime

    @property
    def user_id(self) -> UserId:
        """The id as the owner of this user's records."""
        return UserId(self.id)


class Login(Record, frozen=True, kw_only=True):
    """A server-side login session. `id` is the SHA-256 of the cookie's random value, which we do not keep."""

    user: UserId
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str = ""
    device: str = ""
    revoked: bool = False


class Unattended(msgspec.Struct, frozen=True, kw_only=True):
    """The permissions of an agent in a run, which nobody watches. `allow` lists rules that need no answer; `otherwise`
    says what happens to every other request.

    A request that nobody answers within `ask_deadline_s` ends the run as failed. Time never says yes.
    """

    allow: tuple[str, ...] = ()
    otherwise: Literal["deny", "ask"] = "ask"
    ask_deadline_s: int = 8 * 3600


class Agent(Record, frozen=True, kw_only=True):
    """A folder plus this record. `rules` are what it does without asking, in the CLI's rule syntax.

    `revision` counts the changes of its definition (core.domain.agent_definition). `published` is the number of the
    version that runs use; 0: none, or it was published before versions had numbers.
    """

    name: str = ""
    description: str = ""
    icon: str = "spark"
    model: str = ""
    effort: str = ""
    inputs: tuple[AgentInput, ...] = ()
    permission_mode: str = "acceptEdits"
    rules: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()  # names of its owner's: what its programs get as environment variables
    egress: tuple[str, ...] = ("*",)  # hosts it may reach (host_patterns.py): `*` the public internet, empty nothing
    unattended: Unattended = Unattended()
    limits: AgentLimits = AgentLimits()
    tests: tuple[str, ...] = ()  # names of the test cases in its folder
    revision: int = 0
    published: int = 0
    draft: bool = True
    archived: bool = False
    created_at: datetime
    updated_at: datetime


class Session(Record, frozen=True, kw_only=True):
    """A conversation with an agent. `kind` is chat, builder or run. All fields from `state` on are projected from the
    log by the gateway.

    `last_outcome` and `last_reason` are those of the last turn, empty while there is an open one. `given_title` is the
    title that the platform gave; another one was given by hand, and stays. `turn` names the newest turn.
    """

    agent: str
    kind: str = "chat"
    title: str = ""
    pinned: bool = False
    locale: str = "ko"
    created_at: datetime
    updated_at: datetime
    state: SessionState = SessionState.ASLEEP
    last_seq: int = 0
    last_line: str = ""
    cost_usd: float = 0.0  # of its ended turns, as the gateway metered them
    unpriced_calls: int = 0  # calls of the model that are not in it: nobody knows their price
    model: str = ""  # this and the next two as the last turn that had an answer left them (core.domain.events)
    context_tokens: int = 0
    window_tokens: int = 0
    last_outcome: str = ""
    last_reason: str = ""
    given_title: str = ""
    turn: str = ""
    run: str = ""  # the run that this session belongs to
    chosen_model: str = ""  # this and the next two a person chose for this session; empty: as the agent's record says
    chosen_effort: str = ""
    chosen_mode: str = ""
    branch_of: str = ""  # the session that this one branched from, and the anchor of the turn after which it did
    branch_at: str = ""
    folder: str = ""  # the copy of the agent's folder that it works in, if it is a test

    @property
    def shown_state(self) -> SessionState:
        """The state that a person sees: a session whose last turn failed is shown as failed until the next turn."""
        failed = self.last_outcome == "error" and self.state not in OPEN_TURN
        return SessionState.FAILED if failed else self.state


class Request(Record, frozen=True, kw_only=True):
    """An entry of the inbox: something `asked` and not `answered` yet. `id` is the request_id.

    `summary` is the exact target (command, file, question), `reason` the model's own words for it, `seq` the number of
    the event that says all of it.
    """

    agent: str
    session: str
    kind: str
    tool: str = ""
    summary: str = ""
    reason: str = ""
    asked_at: datetime
    parked: bool = False
    seq: int = 0


class SecretRecord(Record, frozen=True, kw_only=True):
    """All that the Store knows of a secret. `id` is its name; only the vault (core.vault) has the value."""

    updated_at: datetime
    used_at: datetime | None = None  # when a CLI last started with it


class Announcement(Record, frozen=True, kw_only=True):
    """A text that stands at the head of every page, for everybody. The platform has at most one."""

    id: str = "announcement"
    text: str
    at: datetime


class Connection(Record, frozen=True, kw_only=True):
    """A connection out of a box that has ended or was refused. `times` counts equal ones of one moment."""

    agent: str
    session: str
    host: str
    port: int
    address: str = ""  # empty: none was dialled
    decision: str  # connected, refused, failed (allowed, but nobody answered)
    reason: str = ""  # for the agent and the log, in English; `why` is its code, for pages
    why: str = ""
    sent_bytes: int = 0
    received_bytes: int = 0
    seconds: float = 0.0
    times: int = 1
    updated_at: datetime  # when it ended


class AuditSubject(Record, frozen=True, kw_only=True):
    """The whole subject of a user's decision: the command, or the file and its new content.

    It belongs to the user, so that a deleted account takes it along, and not to the session, which the user can delete.
    """

    text: str


class LogKey(Record, frozen=True, kw_only=True):
    """The key with which a user's runners mark their logs, one a user. In a box only the runner's memory has it.

    `taken_over`: a runner that marks its logs has run, so that a log without marks is not a runner's.
    """

    key: str
    taken_over: bool = False


class Box(Record, frozen=True, kw_only=True):
    """A runner as the spawner knows it. `id` is the runner's id; only the spawner reads `spawner_state`."""

    user: UserId
    key: str
    spawner_state: dict[str, Any] = msgspec.field(default_factory=dict, name="memory")
    started_at: datetime
