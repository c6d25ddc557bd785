"""The web's link to the gateway.

On one machine the web owns the gateway: it starts one if there is none or an outdated one, keeps it running, and tells
it of new boxes. In a cluster the gateway is a Deployment of its own, which reads from the Store which boxes there are.
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
    """Tells the gateway which boxes there are."""

    @property
    def up(self) -> bool:
        """False while this web knows that its gateway does not answer: agents cannot work then."""

    async def register(self, box: Box) -> None:
        """Let the gateway accept connections of this box. Raises: Unavailable."""

    async def unregister(self, box_id: str) -> None:
        """Tell the gateway that the box is gone. Raises: Unavailable."""


class RemoteGateway:
    """Gateways that run apart from the web, in a cluster: they read from the Store which boxes there are."""

    up = True

    async def register(self, box: Box) -> None:
        """Nothing to do: the box's record is in the Store already."""

    async def unregister(self, box_id: str) -> None:
        """Nothing to do: gateways notice within seconds that the record is gone (core.gateway.tcp_listener)."""


class LocalGateway:
    """Keeps the gateway running while the context is open, and starts it again if it ends (G4: boxes wait 120 s).

    `expected` is the fingerprint of the gateway that this web needs (core.gateway.fingerprint). A gateway with another
    one is ended and replaced at the start. Later another web may replace ours; then that one is held, because two webs
    that replace each other's gateway would never stop.
    """

    def __init__(self, socket: Path, launch: Callable[[], Awaitable[None]], expected: str = "") -> None:
        self._socket, self._launch, self._expected = socket, launch, expected
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)))
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "LocalGateway":
        self._task = asyncio.create_task(self._hold(), name="gateway link")
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
        """Make the gateway listen for this box. A gateway that starts later finds the box in the Store."""
        await self._call("PUT", api.BOX.format(box=box.id), {"user": box.user, "key": box.key, **box.spawner_state})

    async def unregister(self, box_id: str) -> None:
        await self._call("DELETE", api.BOX.format(box=box_id))

    async def stop(self) -> None:
        """End the gateway, because the whole platform stops. It is no error if there is none."""
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
                await self._replace_outdated()
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
        """Start a gateway; returns whether that worked. If the first start fails, entering the context fails too."""
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

    async def _replace_outdated(self) -> None:
        """End a gateway with another fingerprint than the expected one.

        Raises: Unavailable, aiohttp.ClientError, OSError: there is no gateway, or it has ended now.
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
        """Return the fingerprint of the gateway that answers. Raises: Unavailable, aiohttp.ClientError, OSError: none
        does.
        """
        async with self._http.get(BASE + api.HEALTH, timeout=aiohttp.ClientTimeout(total=CALL_S)) as answer:
            try:
                return str((await answer.json()).get("digest", ""))
            except (ValueError, AttributeError, aiohttp.ContentTypeError):
                return ""  # an older gateway
