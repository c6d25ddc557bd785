"""Limits on a request's body while it arrives: its size, and how long each part may take."""

import asyncio
from collections.abc import Mapping

from starlette.types import Message, Receive

from core.domain.errors import BadInput

MAX_BODY_BYTES = 2 * 2**20  # the longest message, 200,000 characters, in its longest JSON spelling
PART_S = 30.0  # for the next part of it


class BodyUnread(BadInput):
    """The body is not read to its end: the connection closes with the answer."""


class TooLarge(BodyUnread):
    """The body is over the limit."""

    code, status = "too_large", 413


class BodyTooSlow(BodyUnread):
    """The rest of the body does not come."""

    code, status = "too_slow", 408


def declared(headers: Mapping[bytes, bytes]) -> None:
    """Check Content-Length. Raises: TooLarge: it is over the limit, or it is not a number."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 12 or int(length) > MAX_BODY_BYTES:
        raise TooLarge("The body is too large.")


class Body:
    """Wraps the `receive` of one request and enforces the limits."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._bytes, self._more = receive, 0, True

    async def __call__(self) -> Message:
        """Return the next part. Raises: TooLarge. BodyTooSlow."""
        if not self._more:
            return await self._receive()  # after the body, this waits until the client disconnects
        try:
            async with asyncio.timeout(PART_S):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTooSlow("The rest of the body does not come.") from error
        self._more = message["type"] == "http.request" and message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > MAX_BODY_BYTES:
            raise TooLarge("The body is too large.")
        return message
