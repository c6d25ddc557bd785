"""The gateway as a process in a session of its own, so that it outlives the web as the runners do."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from core.domain.errors import Unavailable

READY_S = 15.0
POLL_S = 0.05
LOG_BYTES = 5_000_000  # kept of the last one, so that a crash can still be read


class GatewayProcess:
    """Called by LocalGateway when no gateway answers: starts one and waits until it listens."""

    def __init__(self, *, program: Path, socket: Path, log: Path, environ: dict[str, str]) -> None:
        self._program, self._socket, self._log, self._environ = program, socket, log, environ
        self._process: subprocess.Popen[bytes] | None = None

    async def __call__(self) -> None:
        """Start the gateway. Raises: Unavailable: it ended or did not listen in time; its log says why."""
        self.reap()
        with self._open_log() as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # a fork of some ms, and the child must not be ours
                [sys.executable, str(self._program), "gateway"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(READY_S):
                while not await self._answers():
                    if self._process.poll() not in (None, 0):
                        raise Unavailable(f"the gateway ended; see {self._log}", code="gateway_unavailable")
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise Unavailable(f"the gateway does not listen; see {self._log}", code="gateway_unavailable") from error

    def _open_log(self) -> IO[bytes]:
        """Open the log with mode 0600, also where an earlier version created it with more rights."""
        self._log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log.parent.chmod(0o700)
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.rename(self._log.with_suffix(".1"))
        log = os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
        os.fchmod(log.fileno(), 0o600)
        return log

    def end(self, *, wait_s: float) -> None:
        """End the gateway that was started here, whether it listens already or not."""
        if self._process:
            self._process.terminate()
            self.reap(wait_s=wait_s)

    def reap(self, *, wait_s: float = 0.0) -> None:
        """Collect the exit status of a gateway that has ended, so that it is no zombie."""
        if self._process:
            try:
                self._process.wait(wait_s)
            except subprocess.TimeoutExpired:
                return
            self._process = None

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            return False
        writer.close()
        return True
