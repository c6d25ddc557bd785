"""`find` as SQL. Names come from the record's own fields, and values are always parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from core.domain.records import Record, UserId

# Kinds that were renamed in the program. Their rows keep the name that the first version gave them.
STORED_NAMES = {"Connection": "outbound", "SecretRecord": "secretnote"}


def table_name(kind: type[Record]) -> str:
    """Return the name under which rows of this kind are stored."""
    return STORED_NAMES.get(kind.__name__, kind.__name__.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The arguments of `find`: fields that equal `where`, at most one order, and bounds of the field that orders."""

    where: Mapping[str, Any]
    newest_by: str = ""
    oldest_by: str = ""
    above: datetime | None = None
    below: datetime | None = None
    after: Record | None = None

    @property
    def order_by(self) -> str:
        """The field that orders the records; empty if they are ordered by id."""
        return self.newest_by or self.oldest_by


def select(kind: type[Record], query: Query, *, owner: UserId, limit: int) -> tuple[str, list[Any]]:
    """Return the statement and its parameters. Raises: ValueError: the kind has no such field."""
    known = asked_for(kind, query)
    terms, values = _conditions(kind, query.where, owner=owner)
    field, direction, sign = known.get(query.order_by), "ASC", ">"
    if query.newest_by:
        direction, sign = "DESC", "<"
    if field:
        by = _sortable(field)
        for comparison, bound in ((">", query.above), ("<", query.below)):
            if bound is not None:
                terms.append(f"{by} {comparison} rtrim(?, 'Z')")
                values.append(_plain(bound))
        if query.after:
            terms.append(f"({by}, id) {sign} (rtrim(?, 'Z'), ?)")
            values += [_plain(getattr(query.after, field.name)), query.after.id]
        order = f"{by} {direction}, id {direction}"
    else:
        order = "id"
        if query.after:
            terms.append("id > ?")
            values.append(query.after.id)
    statement = f"SELECT body FROM records WHERE {' AND '.join(terms)} ORDER BY {order} LIMIT ?"  # noqa: S608  # names are checked above
    return statement, [*values, limit]


def matching(kind: type[Record], where: Mapping[str, Any], *, owner: UserId) -> tuple[str, list[Any]]:
    """Return the condition of `count` and `delete_where`, and its parameters. Raises: ValueError: no such field."""
    asked_for(kind, Query(where=where))
    terms, values = _conditions(kind, where, owner=owner)
    return " AND ".join(terms), values


def asked_for(kind: type[Record], query: Query) -> dict[str, FieldInfo]:
    """Return the fields of a kind. Raises: ValueError: the query names another field, or contradicts itself."""
    known = {field.name: field for field in fields(kind)}
    for name in (*query.where, *([query.order_by] if query.order_by else [])):
        if name not in known:
            raise ValueError(f"{kind.__name__} has no field {name!r}")
    if query.newest_by and query.oldest_by:
        raise ValueError("records have one order")
    if (query.above or query.below) and not query.order_by:
        raise ValueError("`above` and `below` are values of the field that orders the records")
    return known


def equals(record: Record, expect: Mapping[str, Any]) -> bool:
    """True if the record has these values. Raises: ValueError: its kind has no such field."""
    asked_for(type(record), Query(where=expect))
    return all(getattr(record, name) == value for name, value in expect.items())


def _conditions(kind: type[Record], where: Mapping[str, Any], *, owner: UserId) -> tuple[list[str], list[Any]]:
    known = {field.name: field for field in fields(kind)}
    # The kind is part of the text, as SQLite uses a partial index only for a condition that it can read.
    terms, values = [f"kind = '{table_name(kind)}'", "owner = ?"], [owner]
    for name, wanted in where.items():
        term, more = _equals(known[name], wanted)
        terms.append(term)
        values += more
    return terms, values


def _sortable(field: FieldInfo) -> str:
    """Return the SQL of a time as sortable text, without its Z: with it, a time with a fraction of a second would sort
    after the full second.
    """
    return f"rtrim({_path(field)}, 'Z')"


def default_of(field: FieldInfo) -> Any:
    """Return the default of a field, for records that an older version wrote without it."""
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _path(field: FieldInfo) -> str:
    return f"json_extract(body, '$.{field.encode_name}')"


def _equals(field: FieldInfo, wanted: Any) -> tuple[str, list[Any]]:
    value = _plain(wanted)
    if field.required:
        return f"{_path(field)} IS ?", [value]
    # An older version may not have written this field: then it has its default, which is part of the text, as SQLite
    # uses an index only for the expression that it was made of.
    return f"ifnull({_path(field)}, {_literal(_plain(default_of(field)))}) IS ?", [value]


def _literal(value: str | int | float | None) -> str:
    """Write a default of our own records as SQL."""
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "NULL" if value is None else repr(+value)


def _plain(value: Any) -> Any:
    """Return a value in the form that json_extract returns."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return msgspec.to_builtins(value.astimezone(UTC))  # SQLite compares texts, so all times need one zone
    if isinstance(value, str | int | float | None):
        return value
    raise ValueError(f"cannot look for a {type(value).__name__}")
