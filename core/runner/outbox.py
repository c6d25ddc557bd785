"""Sends every stored event to the gateway, in order, until it is acknowledged.

The log itself is the queue. The acknowledged number is kept beside it in a small file, from which a restarted runner
also knows which sessions have something left to send, without reading every log.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from core.domain.errors import NotFound, Unavailable
from core.domain.events import TurnCost
from core.protocol.gateway_api import Gap, LogBehind
from core.runner.gateway_client import GatewayClient
from core.runner.journal import Journal
from core.runner.log import LogForged
from core.runner.log_repair import rejoin
from core.runner.seal import Seal

log = logging.getLogger("oma.ingest")

BATCH_EVENTS = 500
CURSOR = ".json"
GATHER_S = 0.15  # events come in bursts and are sent together
REJOINS = 5  # of one log by one runner: two boxes with the same home would repeat it without end
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)


class OutboxCursor(msgspec.Struct, kw_only=True):
    """The state of an outbox. The gateway has all events up to `acked`. `size_bytes` and `at_rest` describe the log
    when this was written.
    """

    acked: int = 0
    size_bytes: int = -1
    at_rest: bool = False
    dropped: bool = False


def read_cursor(path: Path, seal: Seal) -> OutboxCursor:
    """Return the stored cursor, or a new one: then everything is sent again, which does no harm."""
    try:
        return msgspec.json.decode(seal.opened(path.read_bytes()) or b"", type=OutboxCursor)
    except (OSError, msgspec.DecodeError):
        return OutboxCursor()


class Outbox:
    """The outbox of one session. Call `wake` after each append; `run` is its task.

    `rejoined` is called after the log took in events that only the Store had; `kept` when the Store has more events,
    `forged` after the log was put together again because its file was not what was written. `compared` is set when the
    Store was asked, after the opening, whether it has other events than the log.
    """

    def __init__(
        self,
        journal: Journal,
        gateway: GatewayClient,
        *,
        rejoined: Callable[[], None],
        kept: Callable[[], None],
        forged: Callable[[], None],
    ) -> None:
        self._session, self._journal, self._log, self._gateway = journal.session, journal, journal.log, gateway
        self._rejoined, self._rejoins, self._kept = rejoined, 0, kept
        self._path = self._log.path.with_suffix(CURSOR)
        self._cursor = read_cursor(self._path, self._log.seal(CURSOR))
        self._forged, self._forged_at = forged, 0
        self.compared = asyncio.Event()
        if not self._log.last_seq:  # a log that says nothing makes nothing new
            self.compared.set()
        journal.on_forged = self._on_forged
        self._cursor.acked = min(self._cursor.acked, self._log.last_seq)
        self._awake = asyncio.Event()
        self._flushed = asyncio.Event()
        self.wake()

    def wake(self) -> None:
        """Check for events to send."""
        if self.behind:
            self._flushed.clear()
        self._awake.set()

    @property
    def stored_seq(self) -> int:
        """The number up to which the gateway has acknowledged events, so that the Store has them."""
        return self._cursor.acked

    @property
    def behind(self) -> bool:
        return not self._cursor.dropped and self._cursor.acked < self._log.last_seq

    async def flushed(self) -> None:
        """Wait until all events that are stored now are acknowledged."""
        self.wake()
        while self.behind:
            await self._flushed.wait()

    async def run(self) -> None:
        failures, asked = 0, self._cursor.dropped  # ask once whether the Store has more events, also without new ones
        while True:
            if asked:
                self.compared.set()
            await self._awake.wait()
            self._awake.clear()
            while self.behind or self._forged_at or not asked:
                wait_s = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else GATHER_S
                await asyncio.sleep(wait_s if asked or failures else 0)
                before, sent = self._cursor.acked, await self._send()
                if self._cursor.acked > before:
                    self._kept()
                failures, asked = 0 if sent else failures + 1, asked or sent
                if asked:
                    self.compared.set()
            self._flushed.set()
            self._remember()

    async def _send(self) -> bool:
        try:
            if self._forged_at:
                await self._mend(self._forged_at - 1)
            lines = self._log.read(self._cursor.acked, BATCH_EVENTS)
            await asyncio.to_thread(self._log.sync)  # first: the Store must never have more than our disk
            await self._offer(lines)
        except Gap as gap:
            if gap.acked == self._cursor.acked:
                return False  # it asks for what we have just sent: wait instead of repeating
            self._cursor.acked = min(gap.acked, self._cursor.acked)
        except LogForged as error:
            self._forged_at = error.seq
            return False
        except NotFound:
            log.info("session %s is gone; its events are dropped", self._session)
            self._cursor.dropped = True
        except (Unavailable, OSError) as error:
            log.debug("ingest waits: %s", error)
            return False
        return True

    async def _offer(self, lines: list[bytes]) -> None:
        sent = self._cursor.acked + len(lines)
        try:
            kept = await self._gateway.ingest(self._session, lines)
        except LogBehind as error:
            await self._rejoin(min(error.acked, self._log.last_seq))
            return
        for turn in kept.turns:
            self._journal.tell_cost(TurnCost(turn=turn.seq, cost_usd=turn.cost_usd, unpriced_calls=turn.unpriced_calls))
        self._cursor.acked = sent  # if it has more, the next batch shows whether those are ours
        if kept.acked > sent == self._log.last_seq:
            await self._rejoin(sent)

    def _on_forged(self, seq: int) -> None:
        self._forged_at = min(seq, self._forged_at or seq)
        self._awake.set()

    async def _mend(self, common: int) -> None:
        """Put the log together again from what of it is as it was written, and from what the Store has."""
        await self._rejoin(min(self._cursor.acked, common))
        self._forged_at = 0
        self._forged()

    async def _rejoin(self, common: int) -> None:
        if self._rejoins < REJOINS:
            self._cursor.acked = await rejoin(self._journal, self._gateway, common)
            self._rejoins += 1
            self._rejoined()
        else:
            log.warning("session %s: its events cannot be kept outside any more", self._session)
            self._cursor.dropped = True
            self._journal.tell("log_behind")

    def _remember(self) -> None:
        self._cursor.size_bytes = self._log.size_bytes
        self._cursor.at_rest = self._journal.projection.at_rest
        new = self._path.with_suffix(".new")
        try:
            new.write_bytes(self._log.seal(CURSOR).line(msgspec.json.encode(self._cursor)))
            os.replace(new, self._path)
        except OSError as error:
            log.warning("the cursor of %s was not written: %s", self._session, error)
