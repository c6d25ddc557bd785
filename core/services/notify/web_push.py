"""Web Push: messages to one browser, encrypted for it (RFC 8291) and signed as ours (VAPID, RFC 8292).

The platform's key is `OMA_VAPID_KEY`; where that is not set, the first web that needs one makes it and keeps it in the
vault, so all web processes have the same. With another key, browsers have to subscribe anew.
"""

import asyncio
import base64
import secrets
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pywebpush import WebPusher, WebPushException

from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured, Unavailable
from core.domain.notifications import Channel, ChannelSecret, Message
from core.domain.records import SYSTEM, now
from core.services.notify.guarded_post import GuardedPost
from core.store import Store
from core.vault import Vault

NAME = "VAPID_KEY"
CLAIM, LEASE_S, PATIENCE_S, PAUSE_S = "notify/vapid", 10.0, 15.0, 0.1
VALID_S = 12 * 3600
KEEP_S = 24 * 3600  # how long a push service keeps a message for a browser that is off
TEXT_CHARS = 500  # a push message has some 4 KB
NOBODY = "mailto:owner@localhost"


class PushKey:
    """The platform's key, read from the settings or the vault when it is first needed."""

    def __init__(self, settings: Settings, store: Store, vault: Vault) -> None:
        self._given, self._store, self._vault = str(settings.vapid_key), store, vault
        self._contact = contact(settings)
        self._key: Vapid02 | None = None

    async def public(self) -> str:
        """Return the public key as browsers take it: base64url of the point. Raises: VaultUnavailable, Unavailable."""
        key = await self._loaded()
        point = key.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    async def authorization(self, endpoint: str) -> dict[str, str]:
        """Return the header that proves to the push service who we are."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(now().timestamp()) + VALID_S,
            "sub": self._contact,
        }
        return dict((await self._loaded()).sign(claims))

    async def _loaded(self) -> Vapid02:
        if self._key is None:
            self._key = key_of(self._given or await self._kept())
        return self._key

    async def _kept(self) -> str:
        """Return the key in the vault; one process makes it if there is none."""
        if found := await self._vault.get([NAME], owner=SYSTEM):
            return str(found[NAME])
        holder = secrets.token_hex(8)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._store.claim(CLAIM, holder=holder, lease_s=LEASE_S):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(PAUSE_S)
        except TimeoutError as error:
            raise Unavailable("another process makes the key of Web Push") from error
        try:
            if not (found := await self._vault.get([NAME], owner=SYSTEM)):
                await self._vault.put(NAME, new_key(), owner=SYSTEM)
                found = await self._vault.get([NAME], owner=SYSTEM)
            return str(found[NAME])
        finally:
            await self._store.release(CLAIM, holder=holder)


def new_key() -> str:
    """Return a new private key in the form that OMA_VAPID_KEY has."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def key_of(text: str) -> Vapid02:
    """Return the key of a setting's text. Raises: Misconfigured: it is none."""
    try:
        return Vapid02.from_string(text)
    except ValueError as error:
        raise Misconfigured("OMA_VAPID_KEY is no private key of Web Push: 32 bytes in base64url") from error


def contact(settings: Settings) -> str:
    """Return whom a push service may write to about our messages, as a URL."""
    if settings.mail_from:
        return f"mailto:{settings.mail_from.rpartition('<')[2].rstrip('>')}"
    return settings.url if settings.url.startswith("https://") else NOBODY


def check_subscription(endpoint: str, p256dh: str, auth: str) -> None:
    """Raises: BadInput (`bad_subscription`): nothing can be encrypted for it."""
    _encrypted(ChannelSecret(url=endpoint, p256dh=p256dh, auth=auth), b"{}")


class WebPush:
    """The Transport of Web Push. A message with the same tag replaces the one that is shown."""

    may_repeat = True

    def __init__(self, key: PushKey, post: GuardedPost) -> None:
        self._key, self._post = key, post

    async def send(self, message: Message, channel: Channel, secret: ChannelSecret) -> str:
        headers = {
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(KEEP_S),
            "topic": message.id,
            "urgency": "high",
        }
        headers |= await self._key.authorization(secret.url)
        return await self._post.send(secret.url, _encrypted(secret, shown(message)), headers)


def shown(message: Message) -> bytes:
    """Return what the service worker shows (ui/settings/push_worker.js)."""
    text = "\n".join([message.text, *(one.text or one.title for one in message.items)]).strip()
    said = {"title": message.title, "text": text[:TEXT_CHARS], "url": message.url, "tag": message.id}
    return msgspec.json.encode(said)


def _encrypted(secret: ChannelSecret, data: bytes) -> bytes:
    subscription = {"endpoint": secret.url, "keys": {"p256dh": secret.p256dh, "auth": secret.auth}}
    try:
        return bytes(WebPusher(subscription).encode(data, content_encoding="aes128gcm")["body"])
    except (WebPushException, ValueError, IndexError, TypeError) as error:
        raise BadInput("this is no browser's subscription", code="bad_subscription") from error
