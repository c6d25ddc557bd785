"""The ways of a box to its gateway: a socket beside it, or a TCP port with a handshake."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler

from core.protocol.handshake import keep_alive

CONNECT_S = 5.0  # a lost machine does not answer, but another one behind the same name may

P = TypeVar("P", bound=asyncio.BaseProtocol)


class Transport(Protocol):
    """Opens connections to the gateway, which knows the box of each."""

    async def connect(self, end: Callable[[], P]) -> P:
        """Open a connection; `end` makes the protocol at its near end. Raises: OSError: nobody listens."""


class UnixTransport:
    """The gateway's socket for this box alone, which needs no handshake."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def connect(self, end: Callable[[], P]) -> P:
        _, made = await asyncio.get_running_loop().create_unix_connection(end, self._path)
        return made


class TcpTransport:
    """A gateway on another machine. `first_line` makes the handshake for every connection.

    A box without a user has no handshake; that is an OSError, too.
    """

    def __init__(self, host: str, port: int, *, first_line: Callable[[], bytes]) -> None:
        self._host, self._port, self._first_line = host, port, first_line

    async def connect(self, end: Callable[[], P]) -> P:
        line = self._first_line()
        async with asyncio.timeout(CONNECT_S):
            transport, made = await asyncio.get_running_loop().create_connection(end, self._host, self._port)
        keep_alive(transport.get_extra_info("socket"))
        transport.write(line)  # before anything else is written
        return made


class Connector(aiohttp.BaseConnector):
    """Opens aiohttp connections by a Transport. `_create_connection` is aiohttp's seam for that (as in
    UnixConnector).
    """

    def __init__(self, transport: Transport, *, limit: int) -> None:
        super().__init__(limit=limit)
        self._transport = transport

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        try:
            return await self._transport.connect(self._factory)
        except OSError as error:
            raise aiohttp.ClientConnectionError(f"the gateway is not reached: {error}") from error


def transport_to(gateway: str, *, first_line: Callable[[], bytes]) -> Transport:
    """Return the transport for `gateway`: the path of a socket, or `http://host:port`. Raises: ValueError: neither."""
    if gateway.startswith("/"):
        return UnixTransport(gateway)
    where = urlsplit(gateway)
    if where.scheme != "http" or not where.hostname or not where.port or where.path.strip("/"):
        raise ValueError(f"{gateway} is not http://host:port")
    return TcpTransport(where.hostname, where.port, first_line=first_line)
