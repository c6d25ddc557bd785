"""Webhooks: a signed JSON message for any server, and the form that Slack understands.

The signature is that of the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and `webhook-signature`,
which is HMAC-SHA256 over id, timestamp and body. The receiver knows by the id what it has already, and by the timestamp
what is old.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

import msgspec

from core.domain.notifications import Channel, ChannelSecret, Message
from core.domain.records import now
from core.services.notify.guarded_post import GuardedPost

KEY_BYTES = 32
KEY_PREFIX = "whsec_"
SLACK_CHARS = 3000


def new_signing_key() -> str:
    """Return a random key as the specification writes it."""
    return KEY_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def signature(key: str, *, id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    raw = base64.b64decode(key.removeprefix(KEY_PREFIX))
    digest = hmac.new(raw, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Webhook:
    """The Transport of any server that takes a signed POST."""

    may_repeat = True

    def __init__(self, post: GuardedPost) -> None:
        self._post = post

    async def send(self, message: Message, channel: Channel, secret: ChannelSecret) -> str:
        body, at = payload(message), int(now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "oh-my-agent",
            "webhook-id": message.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(secret.signing_key, id=message.id, timestamp=at, body=body),
        }
        return await self._post.send(secret.url, body, headers)


class _Item(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    title: str
    text: str
    url: str
    agent: str
    run: str
    at: datetime


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    at: datetime
    title: str
    text: str
    url: str
    items: list[_Item]


def payload(message: Message) -> bytes:
    """Return the JSON that a server is sent."""
    items = [
        _Item(
            kind=one.notification.kind, title=one.title, text=one.text, url=one.url, agent=one.notification.agent,
            run=one.notification.run, at=one.notification.at,
        )
        for one in message.items
    ]  # fmt: skip
    said = _Payload(id=message.id, at=message.at, title=message.title, text=message.text, url=message.url, items=items)
    return msgspec.json.encode(said)


class Slack:
    """The Transport of incoming webhooks of Slack and of what understands the same. It cannot tell a repetition."""

    may_repeat = False

    def __init__(self, post: GuardedPost) -> None:
        self._post = post

    async def send(self, message: Message, channel: Channel, secret: ChannelSecret) -> str:
        body = msgspec.json.encode({"text": slack_text(message)})
        return await self._post.send(secret.url, body, {"content-type": "application/json"})


def slack_text(message: Message) -> str:
    """Return the message in Slack's own markup; what people and models wrote cannot become markup of it."""
    lines = [f"*{_escaped(message.title)}*"]
    for one in message.items:
        text = f" {_escaped(one.text)}" if one.text else ""
        lines.append(f"<{one.url}|{_escaped(one.title)}>{text}")
    return "\n".join(lines)[:SLACK_CHARS]


def _escaped(text: str) -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(c for c in plain if c not in "*_~`|")
