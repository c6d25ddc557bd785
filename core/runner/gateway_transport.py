"""How a box reaches the gateway: the socket beside it, or a port of another machine where it first says whose it is."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler

from core.protocol.handshake import keep_alive

CONNECT_S = 5.0  # a machine that is gone does not answer; another one behind the same name does

P = TypeVar("P", bound=asyncio.BaseProtocol)


class Transport(Protocol):
    """One connection at a time; who opened it is known at the other end."""

    async def connect(self, end: Callable[[], P]) -> P:
        """An open connection whose near end is what `end` makes. Raises: OSError: nobody is there."""


class UnixTransport:
    """The gateway's socket for this box: whose it is goes without saying."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def connect(self, end: Callable[[], P]) -> P:
        _, made = await asyncio.get_running_loop().create_unix_connection(end, self._path)
        return made


class TcpTransport:
    """A gateway elsewhere. `first_line` is asked anew for every connection.

    Its errors are OSErrors: a box that is nobody's yet has no line, and reaches nobody.
    """

    def __init__(self, host: str, port: int, *, first_line: Callable[[], bytes]) -> None:
        self._host, self._port, self._first_line = host, port, first_line

    async def connect(self, end: Callable[[], P]) -> P:
        line = self._first_line()
        async with asyncio.timeout(CONNECT_S):
            wire, made = await asyncio.get_running_loop().create_connection(end, self._host, self._port)
        keep_alive(wire.get_extra_info("socket"))
        wire.write(line)  # before anybody else has this connection
        return made


class Connector(aiohttp.BaseConnector):
    """The runner's own calls go the same way. `_create_connection` is aiohttp's seam for that (see UnixConnector)."""

    def __init__(self, transport: Transport, *, limit: int) -> None:
        super().__init__(limit=limit)
        self._transport = transport

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        try:
            return await self._transport.connect(self._factory)
        except OSError as error:
            raise aiohttp.ClientConnectionError(f"the gateway is not reached: {error}") from error


def transport_to(gateway: str, *, first_line: Callable[[], bytes]) -> Transport:
    """`gateway` is the path of a socket, or `http://host:port`. Raises: ValueError: it is neither."""
    if gateway.startswith("/"):
        return UnixTransport(gateway)
    where = urlsplit(gateway)
    if where.scheme != "http" or not where.hostname or not where.port or where.path.strip("/"):
        raise ValueError(f"{gateway} is not http://host:port")
    return TcpTransport(where.hostname, where.port, first_line=first_line)
