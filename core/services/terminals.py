"""The terminals of a user's sessions, from the web's side: shells in the user's own box."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp

from core.domain.audit import AuditAction
from core.domain.errors import Forbidden
from core.domain.records import UserId
from core.fleet.terminal_client import TerminalClient
from core.services.audit import Audit
from core.services.conversations import Conversations

T = TypeVar("T")


class Terminals:
    """Use cases; the user is checked by being the session's owner. `allowed` is the administrator's word."""

    def __init__(self, *, conversations: Conversations, audit: Audit, allowed: bool) -> None:
        self._conversations, self._audit = conversations, audit
        self.allowed = allowed

    async def numbers(self, session: str, *, user: UserId) -> tuple[int, ...]:
        """Return the numbers of the session's terminals, in order; this starts the user's box."""
        return await self._call(session, lambda terminals: terminals.numbers(), user=user)

    async def open(self, session: str, number: int, *, columns: int, rows: int, user: UserId) -> None:
        """Start a terminal if it is not there.

        Raises: Forbidden: `terminals_off`. NotFound. TooMuch: `too_many_terminals`. Unavailable: `no_terminal`.
        """
        if await self._call(session, lambda terminals: terminals.open(number, columns, rows), user=user):
            await self._audit.record(AuditAction.TERMINAL_OPENED, who=user, about=session, detail=str(number))

    async def end(self, session: str, number: int, *, user: UserId) -> None:
        """End a terminal and all that it has started. Idempotent."""
        await self._call(session, lambda terminals: terminals.end(number), user=user)

    @asynccontextmanager
    async def attach(
        self, session: str, number: int, *, user: UserId
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A socket (core.protocol.terminal_api) to a terminal that is there. Raises: as `open`; RunnerUnavailable."""
        self._check()
        runner = await self._conversations.runner_of(session, user=user)
        async with TerminalClient(runner, session).attach(number) as socket:
            yield socket

    async def _call(self, session: str, call: Callable[[TerminalClient], Awaitable[T]], *, user: UserId) -> T:
        self._check()
        return await call(TerminalClient(await self._conversations.runner_of(session, user=user), session))

    def _check(self) -> None:
        if not self.allowed:
            raise Forbidden("terminals are off", code="terminals_off")
