"""Web Push: a message is encrypted for one browser and signed as ours, and the key is made once."""

import asyncio
import base64
import json
from pathlib import Path

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02, jwt

from core.config.settings import Secret, Settings
from core.domain.errors import BadInput, Misconfigured
from core.domain.notifications import Channel, ChannelKind, ChannelSecret
from core.services.notify.guarded_post import GuardedPost
from core.services.notify.transport import NotDelivered
from core.services.notify.web_push import PushKey, WebPush, check_subscription, contact, key_of, new_key
from core.store.sqlite import SqliteStore
from core.vault.local import LocalVault
from tests.core.gateway.egress.world import PUBLIC, World
from tests.core.services.notify.test_webhook import AT, message
from tests.webhook_receiver import receiver

HOST, ENDPOINT = "push.example.com", "https://push.example.com/send/one-browser"
CHANNEL = Channel(id="c1", kind=ChannelKind.PUSH, created_at=AT)


class Browser:
    """A browser: what it makes when it subscribes, and how it reads what comes."""

    def __init__(self) -> None:
        self.key, self.auth = ec.generate_private_key(ec.SECP256R1()), b"0123456789abcdef"

    @property
    def subscription(self) -> ChannelSecret:
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return ChannelSecret(url=ENDPOINT, p256dh=encoded(point), auth=encoded(self.auth))

    def read(self, body: bytes) -> dict[str, str]:
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return dict(json.loads(plain))


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_the_browser_reads_what_was_sent_and_the_push_service_knows_who_sent_it(tmp_path: Path) -> None:
    browser, settings = Browser(), Settings(mail_from="Ops <ops@example.com>")
    async with (
        await SqliteStore.open(tmp_path / "oma.db") as store,
        receiver(tmp_path, HOST) as service,
    ):
        service.answers = [(201, ""), (410, "unsubscribed")]
        world = World(names={HOST: [[PUBLIC]]}, ports={PUBLIC: service.port})
        post = GuardedPost(world.outside, reach=lambda _: ("127.0.0.1", service.port), tls=service.trust())
        key = PushKey(settings, store, LocalVault(tmp_path))
        push = WebPush(key, post)
        assert await push.send(message(), CHANNEL, browser.subscription) == "HTTP 201"
        came = await service.next()
        with pytest.raises(NotDelivered) as caught:
            await push.send(message(), CHANNEL, browser.subscription)
        public = await key.public()
    assert caught.value.gone
    assert browser.read(came.body) == {
        "title": "이슈 요약이: a run failed", "text": "It stopped.", "url": "https://x/runs/r1", "tag": "m1",
    }  # fmt: skip
    assert b"It stopped" not in came.body
    assert (came.headers["content-encoding"], came.headers["topic"]) == ("aes128gcm", "m1")
    assert Vapid02.verify(came.headers["authorization"])
    token = came.headers["authorization"].removeprefix("vapid t=").partition(",")[0]
    claims = jwt.decode(token, public)
    assert (claims["aud"], claims["sub"]) == ("https://push.example.com", "mailto:ops@example.com")


async def test_all_webs_have_one_key_which_is_made_once_and_kept_in_the_vault(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        keys = [PushKey(Settings(), store, LocalVault(tmp_path)) for _ in range(6)]
        first, *others = await asyncio.gather(*(key.public() for key in keys))
        assert set(others) == {first}
        assert await PushKey(Settings(), store, LocalVault(tmp_path)).public() == first
        given = PushKey(Settings(vapid_key=Secret(new_key())), store, LocalVault(tmp_path))
        assert await given.public() != first


def test_a_key_that_is_none_is_refused_without_being_quoted() -> None:
    for text in ("x", "no-key-at-all", "AAAA"):
        with pytest.raises(Misconfigured) as caught:
            key_of(text)
        assert text not in str(caught.value) or text == "x"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("p256dh", ""),
        ("p256dh", "x"),
        ("p256dh", "A" * 87),
        ("p256dh", "\N{SNOWMAN}"),
        ("auth", ""),
        ("auth", "\N{SNOWMAN}"),
    ],
)
def test_what_is_no_subscription_is_refused(field: str, value: str) -> None:
    good = Browser().subscription
    given = {"p256dh": good.p256dh, "auth": good.auth} | {field: value}
    with pytest.raises(BadInput) as caught:
        check_subscription(ENDPOINT, **given)
    assert caught.value.code == "bad_subscription"


@pytest.mark.parametrize(
    ("settings", "sub"),
    [
        (Settings(mail_from="a@example.com"), "mailto:a@example.com"),
        (Settings(public_url="https://agents.example.com"), "https://agents.example.com"),
        (Settings(), "mailto:owner@localhost"),
    ],
)
def test_push_services_are_told_whom_to_write_to(settings: Settings, sub: str) -> None:
    assert contact(settings) == sub
    Vapid02.from_string(new_key()).sign({"aud": "https://push.example.com", "sub": sub})
