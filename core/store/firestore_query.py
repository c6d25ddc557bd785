"""`find` in Firestore's terms: the part that the server compares, the part that we compare, and the index it needs.

The emulator needs no indexes, but production refuses a query without one. A test compares firestore.indexes.json with
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
    """A query split in two. The server compares the fields in `there`. We compare those in `here`: an older version may
    not have written them, and Firestore finds no document by a field that it lacks.
    """

    there: dict[str, Any]
    here: dict[str, Any]
    asked: Query

    def query(self, collection: AsyncCollectionReference, *, limit: int) -> AsyncQuery:
        """Return the query in the order that was asked for, or else by document name, which is the order of ids."""
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
        """Return the query for everything that the server finds, without an order."""
        found: AsyncQuery = self._equal(collection)
        return found

    def _equal(self, collection: AsyncCollectionReference) -> Any:
        query: Any = collection
        for name, wanted in self.there.items():
            query = query.where(filter=FieldFilter(name, "==", wanted))
        return query

    def fits(self, record: Record) -> bool:
        """True if the record has the values in `here`, which the server did not compare."""
        return all(stored_value(getattr(record, name)) == wanted for name, wanted in self.here.items())


def plan(kind: type[Record], asked: Query) -> Plan:
    """Split a query for the server and us. Raises: ValueError: the kind has no such field, or it cannot be searched by
    it.
    """
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
    """Return the composite index of a query as firestore.indexes.json has it; None if Firestore's automatic ones
    suffice.
    """
    if not where or not asked.order_by:
        return None  # equalities alone are merged from the fields' own indexes, and so is an order alone
    ascending = [{"fieldPath": name, "order": "ASCENDING"} for name in sorted(where)]
    order = "DESCENDING" if asked.newest_by else "ASCENDING"
    return {
        "collectionGroup": table_name(kind),
        "queryScope": "COLLECTION",
        "fields": [*ascending, {"fieldPath": asked.order_by, "order": order}],
    }
