"""`find` in Firestore's terms: what the server compares, what we compare, and the index that the server needs.

The emulator wants no indexes, production refuses a query without its own: tests hold firestore.indexes.json against
every call of `find` in the program, by `index_of`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter

from core.domain.records import Record
from core.store.firestore_values import name_of, stored_value
from core.store.query import Query, asked_for, default_of, table_name

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`here`: fields that an older version may not have written. No query finds what a document does not have."""

    there: dict[str, Any]
    here: dict[str, Any]
    asked: Query

    def query(self, collection: AsyncCollectionReference, *, limit: int) -> AsyncQuery:
        """In the order that was asked for, or by name, which is by id."""
        query = self._equal(collection)
        by, asked = self.asked.order_by, self.asked
        direction = BaseQuery.DESCENDING if asked.newest_by else BaseQuery.ASCENDING
        for comparison, bound in ((">", asked.above), ("<", asked.below)):
            if bound is not None:
                query = query.where(filter=FieldFilter(by, comparison, bound))
        if by:
            query = query.order_by(by, direction=direction)
        if by or asked.after:
            query = query.order_by("__name__", direction=direction)
        if asked.after:
            place = {"__name__": collection.document(name_of(asked.after.id))}
            query = query.start_after(place | ({by: getattr(asked.after, by)} if by else {}))
        if not self.here:
            query = query.limit(limit)
        found: AsyncQuery = query
        return found

    def all(self, collection: AsyncCollectionReference) -> AsyncQuery:
        """Everything that the server finds, in no order."""
        found: AsyncQuery = self._equal(collection)
        return found

    def _equal(self, collection: AsyncCollectionReference) -> Any:
        query: Any = collection
        for name, wanted in self.there.items():
            query = query.where(filter=FieldFilter(name, "==", wanted))
        return query

    def fits(self, record: Record) -> bool:
        """What the server was not asked."""
        return all(stored_value(getattr(record, name)) == wanted for name, wanted in self.here.items())


def plan(kind: type[Record], asked: Query) -> Plan:
    """Raises: ValueError: a field that this kind does not have, or that nothing can be looked for by."""
    known = asked_for(kind, asked)
    if asked.order_by and (not known[asked.order_by].required or known[asked.order_by].encode_name != asked.order_by):
        raise ValueError(f"{asked.order_by} of {kind.__name__} may not be written: nothing can be ordered by it")
    there, here = {}, {}
    for name, wanted in asked.where.items():
        value = stored_value(wanted)
        if isinstance(value, bytes):
            raise ValueError(f"cannot look for a {type(wanted).__name__}")
        field = known[name]
        if field.required or value != stored_value(default_of(field)):
            there[field.encode_name] = value
        else:
            here[field.name] = value
    return Plan(there=there, here=here, asked=asked)


def index_of(kind: type[Record], where: Collection[str], asked: Query) -> dict[str, Any] | None:
    """The composite index of such a query, as firestore.indexes.json has it; None: Firestore's own ones do."""
    if not where or not asked.order_by:
        return None  # equalities alone are merged from the fields' own indexes, and so is an order alone
    ascending = [{"fieldPath": name, "order": "ASCENDING"} for name in sorted(where)]
    order = "DESCENDING" if asked.newest_by else "ASCENDING"
    return {
        "collectionGroup": table_name(kind),
        "queryScope": "COLLECTION",
        "fields": [*ascending, {"fieldPath": asked.order_by, "order": order}],
    }
