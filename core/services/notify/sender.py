"""Works off the outbox: decides for each notification and channel, sends, records every attempt with its answer.

Every web process does this for all users. One of them at a time holds a user (`Store.claim`), so a fact goes over a
channel once. A process that is killed while it sends leaves deliveries in `sending`: what the other side can tell by
its id is sent again, the rest is `unknown` and never sent again.
"""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from core.domain.errors import Conflict, NotFound, PlatformError
from core.domain.notifications import (
    BURST,
    FINAL,
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    Message,
    Notification,
    NotificationKind,
    OutboxNote,
    QuietHours,
    Reader,
    Step,
    after_failure,
    batch_id,
    delivery_id,
    flood_until,
    next_step,
)
from core.domain.records import SYSTEM, Request, User, UserId, now
from core.domain.runs import Alert
from core.services.notify.secrets import secret_of
from core.services.notify.transport import NotDelivered, Transport
from core.store import Store
from core.vault import Vault

log = logging.getLogger("oma.notify")

MANY = 500  # notes looked at in one round
USERS = 8  # at once
LEASE_S, USER_S = 120.0, 90.0  # all channels of a user send at once, each for 20 s at most
ORPHAN = timedelta(seconds=60)  # older than any process needs to write a notification
DIGEST = 20  # notifications in one message; the others follow
KEPT = timedelta(days=30)
PRUNED = 20  # old notifications deleted in one go
Pair = tuple[Notification, Delivery]


class Composer(Protocol):
    """Puts notifications into the words of their reader (ui/notifications)."""

    async def message(self, id: str, about: Sequence[Notification], *, user: User, zone: str) -> Message:
        """Return one message about all of them."""


class IsVisible(Protocol):
    """Knows whether a user looks at a page (core.services.notify.presence)."""

    async def is_visible(self, user: UserId) -> bool: ...


class Sender:
    """One per web process; between its rounds it holds nothing."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        transports: Mapping[ChannelKind, Transport],
        composer: Composer,
        presence: IsVisible,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store, self._vault, self._transports, self._composer = store, vault, transports, composer
        self._presence, self._clock = presence, clock
        self._me = secrets.token_hex(8)

    async def poll_once(self) -> bool:
        """Look once at all that is due; returns whether there was anything. Raises: StoreUnavailable."""
        moment = self._clock() + timedelta(microseconds=1)  # `below` leaves out the moment itself
        due = await self._store.find(OutboxNote, owner=SYSTEM, oldest_by="due_at", below=moment, limit=MANY)
        notes: defaultdict[UserId, list[OutboxNote]] = defaultdict(list)
        for note in due:
            notes[note.user].append(note)
        room = asyncio.Semaphore(USERS)

        async def one(user: UserId) -> None:
            async with room:
                await self._work_for(user, notes[user])

        async with asyncio.TaskGroup() as group:
            for user in notes:
                group.create_task(one(user))
        return bool(due)

    async def _work_for(self, user: UserId, notes: list[OutboxNote]) -> None:
        claim = f"notify/{user}"
        try:
            if not await self._store.claim(claim, holder=self._me, lease_s=LEASE_S):
                return
            try:
                async with asyncio.timeout(USER_S):
                    await self._deliver(user, notes)
            finally:
                await self._store.release(claim, holder=self._me)
        except (PlatformError, TimeoutError) as error:
            log.warning("notifications of a user have to wait: %s", error)

    async def _deliver(self, user: UserId, notes: list[OutboxNote]) -> None:
        found = [(note, one) for note in notes if (one := await self._notification(note))]
        channels = await self._store.find(Channel, owner=user, limit=MANY)
        pairs: dict[str, list[Pair]] = {channel.id: [] for channel in channels}
        for _, one in found:
            for channel in channels:
                if channel.wants(one) and (delivery := await self._delivery(one, channel, user)).state not in FINAL:
                    pairs[channel.id].append((one, delivery))
        work = [self._serve(user, channel, pairs[channel.id]) for channel in channels if pairs[channel.id]]
        for failed in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(failed, BaseException):
                log.warning("a channel could not be served: %r", failed)
        for note, one in found:
            await self._settle(user, note, one, [channel.id for channel in channels if channel.wants(one)])
        await self._prune(user)

    async def _notification(self, note: OutboxNote) -> Notification | None:
        try:
            return await self._store.get(Notification, note.notification, owner=note.user)
        except NotFound:
            if self._clock() - note.created_at > ORPHAN:  # it was deleted with its agent, or never written
                await self._store.delete(OutboxNote, note.id, owner=SYSTEM)
            return None

    async def _delivery(self, one: Notification, channel: Channel, user: UserId) -> Delivery:
        at = self._clock()
        fresh = Delivery(
            id=delivery_id(one.id, channel.id), notification=one.id, channel=channel.id, channel_kind=channel.kind,
            address=channel.address, agent=one.agent, kind=one.kind, next_at=at, created_at=at, at=at,
        )  # fmt: skip
        try:
            await self._store.create(fresh, owner=user)
        except Conflict:
            return await self._store.get(Delivery, fresh.id, owner=user)
        return fresh

    # --- one channel -------------------------------------------------------------------------------------------------

    async def _serve(self, user: UserId, channel: Channel, pairs: list[Pair]) -> None:
        transport = self._transports.get(channel.kind)
        ready: list[Pair] = []
        for one, delivery in pairs:
            if delivery.state is DeliveryState.SENDING:
                delivery = await self._cut_off(user, delivery, transport)
            if delivery.state is not DeliveryState.WAITING or delivery.next_at > self._clock():
                continue
            if transport is None:
                await self._end(user, delivery, DeliveryState.FAILED, "not_configured")
                continue
            step = await self._step(user, one)
            if step.send:
                ready.append((one, delivery))
            elif step.until:
                await self._change(user, delivery, next_at=step.until)
            else:
                await self._end(user, delivery, DeliveryState.DROPPED, step.why)
        if transport and ready:
            await self._send_all(user, channel, transport, ready)

    async def _cut_off(self, user: UserId, delivery: Delivery, transport: Transport | None) -> Delivery:
        """Take up a delivery that a killed process was sending; as we hold the user, nobody else is sending it."""
        attempts = (*delivery.attempts, Attempt(at=self._clock(), ok=False, answer="cut off before an answer came"))
        if transport and transport.may_repeat:
            return await self._change(user, delivery, state=DeliveryState.WAITING, attempts=attempts)
        return await self._end(user, delivery, DeliveryState.UNKNOWN, "cut_off", attempts=attempts)

    async def _step(self, user: UserId, one: Notification) -> Step:
        moment = self._clock()
        try:
            quiet = await self._store.get(QuietHours, "quiet_hours", owner=user)
        except NotFound:
            quiet = QuietHours()
        return next_step(
            one,
            now=moment,
            handled=await self._is_handled(user, one),
            page_visible=await self._presence.is_visible(user),
            quiet_until=quiet.until(moment),
        )

    async def _is_handled(self, user: UserId, one: Notification) -> bool:
        """Return whether the person has dealt with it: the request is answered, the alert dismissed."""
        if one.kind is NotificationKind.RECOVERED:
            return False
        try:
            if one.request:
                await self._store.get(Request, one.request, owner=user)
            else:
                await self._store.get(Alert, one.id, owner=user)
        except NotFound:
            return True
        return False

    async def _send_all(self, user: UserId, channel: Channel, transport: Transport, ready: list[Pair]) -> None:
        """Send what is ready: messages that were begun as they were, everything else as one or as a digest."""
        begun: defaultdict[str, list[Pair]] = defaultdict(list)
        for pair in ready:
            begun[pair[1].batch].append(pair)
        fresh = begun.pop("", [])
        groups = [*begun.values(), *([fresh[:DIGEST]] if fresh else [])]
        for group in groups:
            until = flood_until(channel, self._clock())
            if until:
                for _, delivery in group:
                    await self._change(user, delivery, next_at=until)
                continue
            channel = await self._send(user, channel, transport, group)

    async def _send(self, user: UserId, channel: Channel, transport: Transport, group: list[Pair]) -> Channel:
        """Send one message and record the attempt. Returns the channel with the time of it."""
        id, at = group[0][1].batch or batch_id([one.id for one, _ in group], channel.id), self._clock()
        sending = [
            (one, await self._change(user, delivery, state=DeliveryState.SENDING, batch=id)) for one, delivery in group
        ]
        sent_at = (*channel.sent_at, at)[-BURST:]
        channel = await self._store.change(Channel, channel.id, owner=user, sent_at=sent_at)
        try:
            reader, zone = await reader_of(self._store, user)
            message = await self._composer.message(id, [one for one, _ in sending], user=reader, zone=zone)
            answer = await transport.send(message, channel, await secret_of(self._vault, channel, owner=user))
        except NotDelivered as error:
            await self._failed(user, channel, sending, error)
        except PlatformError as error:  # the vault or the Store does not answer
            await self._failed(user, channel, sending, NotDelivered(str(error)))
        else:
            for _, delivery in sending:
                attempts = (*delivery.attempts, Attempt(at=at, ok=True, answer=answer))
                await self._end(user, delivery, DeliveryState.SENT, "", attempts=attempts)
        return channel

    async def _failed(self, user: UserId, channel: Channel, sending: list[Pair], error: NotDelivered) -> None:
        at = self._clock()
        for _, delivery in sending:
            attempts = (*delivery.attempts, Attempt(at=at, ok=False, answer=str(error)))
            again = None if error.permanent else after_failure(len(attempts), now=at)
            if again:
                await self._change(user, delivery, state=DeliveryState.WAITING, next_at=again, attempts=attempts)
            else:
                why = "refused" if error.permanent else "given_up"
                await self._end(user, delivery, DeliveryState.FAILED, why, attempts=attempts)
        if error.gone:
            await self._store.change(Channel, channel.id, owner=user, enabled=False, broken="gone")

    # --- records -----------------------------------------------------------------------------------------------------

    async def _change(self, user: UserId, delivery: Delivery, **fields: object) -> Delivery:
        return await self._store.change(
            Delivery, delivery.id, owner=user, expect={"state": delivery.state}, at=self._clock(), **fields
        )

    async def _end(
        self, user: UserId, delivery: Delivery, state: DeliveryState, why: str, **fields: object
    ) -> Delivery:
        return await self._change(user, delivery, state=state, why=why, **fields)

    async def _settle(self, user: UserId, note: OutboxNote, one: Notification, wanted: Sequence[str]) -> None:
        """Delete the note of a notification whose deliveries have all ended, else move it to the next one's time."""
        deliveries = await self._store.find(Delivery, owner=user, where={"notification": one.id}, limit=MANY)
        left = []
        for delivery in deliveries:
            if delivery.state not in FINAL and delivery.channel in wanted:
                left.append(delivery.next_at)
            elif delivery.state not in FINAL:  # the channel was deleted, switched off or set otherwise meanwhile
                await self._end(user, delivery, DeliveryState.DROPPED, "not_chosen")
        if not left:
            await self._store.delete(OutboxNote, note.id, owner=SYSTEM)
        elif (due := min(left)) != note.due_at:
            await self._store.change(OutboxNote, note.id, owner=SYSTEM, due_at=due)

    async def _prune(self, user: UserId) -> None:
        """Delete a few notifications that are older than KEPT, with their deliveries."""
        before = self._clock() - KEPT
        for old in await self._store.find(Notification, owner=user, oldest_by="at", below=before, limit=PRUNED):
            await self._store.delete_where(Delivery, owner=user, where={"notification": old.id})
            await self._store.delete(Notification, old.id, owner=user)


async def reader_of(store: Store, user: UserId) -> tuple[User, str]:
    """Return the user with the language to write in, and their time zone. Raises: NotFound: the account is gone."""
    found = await store.get(User, user, owner=SYSTEM)
    try:
        reader = await store.get(Reader, Reader().id, owner=user)
    except NotFound:
        return found, ""
    return msgspec.structs.replace(found, locale=found.locale or reader.locale), reader.timezone
