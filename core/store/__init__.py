"""The seam to whatever keeps users, agents, sessions and the copies of their logs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from core.domain.audit import AuditEntry
from core.domain.events import AnyEvent
from core.domain.records import Record, UserId

R = TypeVar("R", bound=Record)
AFTER_ALL = "\U0010ffff"  # behind a prefix: after every key that begins with it


class Store(Protocol):
    """About ten verbs over typed frozen records; the owner is named at every call and never found by id alone.

    All implementations pass tests/contract/test_store.py. Every verb raises StoreUnavailable when the store does
    not answer or cannot write; then nothing was written, as far as a store behind a network can know: callers do
    the same again, and what would count twice carries a mark (core.gateway.projections). A record of another owner
    does not exist. Several processes may use one store; calls that are not awaited one by one have no order.
    """

    async def ping(self) -> None:
        """Cheap read and write; raises StoreUnavailable."""

    async def close(self) -> None:
        """Idempotent."""

    async def create(self, record: Record, *, owner: UserId) -> None:
        """Raises: Conflict: a record of this kind, owner and id exists."""

    async def put(self, record: Record, *, owner: UserId) -> None:
        """Create or overwrite, merged: fields in the store that this version does not know stay as they are."""

    async def change(
        self, kind: type[R], id: str, *, owner: UserId, expect: Mapping[str, Any] | None = None, **fields: Any
    ) -> R:
        """Set just these fields, atomically, and return the whole.

        With `expect` only if the record has these values at that moment. Raises: NotFound. Conflict: it has others.
        """

    async def get(self, kind: type[R], id: str, *, owner: UserId) -> R:
        """Raises: NotFound."""

    async def find(
        self,
        kind: type[R],
        *,
        owner: UserId,
        where: Mapping[str, Any] | None = None,
        newest_by: str = "",
        oldest_by: str = "",
        above: datetime | None = None,
        below: datetime | None = None,
        after: R | None = None,
        limit: int = 100,
    ) -> list[R]:
        """Records whose fields equal `where`, by id, or ordered by the datetime field `newest_by` or `oldest_by`.

        `above` and `below` bound that field; neither value itself is found. A page goes on `after` the last record
        of the page before: no record comes twice, and none that was there the whole time is left out.
        """

    async def count(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any] | None = None) -> int:
        """How many records `find` with this `where` has."""

    async def delete_where(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any]) -> None:
        """Delete the records whose fields equal `where`. Idempotent; a failure may leave some of them."""

    async def delete(self, kind: type[R], id: str, *, owner: UserId) -> None:
        """Idempotent."""

    async def append(self, session: str, events: Sequence[AnyEvent], *, owner: UserId) -> int:
        """Write numbered events and return the highest number stored without a gap from 1.

        Idempotent: an event that is there with the same number and content is skipped. All or nothing otherwise
        (Firestore: up to 4 MB at once; of more, a beginning may be left by a failure in the middle).
        Raises: SeqTaken: a number is there with other content. Conflict: a gap would arise (first missing: nothing
        is written).
        """

    async def events(self, session: str, *, owner: UserId, after: int = 0, limit: int = 1000) -> list[AnyEvent]:
        """Stored events with `seq > after`, in order; empty for a session that is not the owner's."""

    async def last_events(self, session: str, *, owner: UserId, limit: int = 200) -> list[AnyEvent]:
        """The newest `limit` events, in order."""

    async def delete_events(self, session: str, *, owner: UserId) -> None:
        """The whole log of a session; idempotent."""

    async def claim(self, name: str, *, holder: str, lease_s: float) -> bool:
        """Compare-and-set with a lease: True if `holder` has `name` now (a renewal by the holder is a claim too)."""

    async def release(self, name: str, *, holder: str) -> None:
        """Give a claim back; somebody else's is left alone."""

    async def add_usage(self, key: str, *, owner: UserId, **amounts: float) -> None:
        """Add numbers to the counters under `key` (core.domain.usage has the keys), atomically."""

    async def add_usage_rows(self, rows: Mapping[str, Mapping[str, float]], *, owner: UserId) -> None:
        """Add numbers to the counters under several keys: to all of them or to none."""

    async def usage(self, key: str, *, owner: UserId) -> dict[str, float]:
        """The counters under `key`; empty if there are none."""

    async def usage_of(self, keys: Sequence[str], *, owner: UserId) -> dict[str, dict[str, float]]:
        """The counters under each of these keys, in one read; a key without counters is left out."""

    async def all_usage(self, *, owner: UserId, prefix: str = "") -> dict[str, dict[str, float]]:
        """Every key that begins with `prefix`, with its counters: one read, however many keys there are."""

    async def add_audit_entry(self, act: AuditEntry) -> int:
        """Append to the audit log and return the entry's number. No verb changes or deletes an entry."""

    async def audit_entries(self, *, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        """The newest entries of the audit log, newest first; only those with a number below `before`, if given."""

    async def forget(self, owner: UserId) -> None:
        """Delete all that is this user's: records, events, counters, and the platform's own rows about them.

        Idempotent. What is left is the audit log. Raises: BadInput: the platform itself is nobody to forget.
        """
