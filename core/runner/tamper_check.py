"""Whether the CLI did what it was told, and nothing else: decisions against results, messages against senders.

An agent's programs are kept from the CLI by walls (tool_launcher.py). This notices when one of them does not hold: a
command that ran without having been asked for, a tool that ran without the answer it waited for or against it, another
command than the one that was asked about, a user message that nobody has sent, an answer that no model has given.
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
SYNTHETIC = "<synthetic>"  # the model of what the CLI says by itself: the answers to slash commands


class TamperCheck:
    """Of one session. Everything it is told comes in the order in which it happened."""

    def __init__(self, calls: ModelCalls) -> None:
        self._calls = calls
        self._decisions: OrderedDict[str, bool | None] = OrderedDict()  # tool id → allowed; None: nobody has decided
        self._commands: OrderedDict[str, object] = OrderedDict()  # tool id → the command that the model wrote
        self._sent: OrderedDict[str, None] = OrderedDict()

    def sent(self, uuid: str) -> str:
        """We have given the CLI a user message of this name."""
        return _keep(self._sent, uuid, None)

    def asked(self, request: ToolRequest) -> str:
        """The CLI asks for a decision: what is wrong with that, if anything."""
        if request.tool_id:
            _keep(self._decisions, request.tool_id, None)
        written = self._commands.get(request.tool_id)
        return (
            "other_command"
            if written is not None and written != truncation.tool_input(request.input).get("command")
            else ""
        )

    def decided(self, tool_id: str, allow: bool) -> None:
        """A decision, a person's or a rule's, is on its way to the CLI."""
        if tool_id:
            _keep(self._decisions, tool_id, allow)

    def seen(self, item: CliOutput) -> str:
        """The CLI says this: what is wrong with it, as a code; empty: nothing."""
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
