"""A process of the platform: started, waited for, ended by its own id, with its log kept."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import aiohttp

from tests.product import MAIN

START_S = 90.0
END_S = 20.0


class Part:
    """`python *words` with this environment; `ready` is an address that answers 200 once it serves.

    `before`: words of a command that becomes it.
    """

    def __init__(
        self,
        name: str,
        *words: str,
        environ: Mapping[str, str],
        folder: Path,
        ready: str = "",
        before: Sequence[str] = (),
    ) -> None:
        self.name, self.words, self.environ, self.ready, self.before = name, words, dict(environ), ready, before
        self.log = folder / f"{name}.log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> Self:
        """Start it and wait until it serves. If it ends, it is started again, as a kubelet does: the emulator may be
        warming up.
        """
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
            while not await _answers(http, self.ready):
                if self.process is None or self.process.returncode is not None:
                    self.process = await self._started()
                await asyncio.sleep(0.05)
        return self

    async def _started(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.before,
                sys.executable,
                *self.words,
                env=self.environ,
                cwd=MAIN.parent,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it the signal and wait for its end. Raises: TimeoutError: it does not."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            async with asyncio.timeout(END_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise
        finally:
            self.process = None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-6000:] if self.log.exists() else ""


async def _answers(http: aiohttp.ClientSession, address: str) -> bool:
    if not address:
        return True
    try:
        async with http.get(address) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False
