"""The web's calls about the terminals of a session, to the runner of its user (core.protocol.terminal_api)."""

from contextlib import AbstractAsyncContextManager

import aiohttp
import msgspec

from core.fleet.files_client import decoded
from core.fleet.runner_client import Done, RunnerClient
from core.protocol import terminal_api as api
from core.protocol.runner_api import path as filled


class TerminalClient:
    """The terminals of one session. Raises from every call: RunnerUnavailable, and what the runner refused with."""

    def __init__(self, runner: RunnerClient, session: str) -> None:
        self._runner, self._session = runner, session

    async def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the session's terminals, in order."""
        path = filled(api.TERMINALS, session=self._session)
        async with self._runner.exchange("GET", path) as answer:
            return (await decoded(answer, api.TerminalList)).numbers

    async def open(self, number: int, columns: int, rows: int) -> bool:
        """Start a terminal of this size. Returns False if it was there already.

        Raises: TooMuch: `too_many_terminals`. Unavailable: `no_terminal`.
        """
        body = msgspec.json.encode(api.TerminalSize(columns=columns, rows=rows))
        async with self._runner.exchange("POST", self._path(number), body=body) as answer:
            return (await decoded(answer, api.TerminalOpened)).started

    async def end(self, number: int) -> None:
        """End a terminal and all that it has started. Idempotent."""
        async with self._runner.exchange("DELETE", self._path(number)) as answer:
            await decoded(answer, Done)

    def attach(self, number: int) -> AbstractAsyncContextManager[aiohttp.ClientWebSocketResponse]:
        """A socket to a terminal that is there. Raises: RunnerUnavailable, at entry."""
        return self._runner.socket(self._path(number))

    def _path(self, number: int) -> str:
        return filled(api.TERMINAL, session=self._session, number=str(number))
