"""Long lists in pages: newest first, each page with a cursor to the next."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Query

from core.domain.errors import BadInput

DEFAULT_LIMIT = 200
MAX_LIMIT = 1000

T = TypeVar("T")
Place = tuple[datetime, str]
"""Where an item stands in its list: its time, and its id for items of the same time."""

_places = msgspec.json.Decoder(Place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page that a client asked for. `after` is the place of the last item it has; None at the beginning."""

    after: Place | None = None
    limit: int = DEFAULT_LIMIT


async def _page(
    after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page:
    """Raises: BadInput: the cursor is none of ours."""
    return Page(after=_place(after) if after else None, limit=limit)


PageQuery = Annotated[Page, Depends(_page)]
"""The query parameters `after` and `limit` of a list."""


def cut(items: Sequence[T], page: Page, *, place: Callable[[T], Place]) -> tuple[Sequence[T], str]:
    """Return the items of this page and the cursor of the next one, empty at the end.

    `items` are the whole list, newest first by `place`.
    """
    rest = [item for item in items if page.after is None or place(item) < page.after]
    found = rest[: page.limit]
    return found, cursor(place(found[-1])) if len(rest) > page.limit else ""


def cursor(place: Place) -> str:
    """Return `place` as an opaque text that `after` takes."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place(text: str) -> Place:
    """Raises: BadInput."""
    try:
        place: Place = _places.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise BadInput("`after` is not a cursor of this list.") from error
    return place
