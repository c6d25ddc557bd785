"""The terminals of a runner: some for each session, found again by their number, and ended with their session."""

import asyncio
import importlib
from typing import TYPE_CHECKING, Final, NamedTuple

from core.domain.errors import NotFound, TooMuch, Unavailable
from core.runner.cli_argv import terminal_environment
from core.runner.cli_launcher import CliLauncher
from core.runner.terminals.size import Size

if TYPE_CHECKING:
    from core.runner.terminals.terminal import Terminal

MOST: Final = 8  # of a runner


class OpenTerminal(NamedTuple):
    """A terminal and the agent whose folder it is in."""

    agent: str
    terminal: "Terminal"


class Terminals:
    """`open` starts or finds a terminal; `end`, `end_session`, `end_agent` and `close` end them."""

    def __init__(self, launcher: CliLauncher) -> None:
        self._launcher = launcher
        self._terminals: dict[tuple[str, int], OpenTerminal] = {}
        self._starting = asyncio.Lock()

    async def open(self, session: str, agent: str, number: int, size: Size) -> "Terminal":
        """Return terminal `number` of the session; start it if it is not there.

        Raises: TooMuch: the runner has `MOST` of them. Unavailable: the box has no terminals, or the gateway does not
        answer.
        """
        async with self._starting:
            self._forget_ended()
            if found := self._terminals.get((session, number)):
                return found.terminal
            if len(self._terminals) >= MOST:
                raise TooMuch(f"{MOST} terminals are open", code="too_many_terminals")
            module = await asyncio.to_thread(importlib.import_module, "core.runner.terminals.terminal")
            place = self._launcher.place
            environment = terminal_environment(await self._launcher.gateway.spec(session), place)
            try:
                started: Terminal = await module.Terminal.start(place.folder(agent), environment, size)
            except OSError as error:
                raise Unavailable(f"a terminal cannot be started: {error}", code="no_terminal") from error
            self._terminals[session, number] = OpenTerminal(agent, started)
            return started

    def get(self, session: str, number: int) -> "Terminal":
        """Return a terminal that is there. Raises: NotFound."""
        self._forget_ended()
        if entry := self._terminals.get((session, number)):
            return entry.terminal
        raise NotFound("no such terminal")

    def numbers(self, session: str) -> list[int]:
        """Return the numbers of the session's terminals, in order."""
        self._forget_ended()
        return sorted(number for owner, number in self._terminals if owner == session)

    @property
    def idle_s(self) -> float:
        """The seconds since somebody typed in any terminal, 0 while somebody looks at one, endless without any."""
        self._forget_ended()
        return min((entry.terminal.idle_s for entry in self._terminals.values()), default=float("inf"))

    async def end(self, session: str, number: int) -> None:
        """End one terminal. Idempotent."""
        if found := self._terminals.pop((session, number), None):
            await found.terminal.end()

    async def end_session(self, session: str) -> None:
        """End all terminals of a session. Idempotent."""
        await asyncio.gather(*(self.end(session, number) for number in self.numbers(session)))

    async def end_agent(self, agent: str) -> None:
        """End all terminals in an agent's folder. Idempotent."""
        keys = [key for key, entry in self._terminals.items() if entry.agent == agent]
        await asyncio.gather(*(self.end(*key) for key in keys))

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(self.end(*key) for key in list(self._terminals)))

    def _forget_ended(self) -> None:
        for key in [key for key, entry in self._terminals.items() if entry.terminal.ended.is_set()]:
            del self._terminals[key]
