"""The messages that wait for their turn, as they stand below everything else in the transcript."""

from core.domain import events as e
from core.domain.message_queue import MessageQueue
from ui.transcript.item_list import ItemList
from ui.transcript.items import Items


class QueuedMessages:
    """Shows each waiting message as an item; it is reduced by the same class as in the runner."""

    def __init__(self, item_list: ItemList, items: Items) -> None:
        self._item_list, self._items, self._queue = item_list, items, MessageQueue()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def add(self, said: e.UserSaid) -> None:
        """Show a new message; one that steers stands before those that do not."""
        self._queue.add(said)
        self._show(said)

    def take(self, message_id: str) -> e.UserSaid | None:
        """Remove a message whose turn begins, and return it as it was edited last."""
        return self._queue.take(message_id)

    def apply(self, change: e.QueueChanged) -> e.UserSaid | None:
        """Show a person's change; returns the message as it is now, or None if it does not wait any more."""
        before = self._queue.get(change.message_id)
        self._queue.apply(change)
        now = self._queue.get(change.message_id)
        if now is None:
            if before is not None:
                self._item_list.drop(key_of(before))
            return None
        if change.kind in ("move", "steer"):
            self._item_list.drop(key_of(now))
        self._show(now)
        return now

    def _show(self, said: e.UserSaid) -> None:
        order = [key_of(other) for other in self._queue]
        at = order.index(key_of(said))
        before = next(iter(order[at + 1 :]), "")
        html = self._items.said(said, queued=True)
        self._item_list.put_last(key_of(said), html, said, source=said.text, before=before)


def key_of(said: e.UserSaid) -> str:
    """The key of a message's item."""
    return f"u:{said.seq}"
