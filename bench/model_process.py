"""The scripted model server as a process of its own, so that measuring it does not slow it, and what it noted."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

Noted = dict[str, Any]


class Model:
    """`url` for ANTHROPIC_BASE_URL; the times it notes are CLOCK_MONOTONIC seconds."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url, self._http = url, http

    async def noted(self, prompt: str) -> Noted:
        """Return the last request whose last user text this was."""
        async with self._http.get(f"{self.url}/_log", params={"last": 200}) as answer:
            found: list[Noted] = [one for one in await answer.json() if one["prompt"] == prompt and not one["side"]]
        return found[-1]


@asynccontextmanager
async def model_process() -> AsyncIterator[Model]:
    """Run the model server in a process of its own while the context is open."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.model_server", stdout=-1, stdin=-3)
    try:
        assert process.stdout
        url = (await asyncio.wait_for(process.stdout.readline(), 15)).decode().strip()
        async with aiohttp.ClientSession() as http:
            yield Model(url, http)
    finally:
        process.terminate()
        await process.wait()
