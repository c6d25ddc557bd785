"""Usage counters, the audit log and the deletion of users, in Firestore.

Counters grow by `Increment`, which needs no read of the old value, in one of SHARDS documents chosen at random: one
document takes only about one write a second. A read adds the shards up. All amounts of one addition go to one shard,
so they are stored together or not at all.

Audit entries are made by `create`, and no verb changes them. Firestore has no append-only collection: an account that
may write may delete. If that matters to you, give the entries' copies in Cloud Logging another owner.
"""

import math
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter
from google.cloud.firestore_v1.transforms import Increment

from core.domain.audit import AuditEntry
from core.domain.errors import BadInput, StoreUnavailable
from core.domain.records import SYSTEM, User, UserId
from core.store import AFTER_ALL
from core.store.firestore_log import DELETED_AT_ONCE, FirestoreLog
from core.store.firestore_rpc import ANY_TIMES, ONCE
from core.store.firestore_values import AUDIT, COUNTERS, LOGS, below, document_of, id_of, name_of, owner_document

SHARDS = 8
KEYS_AT_ONCE = 30  # values that Firestore takes in one `in`
TRIES = 50  # numbers that other processes took first


class FirestoreAudit(FirestoreLog):
    """The verbs of the Store about usage, the audit log and whole users."""

    async def add_usage(self, key: str, *, owner: UserId, **amounts: float) -> None:
        await self.add_usage_rows({key: amounts}, owner=owner)

    async def add_usage_rows(self, rows: Mapping[str, Mapping[str, float]], *, owner: UserId) -> None:
        if not all(math.isfinite(amount) for row in rows.values() for amount in row.values()):
            raise BadInput("a counter takes finite numbers")
        if not any(rows.values()):
            return
        async with self._connection.call() as client:
            batch = client.batch()
            for key, amounts in rows.items():
                added = {counter: Increment(float(amount)) for counter, amount in amounts.items()}
                shard = self._counters(owner).document(f"{name_of(key)}~{secrets.randbelow(SHARDS)}")
                batch.set(shard, {"key": key, "amounts": added}, merge=True)
            await batch.commit(**ONCE)

    async def usage(self, key: str, *, owner: UserId) -> dict[str, float]:
        async with self._connection.call():
            shards = self._counters(owner).where(filter=FieldFilter("key", "==", key))
            return (await _summed(shards)).get(key, {})

    async def usage_of(self, keys: Sequence[str], *, owner: UserId) -> dict[str, dict[str, float]]:
        async with self._connection.call():
            found: dict[str, dict[str, float]] = {}
            for at in range(0, len(keys), KEYS_AT_ONCE):
                some = list(keys[at : at + KEYS_AT_ONCE])
                found |= await _summed(self._counters(owner).where(filter=FieldFilter("key", "in", some)))
            return found

    async def all_usage(self, *, owner: UserId, prefix: str = "") -> dict[str, dict[str, float]]:
        counters: AsyncCollectionReference | AsyncQuery = self._counters(owner)
        if prefix:
            counters = counters.where(filter=FieldFilter("key", ">=", prefix))
            counters = counters.where(filter=FieldFilter("key", "<", prefix + AFTER_ALL))
        async with self._connection.call():
            return await _summed(counters)

    async def add_audit_entry(self, act: AuditEntry) -> int:
        """Number the entry with the present microsecond or the next free number: there is no shared counter."""
        async with self._connection.call() as client:
            audit = client.collection(AUDIT)
            newest = await _newest(audit).limit(1).select(["seq"]).get(**ANY_TIMES)
            seq = max(time.time_ns() // 1000, newest[0].get("seq") + 1 if newest else 1)
            for number in range(seq, seq + TRIES):
                try:
                    await audit.document(f"{number:020d}").create(
                        {"seq": number, "body": msgspec.json.encode(act)}, **ONCE
                    )
                except AlreadyExists:
                    continue
                return number
        raise StoreUnavailable("the audit log is written to by too many at once")

    async def audit_entries(self, *, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        async with self._connection.call() as client:
            newest = _newest(client.collection(AUDIT)).limit(limit)
            if before:
                newest = newest.where(filter=FieldFilter("seq", "<", before))
            found = await newest.get(**ANY_TIMES)
        return [
            msgspec.structs.replace(msgspec.json.decode(entry.get("body"), type=AuditEntry), seq=entry.get("seq"))
            for entry in found
        ]

    async def forget(self, owner: UserId) -> None:
        if owner in ("", SYSTEM):
            raise BadInput("the platform itself is nobody to forget")
        client = self._connection.client
        async with self._connection.call():
            mine = [each async for each in owner_document(client, owner).collections(**ANY_TIMES)]
            about = [each async for each in owner_document(client, SYSTEM).collections(**ANY_TIMES)]
        for collection in mine:
            if collection.id == LOGS:
                async with self._connection.call():
                    logs = [log.id async for log in collection.list_documents(**ANY_TIMES)]
                for name in logs:
                    await self.delete_events(id_of(name), owner=owner)
            else:
                await self._empty(collection.order_by("__name__"))
        for collection in about:
            await self._empty(collection.where(filter=FieldFilter("user", "==", owner)))
        async with self._connection.call():
            await document_of(client, User, owner, SYSTEM).delete(**ANY_TIMES)

    async def _empty(self, query: AsyncQuery) -> None:
        """Delete everything that a query finds, in batches."""
        found = True
        while found:
            async with self._connection.call() as client:
                documents = await query.select([]).limit(DELETED_AT_ONCE).get(**ANY_TIMES)
                batch = client.batch()
                for document in documents:
                    batch.delete(document.reference)
                await batch.commit(**ANY_TIMES)
                found = bool(documents)

    def _counters(self, owner: UserId) -> AsyncCollectionReference:
        return below(owner_document(self._connection.client, owner), COUNTERS)


def _newest(audit: AsyncCollectionReference) -> AsyncQuery:
    return audit.order_by("seq", direction=BaseQuery.DESCENDING)  # Firestore has no descending index of names


async def _summed(shards: AsyncCollectionReference | AsyncQuery) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    async for shard in shards.stream(**ANY_TIMES):
        for counter, amount in shard.get("amounts").items():
            found[shard.get("key")][counter] += amount
    return {key: dict(row) for key, row in found.items()}
