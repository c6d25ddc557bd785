"""The interface of model providers: Anthropic's API, Vertex AI, or the practice model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from core.domain.records import UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authenticated model call: whose account it is on, and its request."""

    user: UserId
    agent: str
    session: str
    path: str  # /v1/messages or /v1/messages/count_tokens
    query: str
    headers: Mapping[str, str]
    body: bytes


class AnswerObserver(Protocol):
    """Sees the bytes of a successful answer before the caller does. It does not see refusals."""

    def begins(self, *, streams: bool) -> None:
        """The answer begins. `streams`: its bytes are server-sent events, otherwise one JSON object."""

    async def passes(self, chunk: bytes) -> None:
        """The next bytes of the answer, which are sent on afterwards."""

    async def end(self) -> None:
        """The answer has no more bytes."""


class Provider(Protocol):
    """Answers calls of the Messages API. Errors are answers, too, in the API's form."""

    async def answer(
        self, call: Call, request: web.Request, observer: AnswerObserver | None = None
    ) -> web.StreamResponse:
        """Prepare, stream and finish the response to `request`; it is cancelled when the caller hangs up."""

    async def close(self) -> None:
        """Close its connections. Idempotent."""
