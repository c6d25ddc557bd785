"""The settings that a person makes for their notifications: channels, which of them tell what, quiet hours, a test."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import available_timezones

from core.config.settings import Settings
from core.config.values import EMAIL
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, NotFound, TooMuch
from core.domain.notifications import (
    CHANNELS,
    CHOICES,
    TESTS,
    TESTS_WINDOW,
    Attempt,
    Channel,
    ChannelKind,
    ChannelSecret,
    Delivery,
    DeliveryState,
    Notification,
    NotificationKind,
    QuietHours,
    Reader,
    batch_id,
    delivery_id,
)
from core.domain.records import User, UserId, now
from core.services.audit import Audit
from core.services.notify import web_push
from core.services.notify.guarded_post import GuardedPost, host_of
from core.services.notify.secrets import delete_secret, keep_secret, secret_of
from core.services.notify.sender import Composer, reader_of
from core.services.notify.transport import NotDelivered, Transport
from core.services.notify.web_push import PushKey
from core.services.notify.webhook import new_signing_key
from core.store import Store
from core.vault import Vault

ID = re.compile(r"[a-z0-9]{1,32}")
NAME_CHARS = 60
EMAIL_CHARS = 254
MUTED = 200
SHOWN = 100  # notifications of one page
MANY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The wish for a channel. Of `url`, `p256dh` and `auth` None keeps what is there."""

    kind: ChannelKind
    name: str = ""
    enabled: bool = True
    kinds: tuple[NotificationKind, ...] = CHOICES
    muted: tuple[str, ...] = ()
    email: str = ""
    url: str | None = None
    p256dh: str | None = None
    auth: str | None = None
    new_signing_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A channel that was saved. `signing_key` is set if a new one was made: it is shown this once."""

    channel: Channel
    signing_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A notification and how it went on every channel."""

    notification: Notification
    deliveries: tuple[Delivery, ...]


class Channels:
    """Use cases over Store and vault; the user is checked by being the owner in every call."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        *,
        settings: Settings,
        audit: Audit,
        transports: Mapping[ChannelKind, Transport],
        composer: Composer,
        post: GuardedPost,
        push_key: PushKey,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._store, self._vault, self._audit, self._clock = store, vault, audit, clock
        self._transports, self._composer, self._post, self._push_key = transports, composer, post, push_key
        self._verified_only = settings.production

    @property
    def kinds(self) -> tuple[ChannelKind, ...]:
        """The kinds that this platform can send over."""
        return tuple(kind for kind in ChannelKind if kind in self._transports)

    async def push_key(self) -> str:
        """The key that a browser subscribes with. Raises: VaultUnavailable, Unavailable."""
        return await self._push_key.public()

    async def all(self, *, user: UserId) -> list[Channel]:
        """All channels of a user, oldest first."""
        found = await self._store.find(Channel, owner=user, limit=MANY)
        return sorted(found, key=lambda one: one.created_at)

    async def get(self, channel: str, *, user: UserId) -> Channel:
        """Raises: NotFound."""
        return await self._store.get(Channel, channel, owner=user)

    async def save(self, channel: str, wanted: Wanted, *, user: User) -> Saved:
        """Make the channel, or change it; its kind stays. Raises: BadInput, Conflict, TooMuch, VaultUnavailable."""
        owner = user.user_id
        old = await self._found(channel, owner)
        if old is None and len(await self._store.find(Channel, owner=owner, limit=MANY)) >= CHANNELS:
            raise TooMuch(f"a user has at most {CHANNELS} channels", code="too_many_channels")
        if not ID.fullmatch(channel) or wanted.kind not in self._transports or len(wanted.muted) > MUTED:
            raise BadInput("this channel cannot be made here", code="bad_channel")
        if old and old.kind is not wanted.kind:
            raise Conflict("a channel keeps its kind", code="bad_channel")
        address = self._email(wanted, user) if wanted.kind is ChannelKind.EMAIL else ""
        secret = ChannelSecret()
        if wanted.kind is not ChannelKind.EMAIL:
            secret = await self._secret(channel, old, wanted, owner)
            address = host_of(secret.url)
        made = self._clock()
        kept = Channel(
            id=channel, kind=wanted.kind, name=" ".join(wanted.name.split())[:NAME_CHARS], address=address,
            enabled=wanted.enabled, kinds=wanted.kinds, muted=wanted.muted,
            sent_at=old.sent_at if old else (), tested_at=old.tested_at if old else (),
            broken="" if wanted.enabled else (old.broken if old else ""), created_at=old.created_at if old else made,
        )  # fmt: skip
        await self._store.put(kept, owner=owner)
        await self._audit.record(AuditAction.CHANNEL_CHANGED, who=user.id, about=channel, detail=wanted.kind)
        fresh = wanted.kind is ChannelKind.WEBHOOK and (old is None or wanted.new_signing_key)
        return Saved(channel=kept, signing_key=secret.signing_key if fresh else "")

    async def delete(self, channel: str, *, user: UserId) -> None:
        """Idempotent. Raises: VaultUnavailable."""
        await delete_secret(self._vault, channel, owner=user)
        await self._store.delete(Channel, channel, owner=user)
        await self._audit.record(AuditAction.CHANNEL_DELETED, who=user, about=channel)

    async def remember_reader(self, *, user: UserId, locale: str, timezone: str) -> None:
        """Write to this user in this language and time zone from now on."""
        await self._store.put(Reader(locale=locale, timezone=timezone), owner=user)

    async def test(self, channel: str, *, user: User) -> Delivery:
        """Send one message at once and return how it went. Raises: NotFound. TooMuch: too many tests."""
        owner, at = user.user_id, self._clock()
        found = await self.get(channel, user=owner)
        recent = tuple(one for one in found.tested_at if at - one < TESTS_WINDOW)
        if len(recent) >= TESTS:
            raise TooMuch("a channel is tested a few times in ten minutes", code="too_many_tests")
        expect = {"tested_at": found.tested_at}
        await self._store.change(Channel, channel, owner=owner, expect=expect, tested_at=(*recent, at))
        one = Notification(id=f"test-{secrets.token_hex(8)}", kind=NotificationKind.TEST, at=at)
        await self._store.create(one, owner=owner)
        attempt = await self._attempt(one, found, user=user)
        state = DeliveryState.SENT if attempt.ok else DeliveryState.FAILED
        delivery = Delivery(
            id=delivery_id(one.id, channel), notification=one.id, channel=channel, channel_kind=found.kind,
            address=found.address, kind=one.kind, state=state, why="" if attempt.ok else "refused",
            attempts=(attempt,), next_at=at, created_at=at, at=at,
        )  # fmt: skip
        await self._store.create(delivery, owner=owner)
        return delivery

    async def _attempt(self, one: Notification, channel: Channel, *, user: User) -> Attempt:
        try:
            if (transport := self._transports.get(channel.kind)) is None:
                raise NotDelivered("this platform has no way to send it", permanent=True)
            reader, zone = await reader_of(self._store, user.user_id)
            message = await self._composer.message(batch_id([one.id], channel.id), [one], user=reader, zone=zone)
            secret = await secret_of(self._vault, channel, owner=user.user_id)
            return Attempt(at=one.at, ok=True, answer=await transport.send(message, channel, secret))
        except NotDelivered as error:
            return Attempt(at=one.at, ok=False, answer=str(error))

    async def quiet_hours(self, *, user: UserId) -> QuietHours:
        """The user's quiet hours and time zone; none are set until they set some."""
        try:
            return await self._store.get(QuietHours, QuietHours().id, owner=user)
        except NotFound:
            return QuietHours()

    async def set_quiet_hours(self, hours: QuietHours, *, user: UserId) -> QuietHours:
        """Raises: BadInput: no time zone, or no times of day."""
        try:
            times = [f"{time.fromisoformat(text):%H:%M}" for text in (hours.start, hours.end) if text]
        except ValueError as error:
            raise BadInput("quiet hours are times of day such as 22:00", code="bad_quiet_hours") from error
        if len(times) == 1 or hours.timezone not in available_timezones():
            raise BadInput("quiet hours have a begin, an end and a time zone", code="bad_quiet_hours")
        start, end = times or ("", "")
        kept = QuietHours(timezone=hours.timezone, start=start, end=end)
        await self._store.put(kept, owner=user)
        return kept

    async def told(self, *, user: UserId, after: str = "", limit: int = SHOWN) -> list[Told]:
        """Notifications, newest first, from the one `after` on. Raises: NotFound: there is no such one."""
        last = await self._store.get(Notification, after, owner=user) if after else None
        found = await self._store.find(Notification, owner=user, newest_by="at", after=last, limit=limit)
        return [Told(notification=one, deliveries=await self._deliveries(one.id, user)) for one in found]

    async def _deliveries(self, notification: str, user: UserId) -> tuple[Delivery, ...]:
        found = await self._store.find(Delivery, owner=user, where={"notification": notification}, limit=MANY)
        return tuple(sorted(found, key=lambda one: one.created_at))

    # --- what a channel needs -----------------------------------------------------------------------------------------

    async def _found(self, channel: str, owner: UserId) -> Channel | None:
        try:
            return await self._store.get(Channel, channel, owner=owner)
        except NotFound:
            return None

    def _email(self, wanted: Wanted, user: User) -> str:
        """Return the address of an e-mail channel. With several people on the platform it is the one they sign in
        with, or anybody could have strangers written to. Raises: BadInput.
        """
        address = wanted.email.strip() or user.email
        if self._verified_only and address.lower() != user.email.lower():
            raise BadInput("notifications go to the address that you sign in with", code="not_your_email")
        if not EMAIL.fullmatch(address) or not address.isascii() or len(address) > EMAIL_CHARS:
            raise BadInput("this is no e-mail address", code="bad_email")
        return address

    async def _secret(self, channel: str, old: Channel | None, wanted: Wanted, owner: UserId) -> ChannelSecret:
        """Return what the vault holds of the channel from now on. Raises: BadInput: its address is refused."""
        before = await secret_of(self._vault, old, owner=owner) if old else ChannelSecret()
        signing_key = before.signing_key
        if wanted.kind is ChannelKind.WEBHOOK and (wanted.new_signing_key or not signing_key):
            signing_key = new_signing_key()
        secret = ChannelSecret(
            url=_kept(wanted.url, before.url), signing_key=signing_key,
            p256dh=_kept(wanted.p256dh, before.p256dh), auth=_kept(wanted.auth, before.auth),
        )  # fmt: skip
        await self._post.check(secret.url)
        if wanted.kind is ChannelKind.PUSH:
            web_push.check_subscription(secret.url, secret.p256dh, secret.auth)
        if secret != before:
            await keep_secret(self._vault, channel, secret, owner=owner)
        return secret


def _kept(given: str | None, before: str) -> str:
    return before if given is None else given.strip()


def new_channel_id() -> str:
    """Return a random id for a new channel."""
    return secrets.token_hex(8)
