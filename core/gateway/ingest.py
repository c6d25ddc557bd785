"""Ingest: checks and stores the events that runners send, and updates the records that follow from them.

A batch is written in four steps, each of which may be the last before a power cut:

1. the new events are appended (all or nothing; what is stored already is compared, and never changed),
2. usage counters: one atomic addition per counter row, which also moves the row's own mark of this session,
3. inbox: entries put and deleted, which is the same done twice,
4. the Session record, `last_seq` among its fields, in one change.

Steps 2 to 4 work on the stored events after the record's `last_seq`. Cut anywhere, the batch is not acknowledged, so
it comes again, nothing of it is new, and steps 2 to 4 are made good from the Store.

Where several gateways serve one box, two of them may have batches of one session at the same time: a runner that waited
too long sends it again, and by another connection. Step 1 is the Store's own to decide. Steps 2 to 4 read before they
write, so they are done under a claim of the session, after another look at its record.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import UNSET

from core.domain.errors import Conflict, NotFound, Unavailable
from core.domain.events import AnyEvent, TurnFinished, seq_of
from core.domain.records import Request, Session, UserId, now
from core.gateway.batch import ReadBatch
from core.gateway.metering.turn_costs import with_costs
from core.gateway.projections import update_records
from core.gateway.sanitize import stands_in
from core.gateway.turn_spans import export_turn_spans
from core.observability.event_metrics import EventMetrics
from core.protocol.gateway_api import BATCH_EVENTS, Acknowledged, Gap, LogBehind, TurnPrice
from core.store import Store

log = logging.getLogger("oma.gateway")

AHEAD = timedelta(minutes=5)  # a clock in a box may be off; more than this is made up
TURN_S, PAUSE_S = 5.0, 0.05  # to wait for the other gateway; a runner gives up a call after 10 s
FOLLOW_S = 15.0  # to update a batch's records; a gateway that takes longer gives up
LEASE_S = 25.0  # after this another gateway may continue


class Ingest:
    """Stores batches. The caller must hand over the batches of one box one after the other.

    `shared`: other processes do the same for the same boxes.
    """

    def __init__(self, store: Store, *, shared: bool = False) -> None:
        self._store, self._shared, self._tally = store, shared, EventMetrics()

    async def store(self, batch: ReadBatch, *, owner: UserId) -> Acknowledged:
        """Store a batch and update the records. Returns the number up to which all is stored, and the costs of its
        turns.

        Raises: NotFound: the session is not this owner's, or was deleted. Gap: earlier numbers are missing.
        LogBehind: a number is stored already, with other content; nothing was written. Unavailable: not now.
        """
        session = await self._store.get(Session, batch.session, owner=owner)
        stored = await self._last_stored(session, owner)
        said = [_dated(event, session) for event in batch.events]
        again = await self._compare(session, [event for event in said if seq_of(event) <= stored], stored, owner)
        new = [event for event in said if seq_of(event) > stored]
        if new:
            if seq_of(new[0]) != stored + 1:
                raise Gap(stored)
            session, new = await self._priced(session, new, stored, owner)
            try:
                stored = await self._store.append(session.id, new, owner=owner)
            except Conflict as error:  # a second box of this user was faster; it has another log
                log.warning("session %s: %s", session.id, error)
                raise Gap(await self._last_stored(session, owner)) from error
        await self._followed_up(session, new, stored, owner)
        return Acknowledged(acked=stored, turns=_prices([*again, *new]))

    async def _priced(
        self, session: Session, new: list[AnyEvent], stored: int, owner: UserId
    ) -> tuple[Session, list[AnyEvent]]:
        """Set the costs of turns in the new events, after all earlier turns have got their share."""
        if session.last_seq < stored and any(isinstance(event, TurnFinished) for event in new):
            session = await self._followed_up(session, [], stored, owner)
        return session, await with_costs(self._store, session, new, owner=owner)

    async def _followed_up(self, session: Session, new: Sequence[AnyEvent], stored: int, owner: UserId) -> Session:
        try:
            if not self._shared:
                return await self._catch_up(session, new, stored, owner)
            if session.last_seq < stored:
                async with self._alone_with(session.id):
                    session = await self._store.get(Session, session.id, owner=owner)
                    return await self._catch_up(session, new, stored, owner)
        except NotFound:
            await self._forget(session, owner)
            raise
        return session

    @asynccontextmanager
    async def _alone_with(self, session: str) -> AsyncIterator[None]:
        """Hold the claim to update this session's records. Raises: Unavailable: another gateway has it."""
        name, holder = f"ingest/{session}", secrets.token_hex(8)
        try:
            async with asyncio.timeout(TURN_S):
                while not await self._store.claim(name, holder=holder, lease_s=LEASE_S):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(PAUSE_S)
            async with asyncio.timeout(FOLLOW_S):
                yield
        except TimeoutError as error:
            raise Unavailable(f"session {session} is being followed up elsewhere") from error
        finally:
            await asyncio.shield(self._store.release(name, holder=holder))

    async def _compare(self, session: Session, again: Sequence[AnyEvent], stored: int, owner: UserId) -> list[AnyEvent]:
        """Return the stored events that were sent again. Raises: LogBehind: one is stored with other content."""
        if not again:
            return []
        first = seq_of(again[0])
        found = await self._store.events(session.id, owner=owner, after=first - 1, limit=len(again))
        kept = {seq_of(event): event for event in found}
        for event in again:
            if not _same(kept.get(seq_of(event)), event):
                log.warning("session %s: the log of its box lost events after %d", session.id, seq_of(event) - 1)
                raise LogBehind(seq_of(event) - 1)
        return found

    async def _catch_up(self, session: Session, new: Sequence[AnyEvent], stored: int, owner: UserId) -> Session:
        if new and session.last_seq == seq_of(new[0]) - 1:
            return await self._follow(session, new, owner)
        while session.last_seq < stored:
            missed = await self._store.events(session.id, owner=owner, after=session.last_seq, limit=BATCH_EVENTS)
            if not missed:
                break
            session = await self._follow(session, missed, owner)
        return session

    async def _follow(self, session: Session, events: Sequence[AnyEvent], owner: UserId) -> Session:
        followed = await update_records(self._store, session, events, owner=owner)
        self._tally.count(session.id, events)
        export_turn_spans(session, events)
        return followed

    async def _forget(self, session: Session, owner: UserId) -> None:
        """Delete what was written for a session that was deleted meanwhile: no owner could see it any more."""
        await self._store.delete_events(session.id, owner=owner)
        for request in await self._store.find(Request, owner=owner, where={"session": session.id}):
            await self._store.delete(Request, request.id, owner=owner)

    async def _last_stored(self, session: Session, owner: UserId) -> int:
        newest = await self._store.last_events(session.id, owner=owner, limit=1)
        return seq_of(newest[-1]) if newest else 0


def _same(kept: AnyEvent | None, said: AnyEvent) -> bool:
    """Return whether the event that was sent is the stored one.

    Equal times, to the microsecond, are enough: a gateway of another version may have stored other fields. If the time
    was missing or corrected, the content decides. A field that only one of them has is no difference.
    """
    if kept is None or stands_in(kept) or stands_in(said):
        return True
    if type(kept) is not type(said):
        return False
    return kept.at == said.at or _content(kept) == _content(said)


def _content(event: AnyEvent) -> AnyEvent:
    """Return the event without the fields that the gateway itself has set."""
    if isinstance(event, TurnFinished):
        event = msgspec.structs.replace(event, cost_usd=0.0, unpriced_calls=0)
    return msgspec.structs.replace(event, at=UNSET)


def _prices(events: Sequence[AnyEvent]) -> tuple[TurnPrice, ...]:
    return tuple(
        TurnPrice(seq=seq_of(event), cost_usd=event.cost_usd, unpriced_calls=event.unpriced_calls)
        for event in events
        if isinstance(event, TurnFinished)
    )


def _dated(event: AnyEvent, session: Session) -> AnyEvent:
    """Return the event with its time clamped between the session's creation and now."""
    present = now()
    at = present if event.at is UNSET else event.at
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    at = min(max(at, _floor(session)), present + AHEAD)
    return msgspec.structs.replace(event, at=at)


def _floor(session: Session) -> datetime:
    return session.created_at - AHEAD
