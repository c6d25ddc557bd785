"""The agent's checklist, built from the tools that maintain it: whole lists, or one task at a time."""

import re
from typing import Literal

from core.domain.events import AnyEvent, TodoItem, Todos, ToolCalled, ToolReturned

Status = Literal["later", "now", "done"]
_STATUS: dict[object, Status] = {"pending": "later", "in_progress": "now", "completed": "done"}
_CREATED = re.compile(r"#(\w+)")
TASKS = 200


class Checklist:
    """The checklist of a session, fed with its events, live or from the log."""

    def __init__(self) -> None:
        self._items: dict[str, TodoItem] = {}
        self._calls: dict[str, ToolCalled] = {}

    def apply(self, event: AnyEvent) -> Todos | None:
        """Apply an event. Returns the whole checklist if it changed."""
        if isinstance(event, ToolCalled) and event.name == "TodoWrite":
            self._items = {str(n): item for n, item in enumerate(_whole(event.input.get("todos")))}
            return self._now()
        if isinstance(event, ToolCalled) and event.name in ("TaskCreate", "TaskUpdate"):
            self._calls[event.id] = event
            return None
        if isinstance(event, ToolReturned) and (call := self._calls.pop(event.id, None)) and event.ok:
            return self._now() if self._did(call, event.content) else None
        return None

    def _now(self) -> Todos:
        return Todos(items=tuple(self._items.values())[:TASKS])

    def _did(self, call: ToolCalled, answer: str) -> bool:
        subject = call.input.get("subject")
        if call.name == "TaskCreate":
            number = _CREATED.search(answer)
            if number is None or not isinstance(subject, str):
                return False
            self._items[number[1]] = TodoItem(text=subject)
            return True
        key = str(call.input.get("taskId", ""))
        old = self._items.get(key)
        if old is None:
            return False
        if call.input.get("status") == "deleted":
            del self._items[key]
        else:
            text = subject if isinstance(subject, str) else old.text
            self._items[key] = TodoItem(text=text, status=_STATUS.get(call.input.get("status"), old.status))
        return True


def _whole(raw: object) -> list[TodoItem]:
    todos = [todo for todo in raw[:TASKS] if isinstance(todo, dict)] if isinstance(raw, list) else []
    return [
        TodoItem(text=str(todo.get("content", "")), status=_STATUS.get(todo.get("status"), "later")) for todo in todos
    ]
