"""A connected CLI: its process, and the SDK's client for the control protocol on top of it.

The SDK handles the two-sided parts: initialize, permission callbacks, interrupt. All other lines go straight to
`on_message`, because the SDK's types refuse lines that we have to survive, and each of its queues costs time. Calls of
our own tools also bypass it, see core.runner.sdk. This module is imported late and in a thread, because the SDK loads
slowly.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from msgspec import structs

from core.domain.events import PRACTICE, Asked, Decided
from core.domain.permission_policy import Mode, PolicyDecision, mode_of
from core.domain.permission_rules import Offer
from core.protocol.gateway_api import Spec, ToolCheck
from core.protocol.platform_tools import PREFIX
from core.protocol.runner_api import CliInfo
from core.runner.attachments import Message, content
from core.runner.cli import CliProcess, Json
from core.runner.cli_info import cli_info
from core.runner.gateway_client import GatewayClient
from core.runner.pending_requests import ToolRequest, Verdict
from core.runner.permission_judge import PermissionJudge
from core.runner.processes import boottime
from core.runner.sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    CLIConnectionError,
    PermissionResultAllow,
    PermissionResultDeny,
    PermissionRuleValue,
    PermissionUpdate,
    ToolPermissionContext,
    Transport,
)
from core.runner.tools import Tools
from core.runner.turn_result import TurnResult

log = logging.getLogger("oma.cli_client")

# The control lines, and the key of the object that needs a request_id: without one the SDK's reader dies.
CONTROL: dict[object, str] = {
    "control_request": "request",
    "control_response": "response",
    "control_cancel_request": "",
}
TOKEN_S = 20 * 3600.0  # the model token is valid for 24 h: a CLI this old is replaced between two turns
CONTROL_QUEUE = 1_000  # open requests of a CLI; more than that is a fault
APPLY_S = 10.0  # for the CLI to take new settings; it takes some milliseconds
CALLS = 100  # of them to our own tools

REASONS = 1_000  # of open requests; the SDK does not pass on why the CLI asks
REFUSED = {
    "mode": "This agent does only what its rules allow; nobody is asked. Go on without it, and say what was left out.",
    "size": "This is longer than anybody could read before deciding. Do it in smaller parts, or from a file.",
}

PermissionCallback = Callable[[str, ToolRequest], Awaitable[Verdict]]
DecisionCallback = Callable[[Decided], None]


class SdkTransport(Transport):
    """The SDK's view of a running CLI: the control lines of its stdout, and its stdin."""

    def __init__(
        self,
        cli: CliProcess,
        on_message: Callable[[Json], None],
        on_exit: Callable[[], None],
        tools: Tools | None = None,
    ) -> None:
        self._cli, self._forward, self._on_exit, self._tools = cli, on_message, on_exit, tools
        self._calls: set[asyncio.Task[None]] = set()
        self.opened: Callable[[], None] | None = None  # called once, after the first line (`initialize`) was written
        self._reasons: dict[str, str] = {}
        self.answered = False  # the CLI has answered its first request, `initialize`: it is running
        self._control: asyncio.Queue[Json | None] = asyncio.Queue(CONTROL_QUEUE)
        cli.on_message, cli.on_exit = self._on_message, self._end
        if cli.over.is_set():
            self._control.put_nowait(None)

    def _on_message(self, said: Json) -> None:
        if said.get("type") not in CONTROL:
            self._forward(said)
            return
        if not _sound(said):
            log.warning("a control line of the CLI is broken: %.200r", said)
            return
        self.answered = self.answered or said["type"] == "control_response"
        self._note_reason(said)
        if self._tools and said["type"] == "control_request" and said["request"]["subtype"] == "mcp_message":
            self._call(said["request_id"], said["request"].get("message"), self._tools)
        elif self._control.full():
            self._cli.terminate()
        else:
            self._control.put_nowait(said)

    def _note_reason(self, said: Json) -> None:
        asked = said.get("request", {})
        if said["type"] == "control_request" and isinstance(tool_id := asked.get("tool_use_id"), str):
            while len(self._reasons) >= REASONS:
                del self._reasons[next(iter(self._reasons))]
            self._reasons[tool_id] = str(asked.get("decision_reason_type", ""))[:80]

    def reason(self, tool_id: str) -> str:
        """Return the CLI's code of why it asks about this use of a tool; `unknown` if it named none."""
        return self._reasons.pop(tool_id, "unknown")

    def _call(self, request_id: str, message: object, tools: Tools) -> None:
        if len(self._calls) >= CALLS:
            self._cli.terminate()
            return
        call = asyncio.get_running_loop().create_task(self._answer(request_id, message, tools), name="tool call")
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _answer(self, request_id: str, message: object, tools: Tools) -> None:
        answer: Json
        try:
            answer = {"subtype": "success", "response": {"mcp_response": await tools.answer(message)}}
        except Exception as error:  # whatever failed: without an answer the CLI would wait without end
            log.exception("a tool of ours")
            answer = {"subtype": "error", "error": f"{type(error).__name__}: {error}"}
        line = {"type": "control_response", "response": {"request_id": request_id, **answer}}
        self._cli.write(msgspec.json.encode(line) + b"\n")

    def _end(self) -> None:
        for call in self._calls:
            call.cancel()
        if not self._control.full():
            self._control.put_nowait(None)
        self._on_exit()

    async def connect(self) -> None:
        if self._cli.over.is_set():
            raise CLIConnectionError("the CLI has ended")

    async def write(self, data: str) -> None:
        self._cli.write(data.encode())
        opened, self.opened = self.opened, None
        if opened:
            opened()

    async def read_messages(self) -> AsyncIterator[Json]:
        while (said := await self._control.get()) is not None:
            yield said

    async def close(self) -> None:
        await self._cli.close()

    def is_ready(self) -> bool:
        return not self._cli.over.is_set()

    async def end_input(self) -> None:
        """Do nothing: the CLI's stdin stays open as long as it lives."""


def _sound(said: Json) -> bool:
    inner = said.get(CONTROL[said["type"]], {})
    if not isinstance(inner, dict):
        return False
    asked = inner if said["type"] == "control_response" else said
    return isinstance(asked.get("request_id"), str) and (said["type"] != "control_request" or "subtype" in inner)


class CliClient:
    """A connected CLI. Any task may call `say` and `interrupt`; `connect` and `close` belong to the task
    that owns it.
    """

    def __init__(self, cli: CliProcess, spec: Spec, *, gateway: GatewayClient, on_message: Callable[[Json], None],
                 on_exit: Callable[[], None], ask: PermissionCallback, judge: PermissionJudge,
                 decided: DecisionCallback) -> None:  # fmt: skip
        self.cli = cli
        self.started_at = boottime()  # its token is as old
        self.refused = False  # the gateway refuses its token
        self._practice = spec.provider == PRACTICE
        self._connected = False
        self._closing = asyncio.Lock()
        self._ask, self._judge, self._decided = ask, judge, decided
        self._folder = judge.folder
        self._tools = Tools(gateway, spec.session.id, spec.tools) if spec.tools else None
        self._transport = SdkTransport(cli, on_message, on_exit, self._tools)
        self._client = ClaudeSDKClient(ClaudeAgentOptions(can_use_tool=self._may_use), transport=self._transport)

    @property
    def stale(self) -> bool:
        """True if its token is about to expire or was refused: no new turn begins in this CLI."""
        return self.refused or boottime() - self.started_at > TOKEN_S

    async def connect(self, opened: Callable[[], None]) -> None:
        """Connect, and wait until the CLI takes messages. From `opened` on it can be written to; it reads in order.

        It may have ended again afterwards. Raises: Exception: the SDK's error if the CLI does not answer.
        """
        self._transport.opened = opened
        # The SDK would wait its whole minute for the answer of a CLI that has ended.
        ended = asyncio.ensure_future(self.cli.over.wait())
        connecting = asyncio.ensure_future(self._client.connect())
        try:
            await asyncio.wait((ended, connecting), return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done() and not self._transport.answered:
                raise CLIConnectionError("the CLI ended before it took messages")
            await connecting
            self._connected = True
        finally:
            ended.cancel()
            connecting.cancel()
            await asyncio.wait((ended, connecting))

    async def close(self) -> None:
        """End the CLI, in limited time and only once: a second caller waits for the first."""
        async with self._closing:
            if self._connected:
                self._connected = False
                await self._client.disconnect()
            await self.cli.close()

    def say(self, said: Message) -> str:
        """Write a user message at once. Returns the uuid by which the CLI reports on it."""
        name = str(uuid.uuid4())
        message = {"role": "user", "content": content(said, self._folder)}
        line = {"type": "user", "message": message, "parent_tool_use_id": None, "session_id": "default", "uuid": name}
        self.cli.write(msgspec.json.encode(line) + b"\n")
        return name

    async def apply(self, spec: Spec) -> None:
        """Go on with this model, effort and permission mode, also in an open turn.

        The mode counts at once, before the CLI has heard of it. Raises: Exception: the CLI did not take one of them.
        """
        mode = mode_of(spec.agent.permission_mode)
        self._judge.use_mode(mode)
        async with asyncio.timeout(APPLY_S):
            await self._client.set_permission_mode("plan" if mode is Mode.PLAN else "default")
            await self._client.set_model(spec.agent.model or None)
            self._control({"subtype": "apply_flag_settings", "settings": {"effortLevel": spec.agent.effort or None}})

    async def info(self) -> CliInfo:
        """Return the commands and models of this CLI."""
        return cli_info(await self._client.get_server_info() or {}) if self._connected else CliInfo()

    def with_model_name(self, over: TurnResult) -> TurnResult:
        """Return the result with the model's name. The CLI does not know that of the practice model."""
        return structs.replace(over, model=PRACTICE) if self._practice and over.model else over

    def interrupt(self) -> None:
        """Ask the CLI to end its turn; its result shows that it did."""
        self._control({"subtype": "interrupt"})

    def _control(self, request: Json) -> None:
        """Send the CLI a control request whose answer nobody waits for."""
        line = {"type": "control_request", "request_id": f"oma_{uuid.uuid4()}", "request": request}
        self.cli.write(msgspec.json.encode(line) + b"\n")

    async def _may_use(
        self, name: str, said: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        request = ToolRequest(
            tool=name,
            input=said,
            tool_id=context.tool_use_id or "",
            reason=context.description or context.decision_reason or "",
            rules=tuple(rule_text(rule) for update in context.suggestions for rule in _added(update)),
            cli_reason=self._transport.reason(context.tool_use_id or ""),
        )
        if name.startswith(PREFIX):
            return await self._may_use_ours(request)
        decision = self._judge.judge(request)
        if decision.outcome != "ask":
            return self._without_asking(request, decision)
        return await self._by_person(request._replace(offer=self._judge.offer(request)))

    async def _may_use_ours(self, request: ToolRequest) -> PermissionResultAllow | PermissionResultDeny:
        """Have the gateway say whether a person decides about this call of a platform tool; no rule does."""
        check = await self._tools.check(request.tool, request.input) if self._tools else ToolCheck()
        if check.refusal:
            return PermissionResultDeny(message=check.refusal)
        return await self._by_person(request._replace(offer=Offer(""))) if check.ask else PermissionResultAllow()

    async def _by_person(self, request: ToolRequest) -> PermissionResultAllow | PermissionResultDeny:
        verdict = await self._ask(str(uuid.uuid4()), request)
        if not verdict.allow:
            return PermissionResultDeny(message=verdict.message)
        self._judge.learn(verdict.rules)
        updates = [_update(verdict.rules)] if verdict.rules else None
        return PermissionResultAllow(updated_input=verdict.input, updated_permissions=updates)

    def allows(self, rules: str, asked: Asked) -> bool:
        """True if these rules allow exactly this request. Raises: BadInput: they are not valid rules."""
        return self._judge.allows(rules, ToolRequest(asked.tool, asked.input, asked.tool_id, "", ()))

    def _without_asking(
        self, request: ToolRequest, decision: PolicyDecision
    ) -> PermissionResultAllow | PermissionResultDeny:
        """Turn the policy's decision into the SDK's answer, after recording it."""
        allowed = decision.outcome == "allow"
        self._decided(Decided(tool_id=request.tool_id, tool=request.tool, decision="allow" if allowed else "deny",
                              by=decision.by, rule=", ".join(decision.rules)))  # fmt: skip
        return PermissionResultAllow() if allowed else PermissionResultDeny(message=REFUSED[decision.by])


def _added(update: PermissionUpdate) -> list[PermissionRuleValue]:
    return update.rules or [] if update.type == "addRules" and update.behavior == "allow" else []


def rule_text(rule: PermissionRuleValue) -> str:
    return f"{rule.tool_name}({rule.rule_content})" if rule.rule_content else rule.tool_name


def _update(rules: tuple[str, ...]) -> PermissionUpdate:
    values = []
    for rule in rules:
        tool, opened, rest = rule.partition("(")
        values.append(PermissionRuleValue(tool_name=tool, rule_content=rest.removesuffix(")") if opened else None))
    return PermissionUpdate(type="addRules", rules=values, behavior="allow", destination="session")
