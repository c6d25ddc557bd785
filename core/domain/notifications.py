"""Notifications: what a person is told outside of the page, over which channels, and how each attempt went.

A `Notification` is one fact, with an id that follows from the fact, so that `Store.create` lets one of it come into
being however often the fact is recorded. A `Delivery` is one fact on one channel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from zoneinfo import ZoneInfo

import msgspec

from core.domain.records import Record, UserId

CHANNELS = 10  # of one user
ATTEMPTS = 6
BACK_OFF = (
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=4),
)
LIFETIME = timedelta(hours=24)  # of a delivery that cannot be made; older news are no news
VISIBLE_AGAIN = timedelta(seconds=30)  # until somebody who has a page open is looked for again
BURST, WINDOW = 3, timedelta(minutes=10)  # messages of one channel; what comes beyond goes as one digest
TESTS, TESTS_WINDOW = 5, timedelta(minutes=10)  # of one channel


class NotificationKind(StrEnum):
    """The kinds of facts that people are notified of."""

    NEEDS_YOU = "needs_you"
    FAILED = "failed"
    RECOVERED = "recovered"  # the first success after a failure
    PAUSED = "paused"  # a schedule paused itself
    SILENT = "silent"  # a slot is due, and nobody has written its row
    BUDGET_80 = "budget_80"
    BUDGET_100 = "budget_100"
    TEST = "test"


CHOICES = tuple(kind for kind in NotificationKind if kind is not NotificationKind.TEST)


class Notification(Record, frozen=True, kw_only=True):
    """One fact. `line` is one line about it in the agent's or the model's words, `request` the open request's id."""

    kind: NotificationKind
    agent: str = ""
    session: str = ""
    run: str = ""
    trigger: str = ""
    request: str = ""
    reason: str = ""
    line: str = ""
    due_at: datetime | None = None
    at: datetime


class OutboxNote(Record, frozen=True, kw_only=True):
    """The platform's own note that a notification is not finished: what any web process works off.

    It is written before the notification and deleted after the last of its deliveries has ended.
    """

    user: UserId
    notification: str
    created_at: datetime
    due_at: datetime


class ChannelKind(StrEnum):
    """The ways in which a channel delivers."""

    EMAIL = "email"
    WEBHOOK = "webhook"  # any server: JSON, signed with a timestamp
    SLACK = "slack"  # an incoming webhook of Slack, or of something that understands the same
    PUSH = "push"  # Web Push to one browser


class Channel(Record, frozen=True, kw_only=True):
    """One way to reach a user. `address` may be shown: an e-mail address, or the host of a URL that is in the vault.

    `kinds` are notified, agents in `muted` are not. `sent_at` are the newest messages, for the bound of a flood.
    `broken` is a code: why the platform has switched the channel off.
    """

    kind: ChannelKind
    name: str = ""
    address: str = ""
    enabled: bool = True
    kinds: tuple[NotificationKind, ...] = CHOICES
    muted: tuple[str, ...] = ()
    sent_at: tuple[datetime, ...] = ()
    tested_at: tuple[datetime, ...] = ()
    broken: str = ""
    created_at: datetime

    def wants(self, one: Notification) -> bool:
        """Return whether the user chose to get this here. A channel gets no news older than itself."""
        return (
            self.enabled
            and one.kind in self.kinds
            and (not one.agent or one.agent not in self.muted)
            and one.at >= self.created_at
        )


class QuietHours(Record, frozen=True, kw_only=True):
    """The hours in which a user is not disturbed, in their time zone; `start` and `end` are HH:MM, or empty."""

    id: str = "quiet_hours"
    timezone: str = "UTC"
    start: str = ""
    end: str = ""

    def until(self, moment: datetime) -> datetime | None:
        """Return when the quiet hours that hold at this moment end; None if none hold."""
        if not self.start or self.start == self.end:
            return None
        local = moment.astimezone(ZoneInfo(self.timezone))
        start, end, clock = time.fromisoformat(self.start), time.fromisoformat(self.end), local.time()
        over_midnight = start > end
        quiet = clock >= start or clock < end if over_midnight else start <= clock < end
        if not quiet:
            return None
        day = local.date() + timedelta(days=1 if over_midnight and clock >= start else 0)
        return datetime.combine(day, end, local.tzinfo).astimezone(moment.tzinfo)


class Reader(Record, frozen=True, kw_only=True):
    """The language and time zone of the page in which a user last saved a channel. One row a user."""

    id: str = "reader"
    locale: str = ""
    timezone: str = ""


class DeliveryState(StrEnum):
    """The states of a delivery. The last four are final."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"  # not needed any more; `why` says why
    UNKNOWN = "unknown"  # it was cut off while it was sent, and to send again could tell the same twice


FINAL = frozenset({DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DROPPED, DeliveryState.UNKNOWN})


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt and what the other side answered, in its own words as far as it had any."""

    at: datetime
    ok: bool
    answer: str


class Delivery(Record, frozen=True, kw_only=True):
    """One notification on one channel. `batch` names the message that it was sent in, so that a retry is the same."""

    notification: str
    channel: str
    channel_kind: ChannelKind
    address: str = ""
    agent: str = ""
    kind: NotificationKind
    state: DeliveryState = DeliveryState.WAITING
    why: str = ""
    batch: str = ""
    attempts: tuple[Attempt, ...] = ()
    next_at: datetime
    created_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next step of a delivery: it is sent, it waits until `until`, or it is dropped for the code `why`."""

    send: bool = False
    until: datetime | None = None
    why: str = ""


def next_step(
    one: Notification,
    *,
    now: datetime,
    handled: bool,
    page_visible: bool,
    quiet_until: datetime | None,
) -> Step:
    """Return the next step of a delivery of this notification.

    Nothing is sent while the person looks at a page: an open request waits until they look away and is then sent if it
    is still open, everything else they have seen by then.
    """
    if handled:
        return Step(why="handled")
    if page_visible:
        urgent = one.kind is NotificationKind.NEEDS_YOU
        return Step(until=now + VISIBLE_AGAIN) if urgent else Step(why="page_open")
    if quiet_until:
        return Step(until=quiet_until)
    if now - one.at > LIFETIME:
        return Step(why="too_old")
    return Step(send=True)


def flood_until(channel: Channel, now: datetime) -> datetime | None:
    """Return until when a channel that has sent BURST messages within WINDOW has to wait; None if it need not."""
    recent = sorted(at for at in channel.sent_at if now - at < WINDOW)
    return recent[-BURST] + WINDOW if len(recent) >= BURST else None


def note_id(user: UserId, notification: str) -> str:
    """The id of the platform's note about a user's notification."""
    return sha256(f"{user}\0{notification}".encode()).hexdigest()[:24]


def delivery_id(notification: str, channel: str) -> str:
    """The id of the one delivery of a notification on a channel."""
    return f"{notification}~{channel}"


def batch_id(notifications: Sequence[str], channel: str) -> str:
    """The identity of one message: the other side can tell by it that it has the message already."""
    return sha256("\0".join([channel, *sorted(notifications)]).encode()).hexdigest()[:32]


def after_failure(attempts: int, *, now: datetime) -> datetime | None:
    """Return when the next attempt is due after so many; None if there is none."""
    if attempts >= ATTEMPTS:
        return None
    return now + BACK_OFF[min(attempts, len(BACK_OFF)) - 1]


class VisiblePage(Record, frozen=True, kw_only=True):
    """A user looked at a page at `seen_at`. It tells the other web processes; one row a user."""

    id: str = "visible_page"
    seen_at: datetime


class ChannelSecret(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a channel that lies in the vault: URL, key that signs, keys of a browser's subscription."""

    url: str = ""
    signing_key: str = ""
    p256dh: str = ""
    auth: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageItem:
    """One notification in the words of its reader. `url` leads straight to it."""

    notification: Notification
    title: str
    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: one notification, or a digest of several. The same `id` is the same message."""

    id: str
    title: str
    text: str
    url: str
    items: tuple[MessageItem, ...]
    settings_url: str
    locale: str
    at: datetime
