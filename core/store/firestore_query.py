"""`find` in Firestore's terms: what the server compares, what we compare, and the index that the server needs.

The emulator wants no indexes, production refuses a query without its own: tests hold firestore.indexes.json against
every call of `find` in the program, by `index_of`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_query import AsyncQuery
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter

from core.domain.records import Record
from core.store.firestore_values import stored_value
from core.store.query import asked_for, default_of, table_name

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`here`: fields that an older version may not have written. No query finds what a document does not have."""

    there: dict[str, Any]
    here: dict[str, Any]
    newest_by: str

    def query(self, collection: AsyncCollectionReference, *, limit: int) -> AsyncQuery:
        """Newest first, or by name, which is by id."""
        query: Any = collection
        for name, wanted in self.there.items():
            query = query.where(filter=FieldFilter(name, "==", wanted))
        if self.newest_by:
            query = query.order_by(self.newest_by, direction=BaseQuery.DESCENDING)
        if not self.here:
            query = query.limit(limit)
        found: AsyncQuery = query
        return found

    def fits(self, record: Record) -> bool:
        """What the server was not asked."""
        return all(stored_value(getattr(record, name)) == wanted for name, wanted in self.here.items())


def plan(kind: type[Record], *, where: Mapping[str, Any], newest_by: str) -> Plan:
    """Raises: ValueError: a field that this kind does not have, or that nothing can be looked for by."""
    known = asked_for(kind, where, newest_by)
    if newest_by and not known[newest_by].required:
        raise ValueError(f"{newest_by} of {kind.__name__} may not be written: nothing can be ordered by it")
    there, here = {}, {}
    for name, wanted in where.items():
        value = stored_value(wanted)
        if isinstance(value, bytes):
            raise ValueError(f"cannot look for a {type(wanted).__name__}")
        field = known[name]
        if field.required or value != stored_value(default_of(field)):
            there[field.encode_name] = value
        else:
            here[field.name] = value
    return Plan(there=there, here=here, newest_by=known[newest_by].encode_name if newest_by else "")


def index_of(kind: type[Record], where: Collection[str], newest_by: str) -> dict[str, Any] | None:
    """The composite index of such a query, as firestore.indexes.json has it; None: Firestore's own ones do."""
    if not where or not newest_by:
        return None  # equalities alone are merged from the fields' own indexes, and so is an order alone
    ascending = [{"fieldPath": name, "order": "ASCENDING"} for name in sorted(where)]
    return {
        "collectionGroup": table_name(kind),
        "queryScope": "COLLECTION",
        "fields": [*ascending, {"fieldPath": newest_by, "order": "DESCENDING"}],
    }
