"""Search over messages in Firestore: one small document of terms for each message, newest first by its time.

    owners/<owner>/messages/<session>-<number>    session, seq, at, terms

Firestore finds the documents that have one term; the others are compared here. So a search reads at most LOOKED_AT
documents, and the messages themselves of those that fit.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter

from core.domain import events as log
from core.domain.events import AnyEvent, Text, UserSaid
from core.domain.records import UserId, now
from core.store.firestore_rpc import ANY_TIMES, FirestoreConnection
from core.store.firestore_values import below, name_of, owner_document
from core.store.search_terms import beginnings, needed, terms

MESSAGES: Final = "messages"
TERMS: Final = 400  # of one message
LOOKED_AT: Final = 300
BATCH: Final = 100  # documents of one write; with all their terms less than the 4 MB that the emulator takes


class FirestoreSearch:
    """The documents of one store."""

    def __init__(self, connection: FirestoreConnection) -> None:
        self._connection = connection

    async def add(self, session: str, events: Sequence[AnyEvent], *, owner: UserId) -> None:
        """Write the terms of messages. Idempotent; call it before the messages are written, inside a call."""
        said = [event for event in events if isinstance(event, UserSaid | Text)]
        messages = self._messages(owner)
        for start in range(0, len(said), BATCH):
            batch = self._connection.client.batch()
            for event in said[start : start + BATCH]:
                batch.set(messages.document(_name(session, log.seq_of(event))), _document(session, event))
            await batch.commit(**ANY_TIMES)

    async def find(self, query: str, *, owner: UserId, session: str) -> list[tuple[str, int]]:
        """Return sessions and numbers of messages that may fit, newest first. Call it inside a call."""
        if not (term := needed(query)):
            return []
        asked = self._messages(owner).where(filter=FieldFilter("terms", "array_contains", term))
        newest = asked.order_by("at", direction=BaseQuery.DESCENDING).limit(LOOKED_AT)
        documents = newest.select(["session", "seq"]).stream(**ANY_TIMES)
        found = [(str(each.get("session")), int(each.get("seq"))) async for each in documents]
        return [(each, seq) for each, seq in found if session in ("", each)]

    async def delete(self, session: str, *, owner: UserId) -> None:
        """Delete the documents of a session. Call it inside a call."""
        mine = self._messages(owner).where(filter=FieldFilter("session", "==", session)).select([])
        while found := await mine.limit(BATCH).get(**ANY_TIMES):
            batch = self._connection.client.batch()
            for document in found:
                batch.delete(document.reference)
            await batch.commit(**ANY_TIMES)

    def _messages(self, owner: UserId) -> AsyncCollectionReference:
        return below(owner_document(self._connection.client, owner), MESSAGES)


def _name(session: str, seq: int) -> str:
    return name_of(f"{session}-{seq:012d}")


def _document(session: str, event: UserSaid | Text) -> dict[str, Any]:
    have = list(dict.fromkeys(begin for term in terms(event.text) for begin in beginnings(term)))
    at: datetime = event.at or now()
    return {"session": session, "seq": log.seq_of(event), "at": at, "terms": have[:TERMS]}
