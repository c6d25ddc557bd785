"""From the logs to the gateway: every stored event, in order, again and again until it is acknowledged.

The log itself is the spool. What was acknowledged stands beside it in a small file, which is also how a restarted
runner knows, without reading every log, which sessions still have something to do.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from core.errors import NotFound, Unavailable
from core.runner.gateway import Gap, Gateway, LogBehind
from core.runner.log import Log

log = logging.getLogger("oma.ingest")

BATCH_EVENTS = 500
GATHER_S = 0.15  # events come in bursts; the store is spared a call each
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class Cursor(msgspec.Struct, kw_only=True):
    """`acked`: the gateway has all up to there. `size_bytes`, `at_rest`: of the log when this was written."""

    acked: int = 0
    size_bytes: int = -1
    at_rest: bool = False
    dropped: bool = False


def read_cursor(path: Path) -> Cursor:
    """What was written last, or a new one: then everything is sent again, which does no harm."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cursor)
    except (OSError, msgspec.DecodeError):
        return Cursor()


class Outbox:
    """One session's way to the gateway. `wake` after each append; `run` is its task."""

    def __init__(self, session: str, log_file: Log, gateway: Gateway, *, at_rest: Callable[[], bool],
                 behind: Callable[[], None]) -> None:  # fmt: skip
        self._session, self._log, self._gateway = session, log_file, gateway
        self._at_rest, self._tell_behind = at_rest, behind
        self._path = log_file.path.with_suffix(".json")
        self._cursor = read_cursor(self._path)
        self._cursor.acked = min(self._cursor.acked, log_file.last_seq)
        self._awake = asyncio.Event()
        self._flushed = asyncio.Event()
        self.wake()

    def wake(self) -> None:
        """There may be something to send."""
        if self.behind:
            self._flushed.clear()
        self._awake.set()

    @property
    def behind(self) -> bool:
        return not self._cursor.dropped and self._cursor.acked < self._log.last_seq

    async def flushed(self) -> None:
        """Waits until all is acknowledged that is stored now."""
        self.wake()
        while self.behind:
            await self._flushed.wait()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self.behind:
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else GATHER_S)
                failures = 0 if await self._send() else failures + 1
            self._flushed.set()
            self._remember()

    async def _send(self) -> bool:
        lines = self._log.read(self._cursor.acked, BATCH_EVENTS)
        try:
            await asyncio.to_thread(self._log.sync)  # first: the Store must never know more than our disk
            self._cursor.acked = await self._gateway.ingest(self._session, lines)
        except Gap as gap:
            if gap.acked == self._cursor.acked:
                return False  # what it wants is what we sent: wait, instead of asking in a circle
            self._cursor.acked = min(gap.acked, self._log.last_seq)
        except NotFound:
            log.info("session %s is gone; its events are dropped", self._session)
            self._cursor.dropped = True
        except LogBehind as error:
            log.warning("session %s: its events cannot be kept outside any more: %s", self._session, error)
            self._cursor.dropped = True
            self._tell_behind()
        except (Unavailable, OSError) as error:
            log.debug("ingest waits: %s", error)
            return False
        return True

    def _remember(self) -> None:
        self._cursor.size_bytes = self._log.size_bytes
        self._cursor.at_rest = self._at_rest()
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(self._cursor))
            os.replace(new, self._path)
        except OSError as error:
            log.warning("the cursor of %s was not written: %s", self._session, error)
