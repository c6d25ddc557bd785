"""The layout of records in Firestore, and the names of documents.

    owners/<owner>/<kind>/<id>                       a record; the platform's own ones have the owner `system`
    owners/<owner>/logs/<session>/chunks/<number>    a piece of a session's log (core.store.firestore_log)
    owners/<owner>/counters/<key>~<n>                a shard of a row of counters
    claims/<name>   audit/<number>

A record's fields are the document's fields: scalars as they are (times as timestamps, which sort and which TTL
policies need), everything else as bytes of JSON, because Firestore has no nested lists and refuses some map keys.
"""

from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from google.cloud.firestore_v1.async_client import AsyncClient
from google.cloud.firestore_v1.async_collection import AsyncCollectionReference
from google.cloud.firestore_v1.async_document import AsyncDocumentReference
from msgspec.structs import fields

from core.domain.errors import BadInput, StoreUnavailable
from core.domain.records import Record, UserId
from core.store.query import table_name

R = TypeVar("R", bound=Record)

OWNERS, LOGS, CHUNKS, COUNTERS, CLAIMS, AUDIT = "owners", "logs", "chunks", "counters", "claims", "audit"
LONGEST_NAME = 1000  # bytes; Firestore takes 1,500


def name_of(id: str) -> str:
    """Return the document name of an id; `id_of` is the inverse. Raises: BadInput: the id is too long."""
    name = id.replace("%", "%25").replace("/", "%2F")
    if not name or name.startswith((".", "__")):  # `.`, `..` and `__x__` are Firestore's own
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
    if len(name.encode()) > LONGEST_NAME:
        raise BadInput("an id is too long")
    return name


def id_of(name: str) -> str:
    """Return the id from which `name_of` made this document name."""
    return "" if name == "%" else unquote(name)


def owner_document(client: AsyncClient, owner: UserId) -> AsyncDocumentReference:
    """Return the document above everything of an owner. It is never written itself."""
    return client.collection(OWNERS).document(name_of(owner))


def below(document: AsyncDocumentReference, name: str) -> AsyncCollectionReference:
    """Return the collection `name` below a document."""
    found: AsyncCollectionReference = document.collection(name)
    return found


def collection_of(client: AsyncClient, kind: type[Record], owner: UserId) -> AsyncCollectionReference:
    """Return the collection of an owner's records of a kind."""
    return below(owner_document(client, owner), table_name(kind))


def document_of(client: AsyncClient, kind: type[Record], id: str, owner: UserId) -> AsyncDocumentReference:
    return collection_of(client, kind, owner).document(name_of(id))


def stored(record: Record) -> dict[str, Any]:
    """Return the document of a record."""
    return {field.encode_name: stored_value(getattr(record, field.name)) for field in fields(record)}


def stored_value(value: Any) -> Any:
    """Return a field's value as Firestore stores it. Raises: BadInput: an integer beyond 64 bits."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise BadInput("a number is too large")
        return value
    if isinstance(value, float | str | datetime):
        return value
    return msgspec.json.encode(value)


def changed(kind: type[Record], values: dict[str, Any]) -> dict[str, Any]:
    """Return the changed fields as a document has them.

    Raises: TypeError: the kind has no such field. BadInput: a value has the wrong type.
    """
    known = {field.name: field for field in fields(kind)}
    found = {}
    for name, value in values.items():
        if name not in known:
            raise TypeError(f"{kind.__name__} has no field {name!r}")
        try:
            msgspec.json.decode(msgspec.json.encode(value), type=known[name].type)
        except msgspec.ValidationError as error:
            raise BadInput(f"{name}: {error}") from error
        found[known[name].encode_name] = stored_value(value)
    return found


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with JSON's values and with standard times."""
    return {name: _plain_value(value) for name, value in document.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return msgspec.json.decode(value)
    if isinstance(value, datetime):  # replaces the client's own subclass of datetime
        return datetime.combine(value.date(), value.timetz()).astimezone(UTC)
    return value


def record_of(kind: type[R], document: dict[str, Any]) -> R:
    """Return the record in a document. Raises: StoreUnavailable: it is not a record of this kind."""
    try:
        return msgspec.convert(plain(document), kind)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a {table_name(kind)} in Firestore cannot be read: {error}") from error
