"""The HTTP API of the gateway: the calls of runners, and the calls of the web on the same machine.

A runner signs each call as the box's own (core.protocol.tokens.box_audience); a session's token is good for model calls
only.
The web speaks to gateway.sock, which boxes cannot reach.
"""

from typing import Annotated, Any, Final

import msgspec

from core.domain.errors import Conflict

# --- runner → gateway ------------------------------------------------------------------------------------------------

SPEC: Final = "/internal/spec"
TOOL: Final = "/internal/tool"
TOOL_CHECK: Final = "/internal/tool/check"
EVENTS: Final = "/internal/events"
LOG: Final = "/internal/log"
MODEL: Final = "/v1/messages"
COUNT_TOKENS: Final = "/v1/messages/count_tokens"

HIGHEST_SEQ: Final = 2**31
BATCH_EVENTS: Final = 500  # in one EventBatch
BATCH_BYTES: Final = 8 * 1024 * 1024

# Codes that the gateway puts into the text of the model's errors, because the CLI passes on nothing else. The runner
# looks for them there.
KEY_REFUSED: Final = "model_key_refused"
OVERLOADED: Final = "model_overloaded"
BAD_TOKEN: Final = "bad_token"  # noqa: S105  # a code


JUDGE: Final = "judge"  # the kind of a session that only says whether an answer fits a rubric


class SpecRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /internal/spec."""

    session: str


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an agent's record that its CLI starts with."""

    id: str
    name: str = ""
    description: str = ""
    model: str = ""
    effort: str = ""
    permission_mode: str = "acceptEdits"
    rules: tuple[str, ...] = ()
    draft: bool = False


class SessionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a session's record that its CLI starts with."""

    id: str
    kind: str = "chat"
    locale: str = "ko"
    branch_of: str = ""
    branch_at: str = ""
    unattended: bool = False  # a run whose agent denies everything that would need a person
    folder: str = ""  # the copy of the agent's folder in which a test works; empty: the agent's own


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A platform tool of a session, as MCP's `tools/list` describes it. `asks`: a call may wait for a person."""

    name: str
    description: str
    input_schema: dict[str, Any]
    asks: bool = False


class VersionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The published version that a run works by: its number, its commit and the digest of its content."""

    number: int
    commit: str
    digest: str


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of POST /internal/spec: everything that the CLI of a session starts with.

    `token` is good for this session's model calls. `secrets` are the agent's, by name; runner and CLI have them in
    memory only, and nothing writes them down.
    """

    token: str
    provider: str = ""
    agent: AgentSpec
    session: SessionSpec
    secrets: dict[str, str] = {}
    tools: tuple[ToolSpec, ...] = ()
    version: VersionSpec | None = None  # None: the session works in the agent's folder as it is
    instructions: str = ""  # appended to the system prompt; empty: what every agent is told

    def __repr__(self) -> str:
        return f"Spec({self.session.id})"


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /internal/tool and of /internal/tool/check: the model of this session calls a platform tool.

    `call` is the same if the runner asks again about the same call.
    """

    session: str
    name: str
    call: str = ""
    arguments: dict[str, Any] = {}


class ToolCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST /internal/tool/check: a person has to decide first, or why the call is not carried out at all."""

    ask: bool = False
    refusal: str = ""


class ToolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of POST /internal/tool: what the model is told. `unfinished`: ask again with the same `call` later."""

    text: str = ""
    is_error: bool = False
    unfinished: bool = False


class EventBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /internal/events: stored events of one session, their numbers rising by one."""

    session: str
    events: list[msgspec.Raw]


class TurnPrice(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of the turn that ended with event `seq`, without calls of unknown price."""

    seq: int
    cost_usd: float = 0.0
    unpriced_calls: int = 0


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of POST /internal/events, and of its refusals `gap` and `log_behind`: the Store has all events up to
    `acked`. `turns` are the turns that ended in the batch.
    """

    acked: int
    turns: tuple[TurnPrice, ...] = ()


class LogRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /internal/log: a page of the stored events after a number."""

    session: str
    after: Annotated[int, msgspec.Meta(ge=0, le=HIGHEST_SEQ)]


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of POST /internal/log: events in order; an empty list if there are no more."""

    events: list[msgspec.Raw]


class IngestRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the 409 answer for `Gap` and `LogBehind`."""

    code: str
    acked: int
    detail: str = ""


class Gap(Conflict):
    """The gateway lacks events before the batch; it has all events up to `acked`."""

    code = "gap"

    def __init__(self, acked: int) -> None:
        super().__init__(f"the gateway has events up to {acked}")
        self.acked = acked


class LogBehind(Conflict):
    """The gateway has other events after `acked`: the runner's log lost its end and used the numbers again."""

    code = "log_behind"

    def __init__(self, acked: int) -> None:
        super().__init__(f"the gateway has other events after {acked}")
        self.acked = acked


# --- web → gateway, on one machine -----------------------------------------------------------------------------------

HEALTH: Final = "/healthz"
BOX: Final = "/boxes/{box}"
HOLD: Final = "/hold"
STOP: Final = "/stop"


class RegisterBox(msgspec.Struct, frozen=True, kw_only=True):
    """The body of PUT /boxes/{id}: the box's user, its runner's key, and its process (`start` in clock ticks since
    boot).
    """

    user: str
    key: str
    pid: int
    start: int

    def __repr__(self) -> str:
        return f"RegisterBox({self.user}, {self.pid})"


class GatewayHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of GET /healthz. `digest` is the fingerprint of program and settings at the gateway's start."""

    status: str = "ok"
    boxes: int = 0
    digest: str = ""
