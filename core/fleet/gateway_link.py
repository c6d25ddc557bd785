"""The web's end of the gateway.

On one machine it is the web's own: started if there is none or another one than ours, kept, told of new boxes. In a
cluster it is a Deployment beside the web, which reads from the Store what boxes there are.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from core.domain.errors import PlatformError, Unavailable
from core.domain.records import Box
from core.protocol import gateway_api as api

log = logging.getLogger("oma.gate")

BASE = "http://gateway"  # a name that is not looked up: all calls go over the socket

START_S = 25.0  # a cold interpreter on a busy laptop, after the end of the gateway before it
CALL_S = 5.0
END_S = 10.0
POLL_S = 0.05
RETRY_S, RETRY_MOST_S = 0.2, 5.0


class GatewayLink(Protocol):
    """Who opens the gateway's door to boxes."""

    @property
    def up(self) -> bool:
        """Whether agents can work, as far as this web has to know."""

    async def register(self, box: Box) -> None:
        """Let it in. Raises: Unavailable."""

    async def unregister(self, box_id: str) -> None:
        """It is gone. Raises: Unavailable."""


class RemoteGateway:
    """Of gateways that are not this web's: a record in the Store is all they need, and probes are their own matter."""

    up = True

    async def register(self, box: Box) -> None:
        """It is let in as soon as its record is in the Store, which it is."""

    async def unregister(self, box_id: str) -> None:
        """They notice within seconds that its record is gone (core.gateway.tcp_listener)."""


class LocalGateway:
    """While the context is open the gateway is held, and started again whenever it is gone (G4: boxes wait 120 s).

    `expected` is the digest of the gateway that this web means (core.gateway.fingerprint): one that has another is
    ended and replaced at the start. Later another web may replace ours; that one is held, or the two would never stop.
    """

    def __init__(self, socket: Path, launch: Callable[[], Awaitable[None]], expected: str = "") -> None:
        self._socket, self._launch, self._expected = socket, launch, expected
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)))
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "LocalGateway":
        self._task = asyncio.create_task(self._hold(), name="gate")
        try:
            async with asyncio.timeout(START_S):
                await self._first
        except BaseException as error:
            await self.__aexit__()
            if isinstance(error, TimeoutError):
                said = f"the gateway did not start within {START_S:.0f} s"
                raise Unavailable(said, code="gateway_unavailable") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._http.close()

    @property
    def up(self) -> bool:
        return self._up.is_set()

    async def register(self, box: Box) -> None:
        """Listen for this box. A gateway that starts later finds the box in the Store by itself."""
        await self._call("PUT", api.BOX.format(box=box.id), {"user": box.user, "key": box.key, **box.spawner_state})

    async def unregister(self, box_id: str) -> None:
        await self._call("DELETE", api.BOX.format(box=box_id))

    async def stop(self) -> None:
        """End the gateway (the whole platform stops); it need not be there."""
        if self._task:
            self._task.cancel()
        try:
            await self._call("POST", api.STOP)
        except Unavailable:
            log.info("the gateway is gone already")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        timeout = aiohttp.ClientTimeout(total=CALL_S)
        try:
            async with self._http.request(method, BASE + path, json=body, timeout=timeout) as answer:
                if answer.status >= 400:
                    raise Unavailable(f"{method} {path}: {answer.status}", code="gateway_unavailable")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{method} {path}: {error}", code="gateway_unavailable") from error

    async def _hold(self) -> None:
        pause_s = RETRY_S
        while True:
            try:
                await self._make_way()
                async with self._http.ws_connect(BASE + api.HOLD, heartbeat=10.0) as socket:
                    self._came_up()
                    pause_s = RETRY_S
                    async for _ in socket:
                        pass
                log.warning("the gateway went away")
            except (Unavailable, aiohttp.ClientError, OSError):
                if not await self._launched(pause_s):
                    pause_s = min(2 * pause_s, RETRY_MOST_S)
            self._up.clear()
            await asyncio.sleep(pause_s)

    def _came_up(self) -> None:
        self._up.set()
        if not self._first.done():
            self._first.set_result(None)

    async def _launched(self, pause_s: float) -> bool:
        """A start that fails is the end of our own start, and later a reason to try again."""
        self._up.clear()
        try:
            await self._launch()
        except (PlatformError, OSError) as error:
            if self._first.done():
                log.error("the gateway did not start, next try in %.1f s: %s", pause_s, error)
            else:
                text = f"the gateway cannot be started: {error}"
                known = isinstance(error, PlatformError)
                self._first.set_exception(error if known else Unavailable(text, code="gateway_unavailable"))
            return False
        return True

    async def _make_way(self) -> None:
        """End a gateway that is not ours.

        Raises: Unavailable, aiohttp.ClientError, OSError: there is none, now or any more.
        """
        if not self._expected or (found := await self._digest()) == self._expected:
            return
        if self._first.done():
            log.warning("the gateway is another web's (%s)", found)
            return
        log.info("the gateway there has other settings or another version: it is replaced")
        await self._call("POST", api.STOP)
        async with asyncio.timeout(END_S):
            while await self._digest() != self._expected:  # noqa: ASYNC110  # of another process; ends by an error
                await asyncio.sleep(POLL_S)

    async def _digest(self) -> str:
        """Of the gateway that is there. Raises: Unavailable, aiohttp.ClientError, OSError: there is none."""
        async with self._http.get(BASE + api.HEALTH, timeout=aiohttp.ClientTimeout(total=CALL_S)) as answer:
            try:
                return str((await answer.json()).get("digest", ""))
            except (ValueError, AttributeError, aiohttp.ContentTypeError):
                return ""  # an older one
