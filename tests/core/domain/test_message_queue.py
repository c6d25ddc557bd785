"""The queue of waiting messages, as the runner and every page reduce it from the same events."""

import pytest

from core.domain import events as e
from core.domain.errors import BadInput, Conflict
from core.domain.message_queue import MessageQueue
from core.protocol.runner_api import ChangeQueue
from core.runner.queue_edits import check


def ids(queue: MessageQueue) -> list[str]:
    return [said.message_id for said in queue]


def filled(*names: str) -> MessageQueue:
    queue = MessageQueue()
    for name in names:
        queue.add(e.UserSaid(message_id=name, text=name))
    return queue


@pytest.mark.parametrize(
    ("change", "order"),
    [
        (e.QueueChanged(message_id="c", kind="move", before="a"), "cabd"),
        (e.QueueChanged(message_id="a", kind="move"), "bcda"),
        (e.QueueChanged(message_id="a", kind="move", before="gone"), "bcda"),
        (e.QueueChanged(message_id="b", kind="move", before="b"), "abcd"),
        (e.QueueChanged(message_id="d", kind="steer"), "dabc"),
        (e.QueueChanged(message_id="b", kind="remove"), "acd"),
        (e.QueueChanged(message_id="gone", kind="move", before="a"), "abcd"),
    ],
)
def test_a_change_moves_only_the_message_it_is_about(change: e.QueueChanged, order: str) -> None:
    queue = filled(*"abcd")
    queue.apply(change)
    assert ids(queue) == list(order)


def test_nobody_overwrites_an_edit_they_have_not_seen_nor_changes_what_the_agent_has() -> None:
    queue = filled("a", "b")
    assert check(ChangeQueue(message_id="a", kind="edit", text="new", seen="a"), queue, sent=())
    queue.apply(e.QueueChanged(message_id="a", kind="edit", text="new"))
    assert not check(ChangeQueue(message_id="a", kind="edit", text="new", seen="a"), queue, sent=()), "said twice"
    with pytest.raises(Conflict) as late:
        check(ChangeQueue(message_id="a", kind="edit", text="mine", seen="a"), queue, sent=())
    with pytest.raises(Conflict) as sent:
        check(ChangeQueue(message_id="b", kind="remove"), queue, sent=("b",))
    with pytest.raises(BadInput):
        check(ChangeQueue(message_id="a", kind="edit", text=" ", seen="new"), queue, sent=())
    assert (late.value.code, sent.value.code) == ("queue_changed", "not_queued")
