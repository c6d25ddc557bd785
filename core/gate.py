"""The web's end of the gateway: start it if there is none, keep it alive, tell it about new boxes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from core.errors import Unavailable
from core.model import Box

log = logging.getLogger("oma.gate")

START_S = 15.0  # a cold interpreter on a busy laptop
CALL_S = 5.0
RETRY_S = 0.2


class Gate:
    """While the context is open the gateway is held, and started again whenever it is gone (G4: boxes wait 120 s)."""

    def __init__(self, socket: Path, launch: Callable[[], Awaitable[None]]) -> None:
        self._launch = launch
        self._http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)))
        self._up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Gate":
        self._task = asyncio.create_task(self._hold(), name="gate")
        try:
            await asyncio.wait_for(self._up.wait(), START_S)
        except TimeoutError as error:
            await self.__aexit__()
            raise Unavailable(
                f"the gateway did not start within {START_S:.0f} s", code="gateway_unavailable"
            ) from error
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
        await self._call("PUT", f"/boxes/{box.id}", {"user": box.user, **box.memory})

    async def unregister(self, box_id: str) -> None:
        await self._call("DELETE", f"/boxes/{box_id}")

    async def stop(self) -> None:
        """End the gateway (the whole platform stops); it need not be there."""
        if self._task:
            self._task.cancel()
        try:
            await self._call("POST", "/stop")
        except Unavailable:
            log.info("the gateway is gone already")

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        timeout = aiohttp.ClientTimeout(total=CALL_S)
        try:
            async with self._http.request(method, f"http://gateway{path}", json=body, timeout=timeout) as answer:
                if answer.status >= 400:
                    raise Unavailable(f"{method} {path}: {answer.status}", code="gateway_unavailable")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{method} {path}: {error}", code="gateway_unavailable") from error

    async def _hold(self) -> None:
        while True:
            try:
                async with self._http.ws_connect("http://gateway/hold", heartbeat=10.0) as socket:
                    self._up.set()
                    async for _ in socket:
                        pass
                log.warning("the gateway went away")
            except (aiohttp.ClientError, OSError):
                await self._launch()
            self._up.clear()
            await asyncio.sleep(RETRY_S)
