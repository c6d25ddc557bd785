"""The seam to whatever answers model calls: Anthropic's API with the real key, or the practice model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from core.domain.records import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A model call whose token has been checked, on whose account it is, and what it says."""

    user: UserId
    agent: str
    session: str
    path: str  # /v1/messages or /v1/messages/count_tokens
    query: str
    headers: Mapping[str, str]
    body: bytes


class AnswerObserver(Protocol):
    """Sees the bytes of a successful answer before the caller does. A refusal is not observed."""

    def begins(self, *, streams: bool) -> None:
        """`streams`: the bytes are server-sent events, not one JSON object."""

    async def passes(self, chunk: bytes) -> None:
        """The next bytes, which are sent on afterwards."""

    async def end(self) -> None:
        """There are no more."""


class Provider(Protocol):
    """Answers calls of the Messages API. Errors are answers too: the CLI knows no others."""

    async def answer(
        self, call: Call, request: web.Request, observer: AnswerObserver | None = None
    ) -> web.StreamResponse:
        """Prepare, stream and finish the response to `request`; it is cancelled when the caller hangs up."""

    async def close(self) -> None:
        """Idempotent."""
