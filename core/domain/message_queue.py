"""The messages of one session that wait for their turn, in the order in which the agent gets them.

The runner and every page apply the same events to this class, so that all devices see one queue.
"""

from collections.abc import Iterator

from msgspec import structs

from core.domain.events import QueueChanged, UserSaid


class MessageQueue:
    """Acknowledged messages that are in no turn yet. Steering messages come before all others."""

    def __init__(self) -> None:
        self._waiting: dict[str, UserSaid] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[UserSaid]:
        return iter(sorted(self._waiting.values(), key=lambda said: not said.steer))

    def get(self, message_id: str) -> UserSaid | None:
        return self._waiting.get(message_id)

    def add(self, said: UserSaid) -> None:
        """Put a message at the end."""
        self._waiting[said.message_id] = said

    def take(self, message_id: str) -> UserSaid | None:
        """Remove a message because its turn begins."""
        return self._waiting.pop(message_id, None)

    def apply(self, change: QueueChanged) -> None:
        """Apply a person's change; it changes nothing if the message does not wait any more."""
        said = self._waiting.get(change.message_id)
        if said is None:
            return
        match change.kind:
            case "remove":
                del self._waiting[said.message_id]
            case "edit":
                self._waiting[said.message_id] = structs.replace(said, text=change.text)
            case "steer":
                self._waiting[said.message_id] = structs.replace(said, steer=True)
            case "move":
                self._move(said, change.before)

    def _move(self, said: UserSaid, before: str) -> None:
        """Put `said` before another message, or at the end if that one does not wait."""
        if before == said.message_id:
            return
        del self._waiting[said.message_id]
        moved: dict[str, UserSaid] = {}
        for message_id, other in self._waiting.items():
            if message_id == before:
                moved[said.message_id] = said
            moved[message_id] = other
        moved.setdefault(said.message_id, said)
        self._waiting = moved
