"""An internet that a test makes up, for the processes of a product: Python reads this at its start (PYTHONPATH).

`TEST_INTERNET="shop.example=93.184.215.14:8123"`: the name leads to that public address, and whoever is connected to
the address reaches this port of this machine. The product judges name and address as it always does.
"""

import asyncio
import asyncio.selector_events
import os
import socket
from typing import Any

HOSTS = [entry.split("=") for entry in os.environ.get("TEST_INTERNET", "").split(",") if entry]
NAMES = {f"{name}.": address.rpartition(":")[0] for name, address in HOSTS}
PORTS = {address.rpartition(":")[0]: int(address.rpartition(":")[2]) for _, address in HOSTS}

connect_socket = asyncio.selector_events.BaseSelectorEventLoop.sock_connect
ask_system, connect = socket.getaddrinfo, asyncio.base_events.BaseEventLoop.create_connection


def look_up(host: Any, *args: Any, **more: Any) -> Any:
    return ask_system(NAMES.get(host, host), *args, **more)


async def reach(self: Any, factory: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
    if host in PORTS:
        host, port = "127.0.0.1", PORTS[host]
    return await connect(self, factory, host, port, **more)


async def reach_by_socket(self: Any, sock: Any, address: Any) -> Any:
    """As `reach`, for clients that make their sockets themselves (aiohttp)."""
    if address[0] in PORTS:
        address = ("127.0.0.1", PORTS[address[0]])
    return await connect_socket(self, sock, address)


if HOSTS:
    asyncio.selector_events.BaseSelectorEventLoop.sock_connect = reach_by_socket  # type: ignore[method-assign]
    socket.getaddrinfo = look_up
    asyncio.base_events.BaseEventLoop.create_connection = reach  # type: ignore[method-assign]
