"""Checks that the CLI did only what it was told: decisions against results, messages against senders.

Walls keep an agent's programs away from the CLI (tool_launcher.py). This check notices if one fails: a command that ran
without a request, a tool that ran without or against its answer, another command than the one that was asked about, a
user message that nobody sent, an answer that no model gave.
"""

from collections import OrderedDict
from typing import TypeVar

from core.domain.events import ToolCalled, ToolReturned
from core.runner import truncation
from core.runner.model_calls import ModelCalls
from core.runner.pending_requests import ToolRequest
from core.runner.stream_json import Began, CliOutput, TakenIn

REMEMBERED = 2_000  # of each kind
V = TypeVar("V")
SYNTHETIC = "<synthetic>"  # the model's name in the CLI's own texts, such as answers to slash commands


class TamperCheck:
    """The check of one session. Its methods are called in the order in which things happened."""

    def __init__(self, calls: ModelCalls) -> None:
        self._calls = calls
        self._decisions: OrderedDict[str, bool | None] = OrderedDict()  # tool id → allowed; None: not decided
        self._commands: OrderedDict[str, object] = OrderedDict()  # tool id → the model's command
        self._sent: OrderedDict[str, None] = OrderedDict()

    def sent(self, uuid: str) -> str:
        """Note that we gave the CLI a user message with this uuid. Returns the uuid."""
        return _keep(self._sent, uuid, None)

    def asked(self, request: ToolRequest) -> str:
        """Note a request of the CLI. Returns what is wrong with it, as a code; empty if nothing."""
        if request.tool_id:
            _keep(self._decisions, request.tool_id, None)
        written = self._commands.get(request.tool_id)
        return (
            "other_command"
            if written is not None and written != truncation.tool_input(request.input).get("command")
            else ""
        )

    def decided(self, tool_id: str, allow: bool) -> None:
        """Note that a decision, by a person or a rule, is sent to the CLI."""
        if tool_id:
            _keep(self._decisions, tool_id, allow)

    def seen(self, item: CliOutput) -> str:
        """Check an output of the CLI. Returns what is wrong with it, as a code; empty if nothing."""
        match item:
            case ToolCalled(name="Bash"):
                _keep(self._commands, item.id, item.input.get("command"))
            case ToolReturned(ok=True) if item.id in self._commands and item.id not in self._decisions:
                return "unasked"
            case ToolReturned(ok=True) if self._decisions.get(item.id, True) is not True:
                return "unanswered" if self._decisions[item.id] is None else "denied"
            case TakenIn() if not all(uuid in self._sent for uuid in item.uuids):
                return "unsent_message"
            case Began() if item.api_id and item.model != SYNTHETIC and not self._calls.knows(item.api_id):
                return "no_model_call"
        return ""


def _keep(kept: OrderedDict[str, V], key: str, value: V) -> str:
    kept[key] = value
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
    return key
