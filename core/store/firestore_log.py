"""A session's log in Firestore: chunks that are named by their first number. `create` refuses a name that is taken.

To append, a process reads the highest number N and creates the chunk N+1. If two do so at once, one wins, and the
other finds the chunk there, reads again and compares. There is no shared counter, so the only thing that processes
compete for is the next number of one session. Events of one `append` share chunks of up to PIECE_BYTES (a document
may have 1 MiB, and each write is paid for); a larger event is cut into parts. An `append` is one atomic commit, unless
it has more than COMMIT_BYTES: then a failure in the middle leaves its beginning, which is a valid log and can be
continued.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.base_document import DocumentSnapshot
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter

from core.domain import events as log
from core.domain.errors import BadInput, Conflict, StoreUnavailable
from core.domain.events import AnyEvent, Text, UserSaid, seq_of
from core.domain.records import UserId
from core.store.event_order import in_order, same
from core.store.firestore_rpc import ANY_TIMES, FirestoreConnection
from core.store.firestore_search import FirestoreSearch
from core.store.firestore_values import CHUNKS, LOGS, below, name_of, owner_document
from core.store.search_terms import fits

Line = tuple[int, bytes]  # an event's number and its JSON

PIECE_BYTES = 900_000  # of a document's 1,048,576, its name and fields included
COMMIT_BYTES = 4_000_000  # Firestore takes 10 MiB, its emulator 4
EVENT_BYTES = 9_500_000  # one event is never in two commits
DELETED_AT_ONCE = 500  # writes of one commit
PAGE = 50  # documents read at once; more than EVENT_BYTES / PIECE_BYTES
TRIES = 20  # each lost to another process that appended meanwhile


class FirestoreLog:
    """The verbs of the Store about events."""

    def __init__(self, connection: FirestoreConnection) -> None:
        self._connection = connection
        self._search = FirestoreSearch(connection)

    async def append(self, session: str, events: Sequence[AnyEvent], *, owner: UserId) -> int:
        batch = in_order(events)
        async with self._connection.call():
            for _ in range(TRIES):
                last = await self._last(session, owner)
                again = [event for event in batch if seq_of(event) <= last]
                fresh = batch[len(again) :]
                if again:
                    first, number = seq_of(again[0]), len(again)
                    same(again, await self._read(session, owner, after=first - 1, limit=number))
                if not fresh:
                    return last
                if seq_of(fresh[0]) != last + 1:
                    raise Conflict(f"event {last + 1} is missing")
                await self._search.add(session, fresh, owner=owner)
                if await self._create(session, fresh, owner):
                    return seq_of(fresh[-1])
        raise StoreUnavailable("too many write to this session at once")

    async def events(self, session: str, *, owner: UserId, after: int = 0, limit: int = 1000) -> list[AnyEvent]:
        async with self._connection.call():
            return await self._read(session, owner, after=after, limit=limit)

    async def last_events(self, session: str, *, owner: UserId, limit: int = 200) -> list[AnyEvent]:
        newest: list[list[AnyEvent]] = []
        async with self._connection.call(), aclosing(self._walk(session, owner, limit=limit, back=True)) as chunks:
            async for events in chunks:
                newest.append(events)
                if sum(map(len, newest)) >= limit:
                    break
        return [event for events in reversed(newest) for event in events][-limit:]

    async def search_messages(
        self, query: str, *, owner: UserId, session: str = "", limit: int = 50
    ) -> list[tuple[str, AnyEvent]]:
        found: list[tuple[str, AnyEvent]] = []
        async with self._connection.call():
            for each, seq in await self._search.find(query, owner=owner, session=session):
                if len(found) == limit:
                    break
                events = await self._read(each, owner, after=seq - 1, limit=1)
                found += [(each, event) for event in events if seq_of(event) == seq and _fits(event, query)]
        return found

    async def delete_events(self, session: str, *, owner: UserId) -> None:
        """Delete from the end, so that the rest of the log has no gap at any moment."""
        async with self._connection.call() as client:
            await self._search.delete(session, owner=owner)
            newest = self._chunks(session, owner).order_by("last", direction=BaseQuery.DESCENDING).select(["last"])
            while found := await newest.limit(DELETED_AT_ONCE).get(**ANY_TIMES):
                batch = client.batch()
                for chunk in found:
                    batch.delete(chunk.reference)
                await batch.commit(**ANY_TIMES)

    def _chunks(self, session: str, owner: UserId) -> AsyncCollectionReference:
        logs = below(owner_document(self._connection.client, owner), LOGS)
        return below(logs.document(name_of(session)), CHUNKS)

    async def _last(self, session: str, owner: UserId) -> int:
        newest = self._chunks(session, owner).order_by("last", direction=BaseQuery.DESCENDING).limit(1)
        found = await newest.select(["last"]).get(**ANY_TIMES)
        return int(found[0].get("last")) if found else 0

    async def _create(self, session: str, fresh: Sequence[AnyEvent], owner: UserId) -> bool:
        """Write events. Returns False if another process has written one of these numbers meanwhile."""
        chunks = self._chunks(session, owner)
        for commit in commits_of([(seq_of(event), log.encode(event)) for event in fresh]):
            batch = self._connection.client.batch()
            for name, document in commit:
                batch.create(chunks.document(name), document)
            try:
                await batch.commit(**ANY_TIMES)  # if a commit is sent twice, the second finds the first and compares
            except AlreadyExists:
                return False
        return True

    async def _read(self, session: str, owner: UserId, *, after: int, limit: int) -> list[AnyEvent]:
        found: list[AnyEvent] = []
        async with aclosing(self._walk(session, owner, limit=limit, edge=after)) as chunks:
            async for events in chunks:
                found += [event for event in events if seq_of(event) > after]
                if len(found) >= limit:
                    break
        return found[:limit]

    async def _walk(
        self, session: str, owner: UserId, *, limit: int, edge: int = 0, back: bool = False
    ) -> AsyncGenerator[list[AnyEvent], None]:
        """Yield the events of one chunk after the other, from the number `edge` on, or back from the end.

        Reads in pages: Firestore charges for all that a stream delivers, read or not.
        """
        direction, beyond = (BaseQuery.DESCENDING, "<") if back else (BaseQuery.ASCENDING, ">")
        query: Any = self._chunks(session, owner).order_by("last", direction=direction)
        size = min(limit, PAGE)
        while True:
            asked = query.where(filter=FieldFilter("last", beyond, edge)) if edge else query
            documents = await asked.limit(size).get(**ANY_TIMES)
            for last, frame in whole_chunks(documents):
                edge = last
                yield log.decode_many(frame)
            if len(documents) < size:
                return
            size = PAGE  # more than the parts of any event: one that is cut has to be whole in a page


def _fits(event: AnyEvent, query: str) -> bool:
    return isinstance(event, UserSaid | Text) and fits(event.text, query)


def commits_of(lines: Sequence[Line]) -> list[list[tuple[str, dict[str, Any]]]]:
    """Return the documents of numbered lines with their names, by commit. Raises: BadInput: a line is too long."""
    if any(len(text) > EVENT_BYTES for _, text in lines):
        raise BadInput("an event is larger than Firestore takes", code="too_large")
    commits = _gathered(lines, COMMIT_BYTES)
    return [[each for chunk in _gathered(commit, PIECE_BYTES) for each in _documents(chunk)] for commit in commits]


def _gathered(lines: Sequence[Line], most: int) -> list[list[Line]]:
    """Group neighbouring lines up to `most` bytes; a larger line forms its own group."""
    groups: list[list[Line]] = []
    size = most
    for line in lines:
        size += len(line[1]) + 1  # and its comma
        if size >= most:
            groups.append([])
            size = len(line[1]) + 2  # and the brackets
        groups[-1].append(line)
    return groups


def _documents(chunk: Sequence[Line]) -> list[tuple[str, dict[str, Any]]]:
    first, last = chunk[0][0], chunk[-1][0]
    body = b"[" + b",".join(text for _, text in chunk) + b"]"
    parts = [body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES)]
    whole = {"first": first, "last": last, "parts": len(parts)}
    return [(f"{first:012d}-{n:04d}", whole | {"part": n, "body": text}) for n, text in enumerate(parts)]


def whole_chunks(documents: Sequence[DocumentSnapshot[Any]]) -> Iterator[tuple[int, bytes]]:
    """Yield the last number and the body of each chunk; the parts of cut chunks are joined. The documents may be in
    ascending or descending order.
    """
    parts: dict[int, bytes] = {}
    for document in documents:
        parts[document.get("part")] = document.get("body")
        if len(parts) == document.get("parts"):
            yield document.get("last"), b"".join(parts[part] for part in sorted(parts))
            parts = {}
