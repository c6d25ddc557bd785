"""Requests that wait for a person: permissions, questions, plans.

Each is recorded before it is shown and answered once, never by a timer.

The CLI's own request ends with its process; ours does not (G5). A decision that comes later is kept for exactly that
tool and input; it is used once, when the resumed model, which is told of it, makes the same request again.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from core.domain.errors import BadInput
from core.domain.events import Answered, Asked, Parked, Question
from core.domain.permission_rules import Offer, parse_rules
from core.protocol.platform_tools import PREFIX
from core.runner import truncation

Kind = Literal["permission", "question", "plan"]
KINDS: dict[str, Kind] = {"AskUserQuestion": "question", "ExitPlanMode": "plan"}
DECISIONS = {
    "permission": {"allow", "allow_always", "deny"},
    "question": {"answer", "deny"},
    "plan": {"allow", "deny"},
}
DENIED = "The user does not want this. Do not try it another way; ask, or go on without it."
UNATTENDED = "Nobody is there to ask, and the agent's policy does not allow this. Go on without it, and say so."
POLICY = "policy"  # `by` of an answer that the agent's policy for unattended work gave
STOPPED = "stop"  # `by` of an automatic answer, because its turn was stopped


class Verdict(NamedTuple):
    """The answer that the CLI gets. `rules` are allowed from now on without a question."""

    allow: bool
    message: str = ""
    input: dict[str, Any] | None = None
    rules: tuple[str, ...] = ()


class ToolRequest(NamedTuple):
    """A request of the CLI to use a tool, as it came."""

    tool: str
    input: dict[str, Any]
    tool_id: str
    reason: str
    rules: tuple[str, ...]  # what the CLI suggests for "always"
    cli_reason: str = ""  # the CLI's code of why it asks: `rule`, `safetyCheck`, `mode` …
    offer: Offer = Offer("")  # what "always" would add


class PendingRequests:
    """The open requests of one live CLI."""

    def __init__(self, record: Callable[[Asked | Answered | Parked], None]) -> None:
        self._record = record
        self._open: dict[str, asyncio.Future[Answered]] = {}
        self._once: dict[str, tuple[Asked, Answered]] = {}

    @property
    def waiting(self) -> bool:
        """True while a request of this CLI is open."""
        return bool(self._open)

    def decided_before(self, asked: Asked, answered: Answered) -> None:
        """Answer the next request for exactly this tool and input with a decision that was made before."""
        self._once[_key(asked.tool, asked.input)] = (asked, answered)

    async def ask(self, request_id: str, request: ToolRequest, plan: str = "") -> Verdict:
        """Record the request and wait, without a limit, for a person's decision.

        Cancelled, it answers the request with STOPPED, unless the request was parked.
        """
        asked = asked_for(request_id, request, plan)
        whole = asked.input == request.input  # a cut input is not exactly what a person decided about
        if whole and (once := self._once.pop(_key(asked.tool, asked.input), None)):
            return verdict(once[0].kind, request.input, once[1])
        answer: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._open[request_id] = answer
        try:
            self._record(asked)
            return verdict(asked.kind, request.input, await answer)
        except asyncio.CancelledError:
            if self._open.pop(request_id, None):  # neither settled nor parked
                self._record(Answered(request_id=request_id, decision="deny", by=STOPPED))
            raise
        finally:
            self._open.pop(request_id, None)

    def refuse(self, request_id: str, request: ToolRequest, plan: str = "") -> Verdict:
        """Answer at once for the agent's policy, where nobody is there to ask. Both stand in the log."""
        asked = asked_for(request_id, request, plan)
        self._record(asked)
        self._record(Answered(request_id=request_id, decision="deny", by=POLICY, message=UNATTENDED))
        return Verdict(allow=False, message=UNATTENDED)

    def settle(self, answered: Answered) -> bool:
        """Hand a decision to the request that waits for it. Returns False if none does."""
        answer = self._open.pop(answered.request_id, None)
        if answer is None or answer.done():
            return False
        answer.set_result(answered)
        return True

    def drop(self) -> None:
        """Deny all open requests, because the user has stopped the turn."""
        for request_id, answer in list(self._open.items()):
            del self._open[request_id]
            answered = Answered(request_id=request_id, decision="deny", by=STOPPED)
            self._record(answered)
            if not answer.done():
                answer.set_result(answered)

    def park(self) -> None:
        """Leave all open requests open without the process that made them: it is about to end."""
        for request_id in list(self._open):
            del self._open[request_id]
            self._record(Parked(request_id=request_id))


def asked_for(request_id: str, request: ToolRequest, plan: str = "") -> Asked:
    """Make the event that shows a request to people.

    `plan` is the text that the model wrote earlier in the turn: the CLI keeps plans in files, not in requests.
    """
    kind = KINDS.get(request.tool, "permission")
    own_plan = request.input.get("plan")
    return Asked(
        request_id=request_id,
        kind=kind,
        tool=request.tool,
        tool_id=request.tool_id,
        input=truncation.tool_input(request.input),
        reason=request.reason[:2000],
        rule=request.offer.rules,
        no_rule=request.offer.why_none,
        folder=_folder(request.input),
        questions=questions(request.input) if kind == "question" else (),
        plan=(own_plan if isinstance(own_plan, str) else plan)[: truncation.INPUT_CHARS] if kind == "plan" else "",
    )


def check(asked: Asked, decision: str) -> None:
    """Check that a decision fits the kind of request. Raises: BadInput: it does not."""
    if decision not in DECISIONS[asked.kind]:
        raise BadInput(f"{decision!r} does not answer a {asked.kind}")
    if decision == "allow_always" and asked.tool.startswith(PREFIX):
        raise BadInput("each call of a platform tool is decided by itself")


def verdict(kind: Kind, original: dict[str, Any], answered: Answered) -> Verdict:
    """Translate a person's answer into what the CLI is told."""
    match answered.decision:
        case "deny":
            return Verdict(allow=False, message=answered.message or DENIED)
        case "answer":
            return Verdict(allow=True, input={**original, "answers": answered.answers})
        case "allow_always":
            return Verdict(allow=True, rules=parse_rules(answered.rule))
    return Verdict(allow=True)


def questions(raw: dict[str, Any]) -> tuple[Question, ...]:
    """Read the questions of AskUserQuestion, whole (the request's size is bounded); other shapes are left out."""
    asked = raw.get("questions")
    return tuple(
        Question(
            text=str(question.get("question", "")),
            header=str(question.get("header", "")),
            options=tuple(
                (str(option.get("label", "")), str(option.get("description", "")))
                for option in question.get("options") or []
                if isinstance(option, dict)
            ),
            many=question.get("multiSelect") is True,
        )
        for question in (asked if isinstance(asked, list) else [])
        if isinstance(question, dict)
    )


def _folder(raw: dict[str, Any]) -> str:
    path = raw.get("file_path") or raw.get("notebook_path") or raw.get("path")
    return path.rpartition("/")[0][:1000] if isinstance(path, str) else ""


def _key(tool: str, raw: dict[str, Any]) -> str:
    return tool + "\0" + json.dumps(truncation.tool_input(raw), sort_keys=True)
