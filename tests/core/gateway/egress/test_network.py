"""Looking up names neither blocks nor piles up, and a dialled address is an address."""

import asyncio
import shutil
import sys
import threading
from pathlib import Path

import pytest

from core.gateway.egress.network import Lookups, Rows, dial
from tests.core.gateway.egress.proxy import echo, server
from tests.core.gateway.egress.world import OTHER, PUBLIC
from tests.timeouts import PATIENCE_S


def rows(*addresses: str) -> Rows:
    return [(0, 0, 0, "", (address, 0)) for address in addresses]


async def test_a_name_has_each_of_its_addresses_once() -> None:
    assert await Lookups(ask=lambda _: rows(PUBLIC, OTHER, PUBLIC)).resolve("example.com") == [PUBLIC, OTHER]


async def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(OSError, match="label"):
        await Lookups().resolve("x" * 64)  # so long that nobody is asked


async def test_only_so_many_names_are_looked_up_at_once() -> None:
    held = threading.Event()

    def slow(_: str) -> Rows:
        held.wait(PATIENCE_S)
        return rows(PUBLIC)

    lookups = Lookups(at_once=1, ask=slow)
    first = asyncio.create_task(lookups.resolve("a.com"))
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many"):
        await lookups.resolve("b.com")
    held.set()
    assert await first == [PUBLIC]
    assert await lookups.resolve("b.com") == [PUBLIC]


SILENT = """
import socket, sys, threading, time
sys.path.insert(0, sys.argv[1])
from core.gateway.egress import network
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("127.0.0.1", 53))
network.bound_resolver()
threading.Thread(target=network.ask_system, args=["slow.example.com"], daemon=True).start()
asked = [(wire.recv(512), time.monotonic()) for _ in range(3)]  # for both kinds of address, and once more
print(asked[2][1] - asked[0][1])
"""


async def test_a_name_server_that_does_not_answer_is_given_up_when_its_box_is_told(tmp_path: Path) -> None:
    """Runs in a network of its own, with a silent server. The system's default would wait 5 s each time, half a minute
    in all.
    """
    bwrap = shutil.which("bwrap")
    if not bwrap:
        pytest.skip("no bubblewrap")
    servers, names = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
    servers.write_text("nameserver 127.0.0.1\n")
    names.write_text("hosts: dns\n")
    process = await asyncio.create_subprocess_exec(
        *(bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--unshare-net"),
        *("--ro-bind", servers, "/etc/resolv.conf", "--ro-bind", names, "/etc/nsswitch.conf"),
        *(sys.executable, "-c", SILENT, str(Path.cwd())),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert float(said) < 4


async def test_a_dialled_address_is_connected() -> None:
    async with server(echo) as port:
        end = await dial("127.0.0.1", port)
        end.close()
        await asyncio.wait_for(asyncio.shield(end.closed), PATIENCE_S)
    with pytest.raises(OSError):
        await dial("127.0.0.1", port)
