"""Serves what the caller was notified of, their channels, and their quiet hours."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Query

from core.domain.notifications import (
    CHOICES,
    Attempt,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    NotificationKind,
    QuietHours,
)
from core.services.notify.channels import Told, Wanted
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller

MOST = 100
AFTER = "^([a-z][A-Za-z0-9_.:-]*)?$"


class QuietHoursSet(msgspec.Struct, frozen=True, kw_only=True):
    """Times of day (HH:MM) in a time zone, between which nothing is sent; both empty: never."""

    timezone: str = "UTC"
    start: str = ""
    end: str = ""


class ChannelSet(msgspec.Struct, frozen=True, kw_only=True):
    """A channel. An `email` channel has `email`; the others have `url`; `push` also the keys of the subscription.

    Of a channel that is there, `url`, `p256dh` and `auth` are left out (or empty) to keep them: they are never shown.
    """

    kind: ChannelKind
    name: str = ""
    enabled: bool = True
    kinds: tuple[NotificationKind, ...] = CHOICES
    muted: tuple[str, ...] = ()
    email: str = ""
    url: str = ""
    p256dh: str = ""
    auth: str = ""
    new_signing_key: bool = False


class ChannelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as it may be shown. `signing_key` is there only in the answer that made it."""

    id: str
    kind: ChannelKind
    name: str
    address: str
    enabled: bool
    kinds: list[NotificationKind]
    muted: list[str]
    broken: str
    created_at: datetime
    signing_key: str = ""


class DeliveryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One notification on one channel, with every attempt. `why` says why it was not sent."""

    channel: str
    channel_kind: ChannelKind
    address: str
    state: DeliveryState
    why: str
    next_at: datetime
    attempts: list[Attempt]


class NotificationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, and how it went on every channel."""

    id: str
    kind: NotificationKind
    agent: str
    session: str
    run: str
    reason: str
    line: str
    at: datetime
    deliveries: list[DeliveryAnswer]


class NotificationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Notifications, newest first, with the caller's channels and quiet hours; `next` goes on."""

    notifications: list[NotificationAnswer]
    next: str
    channels: list[ChannelAnswer]
    quiet_hours: QuietHoursSet


class ChannelDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The channel that is not there any more."""

    id: str


def router(services: Services) -> ApiRouter:
    """`/notifications` and what is below it."""
    api = ApiRouter("notifications")

    @api.endpoint("GET", "/notifications", problems=(404,))
    async def list_notifications(
        user: Caller,
        after: Annotated[str, Query(max_length=200, pattern=AFTER, description="`next` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
    ) -> NotificationPage:
        """List what the caller was notified of, and their channels."""
        told = await services.channels.told(user=user.user_id, after=after, limit=limit)
        hours = await services.channels.quiet_hours(user=user.user_id)
        return NotificationPage(
            notifications=[_told(one) for one in told],
            next=told[-1].notification.id if len(told) == limit else "",
            channels=[_channel(one) for one in await services.channels.all(user=user.user_id)],
            quiet_hours=QuietHoursSet(timezone=hours.timezone, start=hours.start, end=hours.end),
        )

    @api.endpoint("PUT", "/notifications/quiet-hours")
    async def put_quiet_hours(body: QuietHoursSet, user: Caller) -> QuietHoursSet:
        """Set the caller's quiet hours and time zone."""
        hours = QuietHours(timezone=body.timezone, start=body.start, end=body.end)
        kept = await services.channels.set_quiet_hours(hours, user=user.user_id)
        return QuietHoursSet(timezone=kept.timezone, start=kept.start, end=kept.end)

    _channels(api, services)
    return api


def _channels(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/notifications/channels/{channel}", problems=(404,))
    async def get_channel(channel: str, user: Caller) -> ChannelAnswer:
        """Read a channel; its URL and keys are never shown."""
        return _channel(await services.channels.get(channel, user=user.user_id))

    @api.endpoint("PUT", "/notifications/channels/{channel}", problems=(409,))
    async def put_channel(channel: str, body: ChannelSet, user: Caller) -> ChannelAnswer:
        """Make a channel with this id (1 to 32 letters and digits), or change it."""
        fields = {name: getattr(body, name) for name in body.__struct_fields__}
        fields |= {name: fields[name] or None for name in ("url", "p256dh", "auth")}
        saved = await services.channels.save(channel, Wanted(**fields), user=user)
        return _channel(saved.channel, signing_key=saved.signing_key)

    @api.endpoint("DELETE", "/notifications/channels/{channel}")
    async def delete_channel(channel: str, user: Caller) -> ChannelDeleted:
        """Delete a channel with what the vault holds of it."""
        await services.channels.delete(channel, user=user.user_id)
        return ChannelDeleted(id=channel)

    @api.endpoint("POST", "/notifications/channels/{channel}/test", problems=(404, 409))
    async def test_channel(channel: str, user: Caller) -> DeliveryAnswer:
        """Send a message over the channel at once, and say what the other side answered."""
        return _delivery(await services.channels.test(channel, user=user))


def _channel(one: Channel, *, signing_key: str = "") -> ChannelAnswer:
    same = ("id", "kind", "name", "address", "enabled", "broken", "created_at")
    fields = {name: getattr(one, name) for name in same}
    return ChannelAnswer(**fields, kinds=list(one.kinds), muted=list(one.muted), signing_key=signing_key)


def _told(one: Told) -> NotificationAnswer:
    same = ("id", "kind", "agent", "session", "run", "reason", "line", "at")
    fields = {name: getattr(one.notification, name) for name in same}
    return NotificationAnswer(**fields, deliveries=[_delivery(each) for each in one.deliveries])


def _delivery(one: Delivery) -> DeliveryAnswer:
    same = ("channel", "channel_kind", "address", "state", "why", "next_at")
    fields = {name: getattr(one, name) for name in same}
    return DeliveryAnswer(**fields, attempts=list(one.attempts))
