"""A user sets channels within bounds: whose address, how many channels, and that secrets stay in the vault."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from core.domain.errors import BadInput, Conflict, TooMuch
from core.domain.notifications import (
    Channel,
    ChannelKind,
    ChannelSecret,
    Notification,
    NotificationKind,
    QuietHours,
    next_step,
)
from core.domain.records import User
from core.services.audit import Audit
from core.services.notify.channels import Channels, Wanted
from core.services.notify.guarded_post import GuardedPost
from core.services.notify.presence import Presence
from core.services.notify.secrets import forget_secrets, secret_of
from core.services.notify.web_push import PushKey
from core.store.sqlite import SqliteStore
from tests.core.gateway.egress.world import PUBLIC, World
from tests.core.services.notify.stage import ALICE, DAY, Plain, Recorder, Stage

URL = "https://hooks.example.com/services/secret-path"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield await Stage(store, tmp_path).begin()


def use_cases(stage: Stage, *, production: bool = False) -> Channels:
    """The use cases over an internet in which hooks.example.com is public."""
    settings = replace(stage.settings, env="production" if production else "local")
    world = World(names={"hooks.example.com": [[PUBLIC]], "inside.example.com": [["10.0.0.1"]]})
    return Channels(
        stage.store, stage.vault, settings=settings, audit=Audit(stage.store),
        transports=dict.fromkeys(ChannelKind, Recorder()), composer=Plain(), post=GuardedPost(world.outside),
        push_key=PushKey(settings, stage.store, stage.vault), clock=stage.now,
    )  # fmt: skip


async def test_in_production_mail_goes_only_to_the_address_that_somebody_signed_in_with(stage: Stage) -> None:
    channels = use_cases(stage, production=True)
    alice: User = msgspec.structs.replace(stage.alice, email="Alice@example.com")
    with pytest.raises(BadInput) as refused:
        await channels.save("c1", Wanted(kind=ChannelKind.EMAIL, email="stranger@example.com"), user=alice)
    assert refused.value.code == "not_your_email"
    saved = await channels.save("c1", Wanted(kind=ChannelKind.EMAIL, email="alice@example.com"), user=alice)
    assert saved.channel.address == "alice@example.com"
    own = await channels.save("c2", Wanted(kind=ChannelKind.EMAIL), user=alice)
    assert own.channel.address == "Alice@example.com"


@pytest.mark.parametrize("address", ["", "x", "a@b@c", "a b@example.com", "a@example.com\nBcc: b@example.com", "é@x.y"])
async def test_what_is_no_address_is_refused(stage: Stage, address: str) -> None:
    with pytest.raises(BadInput):
        await use_cases(stage).save("c1", Wanted(kind=ChannelKind.EMAIL, email=address), user=stage.alice)


async def test_urls_and_keys_are_in_the_vault_and_nowhere_in_the_store(stage: Stage, tmp_path: Path) -> None:
    channels = use_cases(stage)
    made = await channels.save("c1", Wanted(kind=ChannelKind.WEBHOOK, url=URL), user=stage.alice)
    assert made.signing_key.startswith("whsec_")
    same = await channels.save("c1", Wanted(kind=ChannelKind.WEBHOOK, name="Ours"), user=stage.alice)
    assert same.signing_key == ""
    found = await secret_of(stage.vault, same.channel, owner=ALICE)
    assert (found.url, found.signing_key) == (URL, made.signing_key)
    turned = await channels.save("c1", Wanted(kind=ChannelKind.WEBHOOK, new_signing_key=True), user=stage.alice)
    assert turned.signing_key not in ("", made.signing_key)
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in ("secret-path", made.signing_key, turned.signing_key):
        assert secret.encode() not in raw
    assert await stage.vault.names(owner=ALICE) == ()  # no page lists them, no agent can be given them
    await forget_secrets(stage.vault, owner=ALICE)
    assert await secret_of(stage.vault, same.channel, owner=ALICE) == ChannelSecret()


async def test_an_address_inside_is_refused_and_leaves_nothing(stage: Stage) -> None:
    channels = use_cases(stage)
    with pytest.raises(BadInput) as refused:
        await channels.save("c1", Wanted(kind=ChannelKind.SLACK, url="https://inside.example.com/x"), user=stage.alice)
    assert (refused.value.code, await channels.all(user=ALICE)) == ("channel_refused", [])


async def test_channels_have_a_bound_and_keep_their_kind_and_their_ids_are_plain(stage: Stage) -> None:
    channels, slack = use_cases(stage), Wanted(kind=ChannelKind.SLACK, url=URL)
    for n in range(10):
        await channels.save(f"c{n}", slack, user=stage.alice)
    with pytest.raises(TooMuch):
        await channels.save("c10", slack, user=stage.alice)
    with pytest.raises(Conflict):
        await channels.save("c1", Wanted(kind=ChannelKind.EMAIL, email="a@example.com"), user=stage.alice)
    await channels.delete("c9", user=ALICE)
    for id in ("", "C1", "a/b", "x" * 33, "ä"):
        with pytest.raises(BadInput):
            await channels.save(id, slack, user=stage.alice)


@pytest.mark.parametrize(
    "hours",
    [QuietHours(start="22:00"), QuietHours(start="25:00", end="01:00"), QuietHours(start="a", end="b"),
     QuietHours(start="22:00", end="08:00", timezone="Mars/Base")],
)  # fmt: skip
async def test_quiet_hours_that_make_no_sense_are_refused(stage: Stage, hours: QuietHours) -> None:
    with pytest.raises(BadInput):
        await use_cases(stage).set_quiet_hours(hours, user=ALICE)


@pytest.mark.parametrize(
    ("start", "end", "clock", "until"),
    [
        ("22:00", "08:00", (23, 30), (1, 8, 0)),
        ("22:00", "08:00", (7, 59), (0, 8, 0)),
        ("22:00", "08:00", (8, 0), None),
        ("22:00", "08:00", (21, 59), None),
        ("12:00", "13:00", (12, 30), (0, 13, 0)),
        ("12:00", "13:00", (13, 0), None),
        ("09:00", "09:00", (9, 0), None),
        ("", "", (3, 0), None),
    ],
)
def test_quiet_hours_end_in_the_users_own_zone(
    start: str, end: str, clock: tuple[int, int], until: tuple[int, int, int] | None
) -> None:
    hours = QuietHours(timezone="Asia/Seoul", start=start, end=end)
    moment = datetime(2026, 11, 30, (clock[0] - 9) % 24, clock[1], tzinfo=UTC)
    found = hours.until(moment)
    if until is None:
        assert found is None
        return
    assert found is not None
    assert (found - moment).total_seconds() == ((until[0] * 24 + until[1] - clock[0]) * 60 + until[2] - clock[1]) * 60


def test_old_news_are_dropped_and_a_handled_one_too() -> None:
    one = Notification(id="n", kind=NotificationKind.FAILED, at=DAY)
    later = DAY.replace(day=30, month=12, year=2026)
    asked = {"handled": False, "page_visible": False, "quiet_until": None}
    assert next_step(one, now=DAY, **asked).send  # type: ignore[arg-type]
    assert next_step(one, now=later, **asked).why == "too_old"  # type: ignore[arg-type]
    assert next_step(one, now=DAY, **asked | {"handled": True}).why == "handled"  # type: ignore[arg-type]


async def test_a_page_that_is_looked_at_counts_for_every_web_until_it_is_hidden_or_silent(stage: Stage) -> None:
    here, there = Presence(stage.store, clock=stage.now), Presence(stage.store, clock=stage.now)
    assert not await here.is_visible(ALICE)
    await here.saw(ALICE, "p1")
    await here.saw(ALICE, "p2")
    assert await here.is_visible(ALICE)
    assert await there.is_visible(ALICE)
    await here.left(ALICE, "p1")
    assert await there.is_visible(ALICE)
    await here.left(ALICE, "p2")
    assert not await there.is_visible(ALICE)
    await here.saw(ALICE, "p3")
    stage.at = stage.at.replace(minute=1)  # its browser crashed
    assert not await here.is_visible(ALICE)
    assert not await there.is_visible(ALICE)


def test_what_is_notified_is_chosen_per_channel_and_agent() -> None:
    channel = Channel(id="c", kind=ChannelKind.SLACK, kinds=(NotificationKind.FAILED,), muted=("a2",), created_at=DAY)
    failed = Notification(id="n", kind=NotificationKind.FAILED, agent="a1", at=DAY)
    assert channel.wants(failed)
    for other in ({"agent": "a2"}, {"kind": NotificationKind.PAUSED}):
        assert not channel.wants(msgspec.structs.replace(failed, **other))
    assert not msgspec.structs.replace(channel, enabled=False).wants(failed)
    assert json.loads(msgspec.json.encode(channel))["kind"] == "slack"
