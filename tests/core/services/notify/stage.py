"""A web process's part of notifications over a real store and vault, with a clock that the test moves."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.config.settings import Settings
from core.domain.errors import NotFound
from core.domain.notifications import (
    Channel,
    ChannelKind,
    ChannelSecret,
    Delivery,
    Message,
    MessageItem,
    Notification,
)
from core.domain.records import SYSTEM, User, UserId
from core.domain.runs import Alert, AlertKind
from core.runs.transitions import alert
from core.services.audit import Audit
from core.services.notify.channels import Channels, Wanted
from core.services.notify.guarded_post import GuardedPost
from core.services.notify.presence import Presence
from core.services.notify.sender import Sender
from core.services.notify.transport import NotDelivered
from core.services.notify.web_push import PushKey
from core.store import Store
from core.vault.local import LocalVault

ALICE = UserId("local-owner")
DAY = datetime(2026, 11, 30, 9, tzinfo=UTC)


class Plain:
    """A Composer that says what it was given."""

    async def message(self, id: str, about: Sequence[Notification], *, user: User, zone: str) -> Message:
        items = tuple(MessageItem(notification=one, title=one.id, text=one.line, url="https://x/") for one in about)
        return Message(
            id=id, title=about[0].id, text="", url="https://x/", items=items, settings_url="https://x/s",
            locale="en", at=about[0].at,
        )  # fmt: skip


class Recorder:
    """A Transport that keeps what it is given, or refuses as it is told."""

    def __init__(self, *, may_repeat: bool = True) -> None:
        self.may_repeat = may_repeat
        self.sent: list[Message] = []
        self.refusals: list[NotDelivered] = []
        self.dies = False
        self.held: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def send(self, message: Message, channel: Channel, secret: ChannelSecret) -> str:
        self.begun.set()
        if self.held:
            await self.held.wait()
        if self.dies:
            self.sent.append(message)
            raise RuntimeError("killed after it was sent")
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append(message)
        return "250 OK"

    @property
    def facts(self) -> list[list[str]]:
        """The notifications of each message."""
        return [[one.notification.id for one in message.items] for message in self.sent]


class Stage:
    """One person with channels; `web()` is another web process over the same store."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.vault, self.at = store, LocalVault(folder), DAY
        self.email, self.slack = Recorder(), Recorder(may_repeat=False)
        self.settings = Settings(data_dir=folder)
        self.presence = Presence(store, clock=self.now)
        self.web = self.another_web()
        post = GuardedPost()
        self.channels = Channels(
            store, self.vault, settings=self.settings, audit=Audit(store), transports=self.transports,
            composer=Plain(), post=post, push_key=PushKey(self.settings, store, self.vault), clock=self.now,
        )  # fmt: skip

    @property
    def transports(self) -> dict[ChannelKind, Recorder]:
        return {ChannelKind.EMAIL: self.email, ChannelKind.SLACK: self.slack}

    def another_web(self) -> Sender:
        return Sender(
            self.store, self.vault, transports=self.transports, composer=Plain(), presence=self.presence, clock=self.now
        )

    def now(self) -> datetime:
        return self.at

    async def begin(self) -> "Stage":
        user = User(id=ALICE, issuer="local", subject="owner", created_at=DAY, seen_at=DAY)
        await self.store.put(user, owner=SYSTEM)
        return self

    @property
    def alice(self) -> User:
        return User(id=ALICE, issuer="local", subject="owner", created_at=DAY, seen_at=DAY)

    async def mailbox(self, id: str = "mail", **more: object) -> Channel:
        wanted = Wanted(kind=ChannelKind.EMAIL, email="alice@example.com", **more)  # type: ignore[arg-type]
        return (await self.channels.save(id, wanted, user=self.alice)).channel

    async def slack_channel(self) -> Channel:
        """A channel of Slack as it is in the store; its address is judged elsewhere."""
        channel = Channel(id="slack", kind=ChannelKind.SLACK, address="hooks.example.com", created_at=self.at)
        await self.store.put(channel, owner=ALICE)
        return channel

    async def fail(self, *runs: str, agent: str = "a1") -> None:
        """Runs that failed, as the gateway tells of them."""
        for run in runs:
            one = Alert(id=f"failed-{run}", kind=AlertKind.FAILED, agent=agent, run=run, reason="cli_died", at=self.at)
            await alert(self.store, one, owner=ALICE)

    async def later(self, **time: float) -> None:
        """Let time pass, and this web look once."""
        self.at += timedelta(**time)
        await self.web.poll_once()

    async def delivery(self, notification: str, channel: str = "mail") -> Delivery:
        return await self.store.get(Delivery, f"{notification}~{channel}", owner=ALICE)

    async def has(self, notification: str, channel: str = "mail") -> bool:
        try:
            await self.delivery(notification, channel)
        except NotFound:
            return False
        return True
