"""The store for platforms of several machines: Google's Firestore, through its own client.

No verb needs a transaction. A write that may happen once is a `create`, a write that must not overwrite a newer one
has a precondition, an addition is an `Increment`, and a change names just its fields. So no call waits for another
one's lock, and no document is written by all processes (core.store.firestore_values has the layout).
"""

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

from google.api_core.exceptions import AlreadyExists, FailedPrecondition
from google.api_core.exceptions import NotFound as Missing
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.base_document import DocumentSnapshot

from core.domain.errors import Conflict, NotFound, StoreUnavailable
from core.domain.records import Record, UserId
from core.google.retries import UNCERTAIN
from core.store.firestore_audit import FirestoreAudit
from core.store.firestore_log import DELETED_AT_ONCE
from core.store.firestore_query import plan
from core.store.firestore_rpc import ANY_TIMES, ONCE, FirestoreConnection
from core.store.firestore_values import CLAIMS, changed, collection_of, document_of, name_of, record_of, stored
from core.store.query import Query, equals, table_name

R = TypeVar("R", bound=Record)

TRIES = 20  # of a claim that other processes take and give back meanwhile
PINGS_KEPT_S = 3600.0


class FirestoreStore(FirestoreAudit):
    """The Store of core.store in Firestore; any number of processes may use it."""

    def __init__(self, connection: FirestoreConnection, *, clock: Callable[[], float]) -> None:
        super().__init__(connection)
        self._clock = clock
        self._me = f"ping/{secrets.token_hex(8)}"  # one document per process: all processes probe often

    @classmethod
    async def open(cls, project: str, *, emulator: bool = False, clock: Callable[[], float] = time.time) -> Self:
        """Open the store; leases are measured with `clock`. Raises: Misconfigured: no project or no identity."""
        return cls(await FirestoreConnection.open(project, emulator=emulator), clock=clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._connection.close()

    async def ping(self) -> None:
        async with self._connection.call():
            mark = self._claim(self._me)
            await mark.set({"holder": self._me, "until": self._at(PINGS_KEPT_S)}, **ANY_TIMES)
            await mark.get(**ANY_TIMES)

    async def create(self, record: Record, *, owner: UserId) -> None:
        async with self._connection.call() as client:
            reference, document = document_of(client, type(record), record.id, owner), stored(record)
            try:
                await _created(reference, document)
            except AlreadyExists as error:
                raise Conflict(f"{table_name(type(record))} {record.id} exists") from error

    async def put(self, record: Record, *, owner: UserId) -> None:
        document = stored(record)
        async with self._connection.call() as client:
            # replaces just these fields: `merge=True` would merge inside a field, no `merge` would drop the others
            these: Any = list(document)
            await document_of(client, type(record), record.id, owner).set(document, merge=these, **ANY_TIMES)

    async def change(
        self, kind: type[R], id: str, *, owner: UserId, expect: Mapping[str, Any] | None = None, **fields: Any
    ) -> R:
        document = changed(kind, fields)
        async with self._connection.call() as client:
            reference = document_of(client, kind, id, owner)
            try:
                if expect:
                    await self._change_if(reference, kind, expect, document)
                else:
                    await reference.update(document, **ANY_TIMES)
            except Missing as error:
                raise NotFound(f"{table_name(kind)} {id}") from error
            return await self._get(reference, kind, id)

    async def _change_if(
        self, reference: AsyncDocumentReference, kind: type[Record], expect: Mapping[str, Any], document: dict[str, Any]
    ) -> None:
        """Change a record if it has the expected values. Raises: Conflict: it has others. NotFound: there is none."""
        for _ in range(TRIES):
            there = await reference.get(**ANY_TIMES)
            if not there.exists:
                raise NotFound(f"{table_name(kind)} {reference.id}")
            if not equals(record_of(kind, there.to_dict() or {}), expect):
                raise Conflict(f"{table_name(kind)} {reference.id} has changed")
            option = self._connection.client.write_option(last_update_time=_version(there))
            try:
                await reference.update(document, option=option, **ONCE)
                return
            except FailedPrecondition:
                continue  # a field was changed meanwhile; the next read tells which
        raise StoreUnavailable(f"too many change {table_name(kind)} {reference.id} at once")

    async def get(self, kind: type[R], id: str, *, owner: UserId) -> R:
        async with self._connection.call() as client:
            return await self._get(document_of(client, kind, id, owner), kind, id)

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
        asked = Query(
            where=where or {}, newest_by=newest_by, oldest_by=oldest_by, above=above, below=below, after=after
        )
        planned = plan(kind, asked)
        found: list[R] = []
        async with self._connection.call() as client:
            query = planned.query(collection_of(client, kind, owner), limit=limit)
            async with aclosing(query.stream(**ANY_TIMES)) as documents:
                async for document in documents:
                    record = record_of(kind, document.to_dict() or {})
                    if planned.fits(record):
                        found.append(record)
                        if len(found) == limit:
                            break
        return found

    async def count(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any] | None = None) -> int:
        planned = plan(kind, Query(where=where or {}))
        async with self._connection.call() as client:
            query = planned.all(collection_of(client, kind, owner))
            if not planned.here:
                [[found]] = await query.count().get(**ANY_TIMES)
                return int(found.value)
            documents = query.stream(**ANY_TIMES)
            return sum([planned.fits(record_of(kind, each.to_dict() or {})) async for each in documents])

    async def delete_where(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any]) -> None:
        planned = plan(kind, Query(where=where))
        async with self._connection.call() as client:
            query = planned.all(collection_of(client, kind, owner))
            found = [
                each.reference
                async for each in query.stream(**ANY_TIMES)
                if planned.fits(record_of(kind, each.to_dict() or {}))
            ]
        for start in range(0, len(found), DELETED_AT_ONCE):
            async with self._connection.call() as client:
                batch = client.batch()
                for reference in found[start : start + DELETED_AT_ONCE]:
                    batch.delete(reference)
                await batch.commit(**ANY_TIMES)

    async def delete(self, kind: type[R], id: str, *, owner: UserId) -> None:
        async with self._connection.call() as client:
            await document_of(client, kind, id, owner).delete(**ANY_TIMES)

    async def claim(self, name: str, *, holder: str, lease_s: float) -> bool:
        async with self._connection.call() as client:
            document = self._claim(name)
            for _ in range(TRIES):
                mine = {"holder": holder, "until": self._at(lease_s)}
                try:
                    await document.create(mine, **ANY_TIMES)
                    return True
                except AlreadyExists:
                    there = await document.get(**ANY_TIMES)
                if not there.exists:
                    continue  # given back meanwhile
                if there.get("holder") != holder and there.get("until") > self._at(0):
                    return False
                try:
                    await document.update(mine, option=client.write_option(last_update_time=_version(there)), **ONCE)
                    return True
                except (FailedPrecondition, Missing):
                    continue  # another process was faster: read again
        raise StoreUnavailable(f"too many claim {name} at once")

    async def release(self, name: str, *, holder: str) -> None:
        async with self._connection.call() as client:
            document = self._claim(name)
            there = await document.get(**ANY_TIMES)
            if there.exists and there.get("holder") == holder:
                try:
                    await document.delete(option=client.write_option(last_update_time=_version(there)), **ONCE)
                except (FailedPrecondition, Missing):
                    return  # the lease ran out, and another holder has it

    def _claim(self, name: str) -> AsyncDocumentReference:
        return self._connection.client.collection(CLAIMS).document(name_of(name))

    def _at(self, in_s: float) -> datetime:
        return datetime.fromtimestamp(self._clock() + in_s, UTC)

    @staticmethod
    async def _get(reference: AsyncDocumentReference, kind: type[R], id: str) -> R:
        found = await reference.get(**ANY_TIMES)
        if not found.exists:
            raise NotFound(f"{table_name(kind)} {id}")
        return record_of(kind, found.to_dict() or {})


async def _created(reference: AsyncDocumentReference, document: dict[str, Any]) -> None:
    """Create a document once. If an answer was lost, the document's content tells whether it is ours.

    Raises: AlreadyExists: another process created it before.
    """
    try:
        await reference.create(document, **ONCE)
    except UNCERTAIN:
        try:
            await reference.create(document, **ONCE)
        except AlreadyExists:
            there = await reference.get(**ANY_TIMES)
            if there.to_dict() != document:
                raise


def _version(found: DocumentSnapshot[Any]) -> Any:
    """Return the version of a document. A write that names it is refused if the document was written since."""
    return found.update_time
