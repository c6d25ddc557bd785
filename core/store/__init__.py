"""The seam to the database that keeps users, agents, sessions and copies of the sessions' logs."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from core.domain.audit import AuditEntry
from core.domain.events import AnyEvent
from core.domain.records import Record, UserId

R = TypeVar("R", bound=Record)
AFTER_ALL = "\U0010ffff"  # a prefix with this behind it sorts after every key that begins with the prefix


class Store(Protocol):
    """Verbs over typed frozen records. Every call names the owner; no record is found by its id alone.

    All implementations pass tests/contract/test_store.py. Every verb raises StoreUnavailable when the store does
    not answer or cannot write. Then nothing was written, as far as a store behind a network can know: callers
    repeat the call, and additions that would count twice carry a mark (core.gateway.projections). For a caller, a
    record of another owner does not exist. Several processes may use one store; calls that are not awaited one by
    one have no order.
    """

    async def ping(self) -> None:
        """Check the store with a cheap write and read. Raises: StoreUnavailable."""

    async def close(self) -> None:
        """Close the store; a second call does nothing."""

    async def create(self, record: Record, *, owner: UserId) -> None:
        """Write a new record. Raises: Conflict: a record of this kind, owner and id exists."""

    async def put(self, record: Record, *, owner: UserId) -> None:
        """Create or overwrite a record. Stored fields that this version does not know stay as they are."""

    async def change(
        self, kind: type[R], id: str, *, owner: UserId, expect: Mapping[str, Any] | None = None, **fields: Any
    ) -> R:
        """Set just these fields, atomically, and return the whole record.

        With `expect` only if the record has these values at that moment. Raises: NotFound. Conflict: it has others.
        """

    async def get(self, kind: type[R], id: str, *, owner: UserId) -> R:
        """Return a record. Raises: NotFound."""

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
        """Return the records whose fields equal `where`, by id, or ordered by the datetime field `newest_by` or
        `oldest_by`.

        `above` and `below` bound that field, both exclusive. `after` is the last record of the page before: no record
        comes twice, and no record that existed the whole time is left out.
        """

    async def count(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any] | None = None) -> int:
        """Return the number of records that `find` with this `where` has."""

    async def delete_where(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any]) -> None:
        """Delete the records whose fields equal `where`. Idempotent; after a failure some of them may be left."""

    async def delete(self, kind: type[R], id: str, *, owner: UserId) -> None:
        """Delete a record. Idempotent."""

    async def append(self, session: str, events: Sequence[AnyEvent], *, owner: UserId) -> int:
        """Write numbered events and return the highest number up to which the log has no gap.

        Idempotent: an event that is stored with the same number and content is skipped. Otherwise all or nothing
        (Firestore: up to 4 MB; a failure in the middle of a larger batch may leave its beginning).
        Raises: SeqTaken: a number is stored with other content. Conflict: a gap would arise; nothing is written.
        """

    async def events(self, session: str, *, owner: UserId, after: int = 0, limit: int = 1000) -> list[AnyEvent]:
        """Return stored events with `seq > after`, in order; an empty list for another owner's session."""

    async def last_events(self, session: str, *, owner: UserId, limit: int = 200) -> list[AnyEvent]:
        """Return the newest `limit` events, in order."""

    async def delete_events(self, session: str, *, owner: UserId) -> None:
        """Delete the whole log of a session. Idempotent."""

    async def search_messages(
        self, query: str, *, owner: UserId, session: str = "", limit: int = 50
    ) -> list[tuple[str, AnyEvent]]:
        """Return sessions and messages of people and models that have all that is asked for, newest first.

        Words match from their beginning, Korean, Chinese and Japanese anywhere in a word (core.store.search_terms). Of
        very many matches Firestore looks at the newest only, and may return fewer than `limit`.
        """

    async def claim(self, name: str, *, holder: str, lease_s: float) -> bool:
        """Take or renew the lease `name` for `lease_s` seconds. Returns True if `holder` has it now."""

    async def release(self, name: str, *, holder: str) -> None:
        """Give a lease back. Does nothing if another holder has it."""

    async def add_usage(self, key: str, *, owner: UserId, **amounts: float) -> None:
        """Add numbers to the counters under `key` (core.domain.usage has the keys), atomically."""

    async def add_usage_rows(self, rows: Mapping[str, Mapping[str, float]], *, owner: UserId) -> None:
        """Add numbers to the counters under several keys: to all of them or to none."""

    async def usage(self, key: str, *, owner: UserId) -> dict[str, float]:
        """Return the counters under `key`; empty if there are none."""

    async def usage_of(self, keys: Sequence[str], *, owner: UserId) -> dict[str, dict[str, float]]:
        """Return the counters under each of these keys in one read. Keys without counters are left out."""

    async def all_usage(self, *, owner: UserId, prefix: str = "") -> dict[str, dict[str, float]]:
        """Return every key that begins with `prefix`, with its counters, in one read."""

    async def add_audit_entry(self, act: AuditEntry) -> int:
        """Append to the audit log and return the entry's number. No verb changes or deletes an entry."""

    async def audit_entries(self, *, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        """Return the newest entries of the audit log, newest first; with `before`, only those with a lower number."""

    async def forget(self, owner: UserId) -> None:
        """Delete everything of this user: records, events, counters, and the platform's own rows about the user.

        Idempotent. The audit log stays. Raises: BadInput: the owner is the platform itself.
        """
