"""Name resolution and outgoing connections of the gateway, which tests replace."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.gateway.egress.addresses import Address, is_own
from core.gateway.egress.tunnel import TunnelEnd

RESOLVE_S = 10.0
DIAL_S = 10.0
RESOLVER = "timeout:2 attempts:2"  # of the system's: 10 s with three name servers that are silent, 4 s with one
LOOKUPS = 128  # at once; each is a thread, because the system's resolver waits

Rows = Iterable[tuple[Any, ...]]


def bound_resolver() -> None:
    """Limit the system resolver's time: a thread that waits longer would hold a lookup slot that no box is counted for.

    Call it before the first lookup; glibc reads it from the environment (resolv.conf(5)).
    """
    os.environ.setdefault("RES_OPTIONS", RESOLVER)


def ask_system(name: str) -> Rows:
    """Resolve a name by the system; a final dot keeps out the machine's search list. Raises: OSError, UnicodeError."""
    return socket.getaddrinfo(f"{name}.", None, type=socket.SOCK_STREAM)


class Lookups:
    """Resolves names, a limited number at once. Its threads are daemons: a silent name server delays neither the loop's

    executor nor the gateway's end.
    """

    def __init__(self, *, at_once: int = LOOKUPS, ask: Callable[[str], Rows] = ask_system) -> None:
        self._threads, self._ask = threading.BoundedSemaphore(at_once), ask

    async def resolve(self, name: str) -> Sequence[str]:
        """Return all addresses of a name. Raises: OSError: it has none. TimeoutError: too late."""
        if not self._threads.acquire(blocking=False):
            raise OSError("too many names are being looked up")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[str]] = loop.create_future()
        threading.Thread(target=self._look_up, args=(name, loop, found), name="lookup", daemon=True).start()
        async with asyncio.timeout(RESOLVE_S):
            return await found

    def _look_up(self, name: str, loop: asyncio.AbstractEventLoop, found: "asyncio.Future[Sequence[str]]") -> None:
        answer: Sequence[str] | OSError
        try:
            answer = list(dict.fromkeys(str(row[4][0]) for row in self._ask(name)))
        except (OSError, UnicodeError) as error:
            answer = OSError(str(error))
        finally:
            self._threads.release()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(_tell, found, answer)


def _tell(found: "asyncio.Future[Sequence[str]]", answer: Sequence[str] | OSError) -> None:
    if found.done():
        return
    if isinstance(answer, OSError):
        found.set_exception(answer)
    else:
        found.set_result(answer)


async def dial(address: str, port: int) -> TunnelEnd:
    """Connect to an address, which is not resolved again. Raises: OSError: it does not answer in time."""
    async with asyncio.timeout(DIAL_S):
        _, end = await asyncio.get_running_loop().create_connection(TunnelEnd, address, port)
    return end


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The three functions by which egress uses the network."""

    resolve: Callable[[str], Awaitable[Sequence[str]]] = field(default_factory=lambda: Lookups().resolve)
    dial: Callable[[str, int], Awaitable[TunnelEnd]] = dial
    is_own: Callable[[Address], bool] = is_own
