"""Webhooks: what is sent, how it is signed, and that nothing of it becomes markup."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.domain.notifications import (
    Channel,
    ChannelKind,
    ChannelSecret,
    Message,
    MessageItem,
    Notification,
    NotificationKind,
)
from core.services.notify.guarded_post import GuardedPost
from core.services.notify.webhook import Slack, Webhook, new_signing_key, signature, slack_text
from tests.core.gateway.egress.world import PUBLIC, World
from tests.webhook_receiver import receiver

AT = datetime(2026, 11, 30, 9, tzinfo=UTC)
HOST, URL = "hooks.example.com", "https://hooks.example.com/in"


def message(
    title: str = "이슈 요약이: a run failed", text: str = "It stopped.", url: str = "https://x/runs/r1"
) -> Message:
    about = Notification(id="failed-r1", kind=NotificationKind.FAILED, agent="a1", run="r1", at=AT)
    item = MessageItem(notification=about, title=title, text=text, url=url)
    return Message(
        id="m1", title=title, text="", url=url, items=(item,), settings_url="https://x/s", locale="en", at=AT
    )


def test_the_signature_is_that_of_the_specification() -> None:
    # the example of standardwebhooks.com
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    found = signature(key, id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert new_signing_key() != new_signing_key()


@pytest.mark.parametrize("kind", ["webhook", "slack"])
async def test_a_message_arrives_signed_or_in_the_form_that_slack_takes(tmp_path: Path, kind: str) -> None:
    async with receiver(tmp_path, HOST) as other_side:
        world = World(names={HOST: [[PUBLIC]]}, ports={PUBLIC: other_side.port})
        post = GuardedPost(world.outside, reach=lambda _: ("127.0.0.1", other_side.port), tls=other_side.trust())
        transport = Webhook(post) if kind == "webhook" else Slack(post)
        channel = Channel(id="c1", kind=ChannelKind(kind), created_at=AT)
        secret = ChannelSecret(url=URL, signing_key=new_signing_key())
        assert await transport.send(message(), channel, secret) == "HTTP 200 ok"
        came = await other_side.next()
    said = json.loads(came.body)
    if kind == "slack":
        assert said == {
            "text": "*이슈 요약이: a run failed*\n<https://x/runs/r1|이슈 요약이: a run failed> It stopped."
        }
        assert "webhook-signature" not in came.headers
        return
    signed = f"{came.headers['webhook-id']}.{came.headers['webhook-timestamp']}.".encode() + came.body
    raw = base64.b64decode(secret.signing_key.removeprefix("whsec_"))
    proof = base64.b64encode(hmac.new(raw, signed, hashlib.sha256).digest()).decode()
    assert came.headers["webhook-signature"] == f"v1,{proof}"
    assert (said["id"], came.headers["webhook-id"]) == ("m1", "m1")
    assert said["items"][0] | {"at": ""} == {
        "kind": "failed", "title": "이슈 요약이: a run failed", "text": "It stopped.", "url": "https://x/runs/r1",
        "agent": "a1", "run": "r1", "at": "",
    }  # fmt: skip


def test_words_of_agents_do_not_become_links_or_mentions_in_slack() -> None:
    said = slack_text(message(title="<!channel> & <https://evil|x>", text="*bold* <@U1> `code`"))
    assert "<!" not in said
    assert "<@" not in said
    assert "<https://evil" not in said
    assert said.count("<") == 1  # our own link
