"""A fact goes over a channel once, whoever tries; it waits, is dropped or gives up for reasons that are recorded."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.domain.notifications import (
    Attempt,
    DeliveryState,
    Notification,
    NotificationKind,
    OutboxNote,
    QuietHours,
)
from core.domain.records import SYSTEM, Request
from core.domain.runs import Alert
from core.notifications.recording import notify
from core.services.notify.sender import KEPT
from core.services.notify.transport import NotDelivered
from core.store.sqlite import SqliteStore
from tests.core.services.notify.stage import ALICE, Stage
from tests.timeouts import PATIENCE_S

S = DeliveryState


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield await Stage(store, tmp_path).begin()


async def notes(stage: Stage) -> list[OutboxNote]:
    return await stage.store.find(OutboxNote, owner=SYSTEM)


async def test_a_fact_is_sent_once_to_each_channel_that_wants_it_and_its_answer_is_kept(stage: Stage) -> None:
    await stage.mailbox()
    await stage.mailbox("quiet", kinds=(NotificationKind.NEEDS_YOU,))
    await stage.mailbox("other", muted=("a1",))
    await stage.slack_channel()
    await stage.fail("r1")
    await stage.fail("r1")
    await stage.web.poll_once()
    await stage.web.poll_once()
    assert stage.email.facts == [["failed-r1"]] == stage.slack.facts
    sent = await stage.delivery("failed-r1")
    assert (sent.state, [one.answer for one in sent.attempts]) == (S.SENT, ["250 OK"])
    assert not await stage.has("failed-r1", "quiet")
    assert not await stage.has("failed-r1", "other")
    assert await notes(stage) == []


async def test_many_webs_that_look_at_once_send_one_message(stage: Stage) -> None:
    await stage.mailbox()
    await stage.fail("r1")
    await asyncio.gather(*(stage.another_web().poll_once() for _ in range(8)))
    await stage.web.poll_once()
    assert stage.email.facts == [["failed-r1"]]


async def test_what_one_web_is_sending_is_not_taken_for_cut_off_by_another(stage: Stage) -> None:
    await stage.mailbox()
    await stage.fail("r1")
    stage.email.held = asyncio.Event()
    sending = asyncio.create_task(stage.web.poll_once())
    await asyncio.wait_for(stage.email.begun.wait(), PATIENCE_S)
    stage.email.begun.clear()
    other = asyncio.create_task(stage.another_web().poll_once())
    await asyncio.wait({other, asyncio.create_task(stage.email.begun.wait())}, return_when=asyncio.FIRST_COMPLETED)
    stage.email.held.set()
    await asyncio.wait_for(asyncio.gather(sending, other), PATIENCE_S)
    assert stage.email.facts == [["failed-r1"]]


async def test_a_channel_hears_nothing_that_is_older_than_itself(stage: Stage) -> None:
    await stage.fail("r1")
    await stage.later(seconds=1)
    await stage.mailbox()
    await stage.fail("r1")  # settled once more
    await stage.web.poll_once()
    assert stage.email.facts == []


async def test_what_does_not_go_out_is_tried_again_later_and_later_and_given_up_with_every_answer(
    stage: Stage,
) -> None:
    await stage.mailbox()
    stage.email.refusals = [NotDelivered(f"451 try {n}") for n in range(9)]
    await stage.fail("r1")
    await stage.web.poll_once()
    pauses = []
    while (one := await stage.delivery("failed-r1")).state is S.WAITING:
        pauses.append((one.next_at - stage.at).total_seconds())
        await stage.later(seconds=pauses[-1] - 1)
        assert len((await stage.delivery("failed-r1")).attempts) == len(pauses)  # not before its time
        await stage.later(seconds=1)
    assert pauses == [30, 120, 600, 3600, 4 * 3600]
    assert (one.state, one.why) == (S.FAILED, "given_up")
    assert [attempt.answer for attempt in one.attempts] == [f"451 try {n}" for n in range(6)]
    assert await notes(stage) == []


async def test_a_refusal_for_good_is_not_repeated_and_a_channel_that_is_gone_is_switched_off(stage: Stage) -> None:
    await stage.mailbox()
    stage.email.refusals = [NotDelivered("550 no such user", permanent=True)]
    await stage.fail("r1")
    await stage.web.poll_once()
    assert ((await stage.delivery("failed-r1")).state, await notes(stage)) == (S.FAILED, [])
    stage.email.refusals = [NotDelivered("HTTP 410", gone=True)]
    await stage.fail("r2")
    await stage.web.poll_once()
    channel = await stage.channels.get("mail", user=ALICE)
    assert (channel.enabled, channel.broken) == (False, "gone")


@pytest.mark.parametrize(("channel", "state", "copies"), [("mail", S.SENT, 2), ("slack", S.UNKNOWN, 1)])
async def test_a_web_that_dies_while_it_sends_leaves_it_to_the_next_one_that_repeats_only_what_can_be_told_apart(
    stage: Stage, channel: str, state: DeliveryState, copies: int
) -> None:
    await (stage.mailbox() if channel == "mail" else stage.slack_channel())
    transport = stage.email if channel == "mail" else stage.slack
    await stage.fail("r1")
    transport.dies = True
    await stage.web.poll_once()
    assert (await stage.delivery("failed-r1", channel)).state is S.SENDING
    transport.dies = False
    await stage.another_web().poll_once()
    found = await stage.delivery("failed-r1", channel)
    assert (found.state, len(transport.sent)) == (state, copies)
    assert "cut off" in found.attempts[0].answer
    assert len({message.id for message in transport.sent}) == 1  # the other side can tell
    assert await notes(stage) == []


async def test_who_looks_at_a_page_is_not_sent_what_they_see(stage: Stage) -> None:
    await stage.mailbox()
    await stage.presence.saw(ALICE, "page")
    await stage.fail("r1")
    await stage.web.poll_once()
    await stage.presence.left(ALICE, "page")
    await stage.later(minutes=5)
    one = await stage.delivery("failed-r1")
    assert (one.state, one.why, stage.email.sent) == (S.DROPPED, "page_open", [])


async def ask(stage: Stage, id: str = "q1") -> None:
    entry = Request(id=id, agent="a1", session="s1", kind="permission", summary="rm x", asked_at=stage.at)
    await stage.store.put(entry, owner=ALICE)
    one = Notification(
        id=f"asked-{id}", kind=NotificationKind.NEEDS_YOU, agent="a1", session="s1", request=id, at=stage.at
    )
    await notify(stage.store, one, owner=ALICE)


async def test_a_request_waits_while_its_person_looks_and_is_sent_once_they_look_away(stage: Stage) -> None:
    await stage.mailbox()
    await stage.presence.saw(ALICE, "page")
    await ask(stage)
    await stage.web.poll_once()
    assert ((await stage.delivery("asked-q1")).state, stage.email.sent) == (S.WAITING, [])
    await stage.presence.left(ALICE, "page")
    await stage.later(seconds=31)
    assert stage.email.facts == [["asked-q1"]]


async def test_what_was_answered_or_dismissed_meanwhile_is_not_sent(stage: Stage) -> None:
    await stage.mailbox()
    await stage.presence.saw(ALICE, "page")
    await ask(stage)
    await stage.web.poll_once()
    await stage.store.delete(Request, "q1", owner=ALICE)
    await stage.presence.left(ALICE, "page")
    await stage.later(seconds=31)
    await stage.fail("r1")
    await stage.store.delete(Alert, "failed-r1", owner=ALICE)
    await stage.web.poll_once()
    for id in ("asked-q1", "failed-r1"):
        assert ((one := await stage.delivery(id)).state, one.why) == (S.DROPPED, "handled")
    assert stage.email.sent == []


async def test_quiet_hours_hold_everything_and_end_in_one_message(stage: Stage) -> None:
    await stage.mailbox()
    hours = QuietHours(timezone="Asia/Seoul", start="17:00", end="19:30")  # it is 18:00 there
    await stage.channels.set_quiet_hours(hours, user=ALICE)
    await stage.fail("r1", "r2")
    await stage.web.poll_once()
    await stage.later(minutes=89)
    assert stage.email.sent == []
    await stage.later(minutes=2)
    assert [sorted(facts) for facts in stage.email.facts] == [["failed-r1", "failed-r2"]]


async def test_a_flood_becomes_a_digest_and_nothing_of_it_is_lost(stage: Stage) -> None:
    await stage.mailbox()
    for n in range(40):
        await stage.fail(f"r{n}")
        await stage.later(seconds=1)
    assert len(stage.email.sent) == 3
    for _ in range(4):
        await stage.later(minutes=10)
    told = [fact for facts in stage.email.facts for fact in facts]
    assert (len(stage.email.sent), sorted(told)) == (5, sorted(f"failed-r{n}" for n in range(40)))
    assert max(map(len, stage.email.facts)) == 20
    assert await notes(stage) == []


async def test_a_channel_that_is_switched_off_or_deleted_lets_go_of_what_waits(stage: Stage) -> None:
    await stage.mailbox()
    stage.email.refusals = [NotDelivered("451 later")]
    await stage.fail("r1")
    await stage.web.poll_once()
    await stage.channels.delete("mail", user=ALICE)
    await stage.later(minutes=1)
    assert ((await stage.delivery("failed-r1")).why, await notes(stage)) == ("not_chosen", [])


async def test_a_note_whose_notification_was_never_written_goes_after_a_minute(stage: Stage) -> None:
    await stage.store.create(
        OutboxNote(id="n1", user=ALICE, notification="failed-r1", created_at=stage.at, due_at=stage.at), owner=SYSTEM
    )
    await stage.web.poll_once()
    assert len(await notes(stage)) == 1  # it may be on its way
    await stage.later(seconds=61)
    assert await notes(stage) == []


async def test_what_was_told_is_kept_for_a_month(stage: Stage) -> None:
    await stage.mailbox()
    await stage.fail("r1")
    await stage.web.poll_once()
    stage.at += KEPT + timedelta(days=1)
    await stage.fail("r2")
    await stage.web.poll_once()
    told = await stage.channels.told(user=ALICE)
    assert [one.notification.id for one in told] == ["failed-r2"]
    assert not await stage.has("failed-r1")


async def test_a_test_goes_at_once_says_what_was_answered_and_is_bounded(stage: Stage) -> None:
    await stage.mailbox()
    stage.email.refusals = [NotDelivered("550 no")]
    first = await stage.channels.test("mail", user=stage.alice)
    second = await stage.channels.test("mail", user=stage.alice)
    assert (first.state, second.state) == (S.FAILED, S.SENT)
    assert second.attempts == (Attempt(at=stage.at, ok=True, answer="250 OK"),)
    for _ in range(3):
        await stage.channels.test("mail", user=stage.alice)
    with pytest.raises(Exception, match="a few times"):
        await stage.channels.test("mail", user=stage.alice)
    [*told] = await stage.channels.told(user=ALICE)
    assert len(told) == 5
    assert all(len(one.deliveries) == 1 for one in told)
