"""The access token of this workload at Google: fetched in a thread, kept until it expires, sent to Vertex only."""

import asyncio
import logging
import secrets
from datetime import UTC, datetime
from typing import Protocol

from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

from core.domain.errors import Unavailable
from core.google.identity import CLOUD, workload_identity
from core.protocol.gateway_api import OVERLOADED

log = logging.getLogger("oma.gateway")

FETCH_S = 15.0  # the metadata server answers in milliseconds; a federation asks two services


class Token(Protocol):
    """A source of access tokens for Vertex, each valid for about an hour."""

    async def get(self) -> str:
        """Return a token that is valid for some minutes. Raises: Unavailable."""

    async def renew(self, refused: str) -> bool:
        """Get another token than the refused one; returns False if there is none. Raises: Unavailable."""


class WorkloadToken:
    """Tokens by Workload Identity. Make it in a thread: it uses the network. Raises: Misconfigured."""

    def __init__(self) -> None:
        self._credentials: Credentials = workload_identity(
            CLOUD, otherwise="run where Google vouches for the gateway, or set OMA_MODEL=anthropic"
        )
        self._one = asyncio.Lock()

    async def get(self) -> str:
        if not self._credentials.valid:
            async with self._one:
                if not self._credentials.valid:
                    await self._fetched()
        return str(self._credentials.token)

    async def renew(self, refused: str) -> bool:
        """Fetch a new token once, however many calls were refused with the old one."""
        async with self._one:
            if self._is(refused):
                await self._fetch()
        return not self._is(refused)

    def _is(self, token: str) -> bool:
        return secrets.compare_digest(str(self._credentials.token).encode(), token.encode())

    async def _fetched(self) -> None:
        """Fetch a token; while the old one is still valid, a failure to do so is no error."""
        try:
            await self._fetch()
        except Unavailable:
            until = self._credentials.expiry  # in UTC, without saying so
            if until is None or until <= datetime.now(UTC).replace(tzinfo=None):
                raise

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_S):
                await asyncio.to_thread(self._credentials.refresh, Request())
        except (GoogleAuthError, TimeoutError) as error:
            log.error("there is no access token for Vertex: %s %s", type(error).__name__, error)
            raise Unavailable("Google gives this workload no access token", code=OVERLOADED) from error
