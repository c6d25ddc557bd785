"""Puts the parts of notifications together: transports, the words for messages, the loop that sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from core.config.settings import Settings
from core.domain.notifications import ChannelKind
from core.services.audit import Audit
from core.services.notify.channels import Channels
from core.services.notify.email import Email, MailServer
from core.services.notify.guarded_post import GuardedPost
from core.services.notify.loop import NotificationLoop
from core.services.notify.presence import Presence
from core.services.notify.sender import Sender
from core.services.notify.transport import Transport
from core.services.notify.web_push import PushKey, WebPush
from core.services.notify.webhook import Slack, Webhook
from core.store import Store
from core.vault import Vault
from ui.notifications.messages import Messages


@asynccontextmanager
async def notifications(
    settings: Settings, *, store: Store, vault: Vault, audit: Audit
) -> AsyncIterator[dict[str, Any]]:
    """Send what is in the outbox while the context is open; the value has fields of Services."""
    post, presence = GuardedPost(), Presence(store)
    key, composer = PushKey(settings, store, vault), Messages(store, site=settings.url)
    transports: dict[ChannelKind, Transport] = {
        ChannelKind.WEBHOOK: Webhook(post),
        ChannelKind.SLACK: Slack(post),
        ChannelKind.PUSH: WebPush(key, post),
    }
    if server := MailServer.of(settings):
        transports[ChannelKind.EMAIL] = Email(server)
    channels = Channels(
        store, vault, settings=settings, audit=audit, transports=transports, composer=composer, post=post, push_key=key
    )
    sender = Sender(store, vault, transports=transports, composer=composer, presence=presence)
    async with NotificationLoop(sender):
        yield {"channels": channels, "presence": presence}
