"""The ordered, keyed items of a transcript, and the ops that bring a page from one state of them to the next."""

from typing import Final

import msgspec

from core.domain.events import Event, seq_of
from ui.transcript.ops import AnyOp, Drop, Output, PutItem, Wrap

KEPT_ITEMS: Final = 600  # of a long session; "show earlier" brings older ones back


class ItemList:
    """The items of the page. Items marked `last` stay below all others until they are put without the mark."""

    def __init__(self) -> None:
        self._items: dict[str, PutItem] = {}
        self._last: dict[str, None] = {}
        self._numbers: dict[str, int] = {}
        self._wraps: list[Wrap] = []
        self.ops: list[AnyOp] = []

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def stored(self, key: str) -> bool:
        """True if the item stands for an event with a number."""
        return key in self._numbers

    def put(
        self,
        key: str,
        html: str,
        event: Event | None = None,
        *,
        source: str = "",
        live: bool = False,
        last: bool = False,
    ) -> None:
        """Show an item: in its place if it exists, else at the end."""
        before = "" if last or key in self._items else next(iter(self._last), "")
        put = PutItem(key=key, html=html, source=source, live=live)
        if last:
            self._last[key] = None
        self._items[key] = put
        if event is not None:
            self._numbers.setdefault(key, seq_of(event))
        self.ops.append(msgspec.structs.replace(put, before=before) if before else put)

    def put_last(self, key: str, html: str, event: Event, *, source: str, before: str = "") -> None:
        """Show an item that stays below all others: in its place if it is there, else before `before`, else last."""
        new = key not in self._items
        self.put(key, html, event, source=source, last=True)
        if not new or before not in self._last:
            return
        self.ops[-1] = msgspec.structs.replace(self._items[key], before=before)
        del self._last[key]
        self._last = dict.fromkeys(part for one in self._last for part in ((key, one) if one == before else (one,)))

    def print(self, key: str, html: str, output: str) -> None:
        """Add output of a running command. Pages with the item are sent `output`, others the item's `html`."""
        self._items[key] = msgspec.structs.replace(self._items[key], html=html)
        self.ops.append(Output(key=key, html=output))

    def move(self, key: str, html: str, event: Event, *, source: str = "") -> None:
        """Move an item to the end."""
        self.drop(key)
        self.put(key, html, event, source=source)

    def drop(self, key: str) -> None:
        """Remove an item if it exists."""
        if self._items.pop(key, None) is not None:
            self._numbers.pop(key, None)
            self._last.pop(key, None)
            self.ops.append(Drop(key=key))

    def wrap(self, keys: list[str], html: str) -> None:
        """Fold items under one line."""
        there = tuple(key for key in keys if key in self._items)
        wrap = Wrap(key=f"w:{there[0]}", html=html, keys=there)
        self._wraps.append(wrap)
        self.ops.append(wrap)

    def drain(self) -> list[AnyOp]:
        """Return the ops since the last drain."""
        ops, self.ops = self.ops, []
        return ops

    def whole(self) -> list[PutItem]:
        """Return all items in the order of the page."""
        first = [put for key, put in self._items.items() if key not in self._last]
        return first + [self._items[key] for key in self._last]

    @property
    def wraps(self) -> list[Wrap]:
        """The folded groups."""
        return self._wraps

    def trim(self) -> int:
        """Forget the oldest items of a very long session. Returns the number of the first event kept; 0 if all are."""
        if len(self._items) <= KEPT_ITEMS:
            return 0
        for key in list(self._items)[: KEPT_ITEMS // 3]:
            if key in self._numbers and key not in self._last:
                del self._items[key]
        self._wraps = [wrap for wrap in self._wraps if all(key in self._items for key in wrap.keys)]
        return next((self._numbers[key] for key in self._items if key in self._numbers), 0)
