"""Translates the CLI's output into our events: pure, and by allow list, because a new or broken CLI may print anything.

Each CLI process has a `Translator`. It keeps the unfinished text that was shown: a late reader gets it, and it is
stored as `partial` if the turn ends before the block.
"""

from typing import Any

import msgspec

from core.domain.events import (
    AnyEvent,
    Notice,
    Retrying,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCalled,
    ToolProgress,
    ToolReturned,
)
from core.runner import truncation
from core.runner.context_usage import ContextUsage
from core.runner.live_output import CommandStarted
from core.runner.turn_result import TurnResult, retry_reason, turn_over

Json = dict[str, Any]
ID_CHARS = 128
KEPT = 10_000  # messages of a compaction
TASKS = 100  # background tasks that are counted


class TakenIn(msgspec.Struct, frozen=True):
    """The CLI has begun to work on these messages of ours, by the uuids that we gave them."""

    uuids: tuple[str, ...]


class Began(msgspec.Struct, frozen=True):
    """An answer of the main conversation begins, to a message or by itself (background work may have ended).

    `api_id` is the message's id at the model's API; empty if the CLI did not name it.
    """

    api_id: str = ""
    model: str = ""


class BackgroundChanged(msgspec.Struct, frozen=True):
    """All commands and sub-agents that now run in the background of the CLI, by their descriptions."""

    tasks: tuple[str, ...]


CliOutput = AnyEvent | TakenIn | Began | BackgroundChanged | CommandStarted | TurnResult


class Translator:
    """Translates the messages of one CLI process, fed in order."""

    def __init__(self) -> None:
        self._context = ContextUsage()
        self._api_id = ""
        self._anchor = ""  # the CLI's id of the last line of an answer
        self._message = ""  # our unique id of the present message; a model may reuse its own ids
        self._block = 0
        self._next = 0
        self._unfinished: dict[int, TextDelta | ThinkingDelta] = {}
        self._pieces: dict[int, list[str]] = {}
        self._repeated: frozenset[str] = frozenset()  # uuids of lines that a compaction keeps, and the CLI prints again
        self._background: set[str] = set()  # tool calls that go on after their first result

    def feed(self, said: Json) -> list[CliOutput]:
        """Return the events of a line; often none."""
        if self._repeated and said.get("uuid") in self._repeated:
            return []
        match said.get("type"):
            case "stream_event" if not said.get("parent_tool_use_id"):
                return self._stream(said)
            case "assistant":
                return self._assistant(said)
            case "user":
                return self._returned(said)
            case "system":
                return self._task_ended(said) or self._compacted(said) or _system(said)
            case "tool_progress":
                return _progress(said)
            case "conversation_reset":
                self._context.compacted()
                return [Notice(text="context_cleared")]
            case "command_lifecycle":
                uuid = said.get("command_uuid")
                return [TakenIn((uuid,))] if said.get("state") == "started" and isinstance(uuid, str) else []
            case "result":
                over = self._context.seen_in(turn_over(said), said)
                return [msgspec.structs.replace(over, anchor=self._anchor)]
        return []

    def _compacted(self, said: Json) -> list[CliOutput]:
        """The conversation was summarised. The CLI prints the messages that it keeps once more."""
        if said.get("subtype") != "compact_boundary":
            return []
        told = _dict(said.get("compact_metadata"))
        self._context.compacted(told.get("post_tokens"))
        kept = _dict(told.get("preserved_messages")).get("uuids")
        self._repeated = frozenset(_str(uuid) for uuid in kept[:KEPT]) if isinstance(kept, list) else frozenset()
        return [Notice(text="context_compacted")]

    def unfinished(self) -> list[TextDelta | ThinkingDelta]:
        """Return everything shown of unfinished blocks, as one delta per block."""
        return [
            msgspec.structs.replace(delta, text="".join(self._pieces[block]))
            for block, delta in self._unfinished.items()
        ]

    def break_off(self) -> list[Text]:
        """Return the unfinished text as it is stored, and forget it, because the turn ends."""
        left = [
            Text(message=delta.message, block=delta.block, text=delta.text, partial=True)
            for delta in self.unfinished()
            if isinstance(delta, TextDelta) and delta.text
        ]
        self._forget()
        return left

    # --- streaming ---------------------------------------------------------------------------------------------------

    def _stream(self, said: Json) -> list[CliOutput]:
        event = _dict(said.get("event"))
        index = event.get("index")
        match event.get("type"):
            case "message_start":
                self._start(_dict(event.get("message")), said)
                return [*_taken_in(said), _began(_dict(event.get("message")))]
            case "message_delta":
                self._context.count(event.get("usage"))
            case "content_block_start" if isinstance(index, int):
                self._block, self._next = index, max(self._next, index + 1)
            case "content_block_delta" if isinstance(index, int):
                return self._delta(index, _dict(event.get("delta")))
        return []

    def _start(self, message: Json, said: Json) -> None:
        """Begin a new message, which discards unfinished text of the one before: the CLI has asked the model again
        (G2).
        """
        self._forget()
        self._context.begin(message)
        self._api_id = _str(message.get("id"))
        self._message = f"{self._api_id}.{_str(said.get('uuid'))[:8]}"
        self._block = self._next = 0

    def _delta(self, block: int, delta: Json) -> list[CliOutput]:
        text = delta.get("text") if delta.get("type") == "text_delta" else delta.get("thinking")
        if not isinstance(text, str) or not text or not self._message:
            return []
        kind = TextDelta if delta.get("type") == "text_delta" else ThinkingDelta
        shown = kind(message=self._message, block=block, text=text)
        self._unfinished.setdefault(block, shown)
        self._pieces.setdefault(block, []).append(text)
        return [shown]

    def _forget(self) -> None:
        self._unfinished.clear()
        self._pieces.clear()

    # --- finished blocks ---------------------------------------------------------------------------------------------

    def _assistant(self, said: Json) -> list[CliOutput]:
        message = _dict(said.get("message"))
        if said.get("error") or said.get("is_api_error_message"):
            return []  # the CLI's own text about a failure; the result becomes ours
        if parent := _str(said.get("parent_tool_use_id")):
            return [_called(block, parent) for block in _blocks(message) if block.get("type") == "tool_use"]
        self._anchor = _str(said.get("uuid")) or self._anchor
        heard: list[CliOutput] = _taken_in(said)
        if _str(message.get("id")) != self._api_id or not self._message:
            self._start(message, said)
            heard.append(_began(message))
        for block in _blocks(message):
            heard.extend(self._finished(block))
        return heard

    def _finished(self, block: Json) -> list[CliOutput]:
        number = self._number()
        kind, text = block.get("type"), block.get("text")
        if kind == "tool_use":
            return [_called(block, "")]
        if kind == "text" and isinstance(text, str):
            # It came whole: one delta first, so that the same rule discards what it replaces.
            first = [] if number in self._unfinished else [TextDelta(message=self._message, block=number, text=text)]
            self._drop(number)
            return [*first, Text(message=self._message, block=number, text=truncation.text(text))] if text else []
        thought = block.get("thinking")
        if kind == "thinking" and isinstance(thought, str):
            self._drop(number)
            return [Thinking(message=self._message, block=number, text=truncation.text(thought))] if thought else []
        return []

    def _returned(self, said: Json) -> list[CliOutput]:
        """Return tool results. Everything else in a `user` line is for the model only."""
        heard: list[CliOutput] = []
        stopped = _stopped_tools(said)
        for block in _blocks(_dict(said.get("message"))):
            if block.get("type") != "tool_result":
                continue
            tool = _str(block.get("tool_use_id"))
            if _goes_on(said):
                self._background.add(tool)
                heard.append(ToolReturned(id=tool, ok=True, background=True))
                continue
            if tool in stopped:  # its text is an instruction for the model only
                heard.append(ToolReturned(id=tool, ok=False, stopped=True))
                continue
            text, size = truncation.result(block.get("content"), said.get("tool_use_result"))
            ok = block.get("is_error") is not True
            pictures = truncation.pictures(block.get("content"))
            cut = size > len(text)
            heard.append(ToolReturned(id=tool, ok=ok, content=text, truncated=cut, full_size=size, pictures=pictures))
        return heard

    def _task_ended(self, said: Json) -> list[CliOutput]:
        """Return the end of a sub-agent or command that ran in the background."""
        tool = _str(said.get("tool_use_id"))
        if said.get("subtype") != "task_notification" or tool not in self._background:
            return []
        self._background.discard(tool)
        status, (text, size) = said.get("status"), truncation.content(said.get("summary"))
        stopped = status in ("stopped", "killed")
        cut = size > len(text)
        ok = status == "completed"
        return [ToolReturned(id=tool, ok=ok, content=text, truncated=cut, full_size=size, stopped=stopped)]

    def _number(self) -> int:
        """Return the number of the finished block: that of the open stream, or else the next one."""
        number = self._block
        self._next = max(self._next, number + 1)
        self._block = self._next
        return number

    def _drop(self, block: int) -> None:
        self._unfinished.pop(block, None)
        self._pieces.pop(block, None)


def _began(message: Json) -> Began:
    return Began(_str(message.get("id")), _str(message.get("model")))


def _called(block: Json, parent: str) -> ToolCalled:
    given = block.get("input")
    kept = truncation.tool_input(given)
    return ToolCalled(
        id=_str(block.get("id")),
        name=_str(block.get("name")),
        input=kept,
        parent=parent,
        cut=isinstance(given, dict) and kept != given,
    )


def _goes_on(said: Json) -> bool:
    """True if the tool returned only to say that it continues in the background."""
    told = said.get("tool_use_result")
    return isinstance(told, dict) and (told.get("isAsync") is True or bool(told.get("backgroundTaskId")))


def _stopped_tools(said: Json) -> set[str]:
    """Return the ids of tool calls that the CLI gave up because its turn was interrupted."""
    meta = said.get("tool_result_meta")
    notes = [note for note in meta if isinstance(note, dict)] if isinstance(meta, list) else []
    return {_str(note.get("id")) for note in notes if note.get("non_execution_kind") == "user-rejected"}


def _system(said: Json) -> list[CliOutput]:
    match said.get("subtype"):
        case "api_retry":
            return [
                Retrying(
                    reason=retry_reason(said.get("error_status"), _str(said.get("error"))),
                    in_s=round(_number_of(said.get("retry_delay_ms")) / 1000, 3),
                    attempt=int(_number_of(said.get("attempt"))) or 1,
                )
            ]
        case "status":
            return _taken_in(said)
        case "background_tasks_changed" if isinstance(tasks := said.get("tasks"), list):
            found = [task for task in tasks[:TASKS] if isinstance(task, dict)]
            return [BackgroundChanged(tuple(_str(task.get("description"))[:ID_CHARS] for task in found))]
        case "task_started" if said.get("task_type") == "local_bash" and (tool := _str(said.get("tool_use_id"))):
            task, session = _str(said.get("task_id")), _str(said.get("session_id"))
            return [CommandStarted(tool_id=tool, task_id=task, cli_session=session)]
    return []


def _progress(said: Json) -> list[CliOutput]:
    tool = _str(said.get("tool_use_id"))
    return [ToolProgress(id=tool, elapsed_s=_number_of(said.get("elapsed_time_seconds")))] if tool else []


def _taken_in(said: Json) -> list[CliOutput]:
    uuids = said.get("user_message_uuids")
    if not isinstance(uuids, list):
        uuids = [said.get("user_message_uuid")]
    known = tuple(uuid for uuid in uuids if isinstance(uuid, str))
    return [TakenIn(known)] if known else []


def _blocks(message: Json) -> list[Json]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _dict(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _str(value: object) -> str:
    return value[:ID_CHARS] if isinstance(value, str) else ""


def _number_of(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12 else 0.0
