"""A person's changes to messages that wait for their turn: checked here, recorded in the session's log."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.domain.errors import BadInput, Conflict
from core.domain.message_queue import MessageQueue
from core.protocol.runner_api import MESSAGE_CHARS, ChangeQueue

if TYPE_CHECKING:
    from core.runner.conversation import Conversation


def change_queue(conversation: "Conversation", change: ChangeQueue) -> None:
    """Carry out `change` and go on with what is next. Raises: as `check`. StoreUnavailable: nothing has changed."""
    conversation.last_used = time.monotonic()
    if check(change, conversation.projection.waiting, sent=conversation.steering_sent.values()):
        conversation.journal.record(change.event)
        conversation.advance()


def check(change: ChangeQueue, queue: MessageQueue, *, sent: Iterable[str]) -> bool:
    """Return True if `change` has to be recorded, False if the queue is like that already. The CLI has `sent` already.

    Raises: Conflict: the message does not wait any more, or differs from what the person saw. BadInput: the new text is
    empty or too long.
    """
    said = queue.get(change.message_id)
    if said is None or change.message_id in sent:
        raise Conflict("the agent has this message already, or it was removed", code="not_queued")
    match change.kind:
        case "edit":
            if not change.text.strip() or len(change.text) > MESSAGE_CHARS:
                raise BadInput(f"a message has 1 to {MESSAGE_CHARS} characters", code="bad_message")
            if said.text not in (change.seen, change.text):
                raise Conflict("somebody else edited this message", code="queue_changed")
            return said.text != change.text
        case "steer":
            return not said.steer
    return True
