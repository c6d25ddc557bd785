"""Limits on a request's body while it arrives: its size, and how long each part may take."""

import asyncio
import re
from collections.abc import Mapping

from starlette.types import Message, Receive

from core.domain.errors import BadInput

MAX_BODY_BYTES = 2 * 2**20  # the longest message, 200,000 characters, in its longest JSON spelling
PART_S = 30.0  # for the next part of it
UPLOAD = re.compile(r"/api/v1/agents/[^/]+/files/.+", re.S)  # by PUT: a file, which goes on to its runner as it comes
SLACK_BYTES = 2**20  # the runner counts too, and its refusal names the file's limit


class BodyUnread(BadInput):
    """The body is not read to its end: the connection closes with the answer."""


class TooLarge(BodyUnread):
    """The body is over the limit."""

    code, status = "too_large", 413


class UploadTooLarge(TooLarge):
    """The file is over the limit of uploads."""

    code = "file_too_large"


class BodyTooSlow(BodyUnread):
    """The rest of the body does not come."""

    code, status = "too_slow", 408


def is_upload(method: str, path: str) -> bool:
    """True for a request whose body is a file."""
    return method == "PUT" and bool(UPLOAD.fullmatch(path))


def limit_of(method: str, path: str, *, upload_bytes: int) -> int:
    """The longest body that a request with this method and path may have."""
    return upload_bytes + SLACK_BYTES if is_upload(method, path) else MAX_BODY_BYTES


def declared(headers: Mapping[bytes, bytes], most: int) -> None:
    """Check Content-Length. Raises: TooLarge: it is over the limit, or it is not a number."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 12 or int(length) > most:
        raise _too_large(most)


def _too_large(most: int) -> TooLarge:
    if most == MAX_BODY_BYTES:
        return TooLarge("The body is too large.")
    return UploadTooLarge(f"A file may have {(most - SLACK_BYTES) // 2**20} MiB.")


class Body:
    """Wraps the `receive` of one request and enforces the limits."""

    def __init__(self, receive: Receive, most: int = MAX_BODY_BYTES) -> None:
        self._receive, self._most, self._bytes, self._more = receive, most, 0, True

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
        if self._bytes > self._most:
            raise _too_large(self._most)
        return message
