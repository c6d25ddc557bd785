"""`find` as SQL: names come from the record's own fields, values are always parameters."""

from collections.abc import Mapping
from datetime import datetime
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


def select(
    kind: type[Record], *, owner: UserId, where: Mapping[str, Any], newest_by: str, limit: int
) -> tuple[str, list[Any]]:
    """The statement and its parameters. Raises: ValueError: a field that this kind does not have."""
    known = asked_for(kind, where, newest_by)
    terms, values = ["kind = ?", "owner = ?"], [table_name(kind), owner]
    for name, wanted in where.items():
        term, more = _equals(known[name], wanted)
        terms.append(term)
        values += more
    # without its Z a time with a fraction sorts after the same second without one
    order = f"rtrim({_path(known[newest_by])}, 'Z') DESC, id DESC" if newest_by else "id"
    statement = f"SELECT body FROM records WHERE {' AND '.join(terms)} ORDER BY {order} LIMIT ?"  # noqa: S608  # names are checked above
    return statement, [*values, limit]


def asked_for(kind: type[Record], where: Mapping[str, Any], newest_by: str) -> dict[str, FieldInfo]:
    """The fields of a kind. Raises: ValueError: one of those that are asked for is not among them."""
    known = {field.name: field for field in fields(kind)}
    for name in (*where, *([newest_by] if newest_by else [])):
        if name not in known:
            raise ValueError(f"{kind.__name__} has no field {name!r}")
    return known


def default_of(field: FieldInfo) -> Any:
    """What a field has that an older version did not write."""
    return field.default_factory() if field.default is msgspec.NODEFAULT else field.default


def _path(field: FieldInfo) -> str:
    return f"json_extract(body, '$.{field.encode_name}')"


def _equals(field: FieldInfo, wanted: Any) -> tuple[str, list[Any]]:
    value = _plain(wanted)
    if field.required:
        return f"{_path(field)} IS ?", [value]
    # an older version may not have written this field: then it has its default
    return f"ifnull({_path(field)}, ?) IS ?", [_plain(default_of(field)), value]


def _plain(value: Any) -> Any:
    """As json_extract gives it back."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return msgspec.to_builtins(value)
    if isinstance(value, str | int | float | None):
        return value
    raise ValueError(f"cannot look for a {type(value).__name__}")
