"""Errors as programs read them: `application/problem+json` (RFC 9457), the same from the guard and from the API."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from auth.body_limits import BodyUnread
from auth.rate import SlowDown
from core.domain.error_catalogue import REQUESTS, Remedy
from core.domain.errors import NotFound, PlatformError

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error. `code` is the contract (docs/errors.md), `detail` is a sentence for the client's author,
    and `helps` lists remedies, the best first.
    """

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    helps: tuple[Remedy, ...]


def problem(error: PlatformError) -> Response:
    """Return the answer for `error`, with the headers that belong to it."""
    return answer(code=error.code, status=error.status, detail=_detail(error), headers=headers_for(error))


def answer(*, code: str, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer for an error that is none of ours, such as the framework's 405."""
    entry = REQUESTS.get(code)
    title, helps = (entry.happened, entry.remedies) if entry else (code, ())
    body = Problem(title=title, status=status, code=code, detail=detail, helps=helps)
    return Response(msgspec.json.encode(body), status, headers, media_type=MEDIA_TYPE)


def headers_for(error: PlatformError) -> dict[str, str]:
    """Return how long to wait, or that the connection closes because the rest of the body is not read."""
    if isinstance(error, SlowDown):
        return {"Retry-After": str(error.wait_s)}
    return {"Connection": "close"} if isinstance(error, BodyUnread) else {}


def _detail(error: PlatformError) -> str:
    """Return the text for the client. Texts of our own failures are for the log, because they may name internal hosts
    and paths.
    """
    entry = REQUESTS.get(error.code)
    if entry and (isinstance(error, NotFound) or error.status >= 500):
        return entry.means
    return str(error)
