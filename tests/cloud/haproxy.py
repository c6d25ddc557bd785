"""The balancer: cookie-affine for people, as the Ingress is; connection by connection for boxes, as a Service is."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.product import free_port

PROGRAM = "/usr/sbin/haproxy"
CONFIGURATION = """
global
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  timeout queue 10s
  option redispatch
  retries 5
frontend people
  bind 127.0.0.1:{people}
  default_backend webs
backend webs
  option forwardfor
  option httpchk GET /readyz
  cookie WEB insert indirect nocache httponly
  default-server check inter 500 fall 3 rise 1
{webs}
frontend boxes
  mode tcp
  bind 127.0.0.1:{boxes}
  default_backend gateways
backend gateways
  mode tcp
  balance roundrobin
  option httpchk GET /healthz
  default-server check inter 500 fall 3 rise 1
{gateways}
"""
START_S = 30.0


class Balancer:
    """`async with`: it listens at `people` and `boxes`, and looks at every server twice a second."""

    def __init__(self, folder: Path, *, webs: Sequence[int], gateways: Sequence[int]) -> None:
        self.people, self.boxes = free_port(), free_port()
        self._file = folder / "haproxy.cfg"
        self._file.write_text(
            CONFIGURATION.format(
                people=self.people,
                boxes=self.boxes,
                webs="\n".join(f"  server web{n} 127.0.0.1:{port} cookie web{n}" for n, port in enumerate(webs)),
                gateways="\n".join(f"  server gateway{n} 127.0.0.1:{port}" for n, port in enumerate(gateways)),
            )
        )
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        with self._file.with_suffix(".log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                PROGRAM, "-db", "-f", str(self._file), stdout=log, stderr=log
            )
        async with asyncio.timeout(START_S):
            while not await _listens(self.people):
                assert self._process.returncode is None, self._file.with_suffix(".log").read_text()
                await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()  # it keeps nothing; in good order it would wait for every open socket
            await self._process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
