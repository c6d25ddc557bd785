"""Reads and writes all rows of Firestore, for copies between stores."""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import msgspec
from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1.async_client import AsyncClient
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.base_document import DocumentSnapshot
from google.cloud.firestore_v1.base_query import FieldFilter

from core.domain.errors import Conflict
from core.domain.events import decode_many
from core.domain.records import UserId
from core.store.firestore import FirestoreStore
from core.store.firestore_log import COMMIT_BYTES, PAGE, commits_of, whole_chunks
from core.store.firestore_rpc import ANY_TIMES
from core.store.firestore_search import MESSAGES
from core.store.firestore_values import (
    AUDIT,
    COUNTERS,
    LOGS,
    OWNERS,
    below,
    id_of,
    name_of,
    owner_document,
    plain,
    stored,
    stored_value,
)
from core.store.rows import Line, Row, is_complete

WRITES = 400  # of the 500 of a commit
GROUP = 200


class FirestoreRows:
    """The Rows of core.store.rows in Firestore."""

    def __init__(self, store: FirestoreStore) -> None:
        self._store = store

    @property
    def _client(self) -> AsyncClient:
        return self._store._connection.client

    async def owners(self) -> list[UserId]:
        async with self._store._connection.call() as client:
            listed = client.collection(OWNERS).list_documents(
                **ANY_TIMES
            )  # also owners without a document of their own
            return sorted([UserId(id_of(owner.id)) async for owner in listed])

    async def records(self, owner: UserId) -> AsyncIterator[list[Row]]:
        async with self._store._connection.call():
            kinds = [each async for each in owner_document(self._client, owner).collections(**ANY_TIMES)]
        for kind in kinds:
            if kind.id not in (LOGS, COUNTERS, MESSAGES):  # the last is made anew from the logs
                async for group in self._groups(kind.order_by("__name__")):
                    found = [(each.id, plain(each.to_dict() or {})) for each in group]
                    yield [Row(kind=kind.id, id=id_of(name), body=msgspec.json.encode(body)) for name, body in found]

    async def write_records(self, rows: Sequence[Row], *, owner: UserId) -> None:
        mine = owner_document(self._client, owner)
        await self._write([(below(mine, row.kind).document(name_of(row.id)), _document(row)) for row in rows])

    async def sessions(self, owner: UserId) -> list[str]:
        async with self._store._connection.call():
            listed = below(owner_document(self._client, owner), LOGS).list_documents(**ANY_TIMES)
            return sorted([id_of(log.id) async for log in listed])

    async def lines(self, session: str, *, owner: UserId, after: int) -> AsyncIterator[list[Line]]:
        while True:
            async with self._store._connection.call():
                chunks = (
                    self._store._chunks(session, owner).where(filter=FieldFilter("last", ">", after)).order_by("last")
                )
                found = list(whole_chunks(await chunks.limit(PAGE).get(**ANY_TIMES)))
            if not found:
                return
            for last, frame in found:
                texts = msgspec.json.decode(frame, type=list[msgspec.Raw])
                lines = [(seq, bytes(text)) for seq, text in enumerate(texts, last - len(texts) + 1)]
                yield [line for line in lines if line[0] > after]
                after = last

    async def last(self, session: str, *, owner: UserId) -> int:
        async with self._store._connection.call():
            return await self._store._last(session, owner)

    async def write_lines(self, session: str, lines: Sequence[Line], *, owner: UserId) -> None:
        async with self._store._connection.call():
            events = decode_many(b"[%s]" % b",".join(text for _, text in lines))
            await self._store._search.add(session, events, owner=owner)
        chunks = self._store._chunks(session, owner)
        for commit in commits_of(lines):
            batch = self._client.batch()
            for name, document in commit:
                batch.create(chunks.document(name), document)
            async with self._store._connection.call():
                try:
                    await batch.commit(**ANY_TIMES)
                except AlreadyExists as error:
                    raise Conflict("somebody else writes to the store: end it, and start again") from error

    async def counters(self, owner: UserId) -> dict[str, dict[str, float]]:
        return await self._store.all_usage(owner=owner)

    async def write_counters(self, counters: dict[str, dict[str, float]], *, owner: UserId) -> None:
        shards = below(owner_document(self._client, owner), COUNTERS)
        await self._write(
            [
                (shards.document(f"{name_of(key)}~0"), {"key": key, "amounts": amounts})
                for key, amounts in counters.items()
            ]
        )

    async def audit(self) -> AsyncIterator[list[Line]]:
        async for group in self._groups(self._client.collection(AUDIT).order_by("__name__")):
            yield [(entry.get("seq"), entry.get("body")) for entry in group]

    async def write_audit(self, lines: Sequence[Line]) -> None:
        audit = self._client.collection(AUDIT)
        await self._write([(audit.document(f"{seq:020d}"), {"seq": seq, "body": text}) for seq, text in lines])

    async def _groups(self, query: AsyncQuery) -> AsyncIterator[list[DocumentSnapshot[Any]]]:
        """Yield everything that a query finds, ordered by name, in groups."""
        found: list[DocumentSnapshot[Any]] = []
        while True:
            async with self._store._connection.call():
                asked = query.start_after(found[-1]) if found else query
                found = list(await asked.limit(GROUP).get(**ANY_TIMES))
            if not found:
                return
            yield found

    async def _write(self, documents: Sequence[tuple[AsyncDocumentReference, dict[str, Any]]]) -> None:
        for group in _commits(documents):
            batch = self._client.batch()
            for reference, document in group:
                batch.set(reference, document)
            async with self._store._connection.call():
                await batch.commit(**ANY_TIMES)


def _document(row: Row) -> dict[str, Any]:
    record, more = is_complete(row.kind, row.body)
    return (stored(record) if record else {}) | {name: stored_value(value) for name, value in more.items()}


def _commits(
    documents: Sequence[tuple[AsyncDocumentReference, dict[str, Any]]],
) -> Iterator[list[tuple[AsyncDocumentReference, dict[str, Any]]]]:
    group: list[tuple[AsyncDocumentReference, dict[str, Any]]] = []
    size = 0
    for reference, document in documents:
        weight = len(msgspec.json.encode(document))
        if group and (size + weight > COMMIT_BYTES or len(group) == WRITES):
            yield group
            group, size = [], 0
        group.append((reference, document))
        size += weight
    if group:
        yield group
