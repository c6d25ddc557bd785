"""Reads the parts of a request and writes JSON answers, for all routes of a runner."""

import re
from typing import TypeVar

import msgspec
from aiohttp import web

from core.domain.errors import BadInput

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

T = TypeVar("T")


def path_id(request: web.Request, part: str) -> str:
    """The id at `part` of the path. Raises: BadInput: it has characters that no id of ours has."""
    name = request.match_info[part]
    if not ID.fullmatch(name):
        raise BadInput(f"not a {part}'s id")
    return name


def query_count(request: web.Request, name: str, default: int) -> int:
    """A number of the query string that is not negative. Raises: BadInput."""
    raw = request.query.get(name, str(default))
    if not raw.isascii() or not raw.isdigit() or len(raw) > 15:
        raise BadInput(f"{name} is not a number")
    return int(raw)


async def json_body(request: web.Request, kind: type[T]) -> T:
    """The body as a value of this kind. Raises: BadInput."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(str(error)) from error


def json_answer(body: msgspec.Struct | None = None, status: int = 200) -> web.Response:
    """An answer with this body; without one, an empty object."""
    raw = msgspec.json.encode({} if body is None else body)
    return web.Response(body=raw, status=status, content_type="application/json")
