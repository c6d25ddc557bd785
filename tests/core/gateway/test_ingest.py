"""Logs arrive whole and once, whatever a runner says and whenever the gateway dies."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from core.config.runtime_dir import Process
from core.domain.errors import NotFound, StoreUnavailable
from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Notice,
    Parked,
    SessionOpened,
    StateChanged,
    Text,
    ToolCalled,
    TurnFinished,
    UnknownEvent,
    Usage,
    UserSaid,
    encode,
    numbered,
    seq_of,
)
from core.domain.records import Request, Session, now
from core.domain.states import SessionState
from core.domain.usage import session_key
from core.gateway.batch import read_batch
from core.gateway.ingest import Ingest
from core.gateway.sanitize import UNKNOWN_BYTES
from core.protocol.gateway_api import BATCH_BYTES, Gap
from core.store.sqlite import SqliteStore
from tests.core.gateway.gateway_harness import ALICE, BoxHttp, GatewayHarness, batch

USAGE = Usage(input_tokens=100, output_tokens=20, cache_read_tokens=5)
CALL = b'{"seq":%d,"type":"tool_called","id":"t","name":"n","input":{"x":[%s]}}'
EACH = b",".join(CALL % (n, b",".join([b"[]"] * 4_000)) for n in range(1, 501))
TURN = (
    SessionOpened(agent="a1"),
    UserSaid(message_id="m1", text="\n환율을 알려 줘\n그리고 더"),
    StateChanged(state=SessionState.BUSY, turn="m1"),
    Text(message="x", block=0, text="# 좋아요\n해 볼게요"),
    TurnFinished(outcome="ok", usage=USAGE, cost_usd=0.25),
    StateChanged(state=SessionState.IDLE),
)
SUMS = {"turns": 1.0}


def logged(*events: AnyEvent, after: int = 0) -> list[AnyEvent]:
    return [numbered(event, seq=seq) for seq, event in enumerate(events, start=after + 1)]


async def counted(store: SqliteStore, key: str) -> dict[str, float]:
    """The sums of a counter row, without its marks and what is zero."""
    row = await store.usage(key, owner=ALICE)
    return {name: amount for name, amount in row.items() if amount and not name.startswith("seq_")}


def month() -> str:
    return f"{now():%Y-%m}"


@pytest.fixture
async def box_http(harness: GatewayHarness, process: Process) -> AsyncIterator[BoxHttp]:
    await harness.add_session(ALICE)
    async with harness.gateway(watch_s=0.05):
        yield await harness.open_box(ALICE, process)


async def send(box_http: BoxHttp, events: list[AnyEvent], session: str = "s1") -> tuple[int, dict[str, Any]]:
    """Status and answer, without what turns cost."""
    answer = await box_http("POST", "/internal/events", data=batch(session, events))
    answer.body.pop("turns", None)
    return answer.status, answer.body


async def metered(harness: GatewayHarness, cost_usd: float = 0.25) -> None:
    """Book a call of the session, as the meter does."""
    await harness.store.add_usage(session_key("s1"), owner=ALICE, cost_usd=cost_usd, calls=1)


async def test_a_turn_is_kept_and_the_records_follow(harness: GatewayHarness, box_http: BoxHttp) -> None:
    await metered(harness)
    assert await send(box_http, logged(*TURN)) == (200, {"acked": 6})
    assert [event.seq for event in await harness.store.events("s1", owner=ALICE)] == [1, 2, 3, 4, 5, 6]
    session = await harness.store.get(Session, "s1", owner=ALICE)
    assert session.title == "환율을 알려 줘"
    assert session.last_line == "해 볼게요"
    assert (session.state, session.last_seq, session.cost_usd) == (SessionState.IDLE, 6, 0.25)
    assert await counted(harness.store, month()) == SUMS
    assert await counted(harness.store, f"agent/a1/{month()}") == SUMS


async def test_the_same_again_changes_nothing(harness: GatewayHarness, box_http: BoxHttp) -> None:
    await metered(harness)
    events = logged(*TURN)
    for part in (events[:4], events, events[2:], events):
        await send(box_http, part)
    assert await counted(harness.store, month()) == SUMS
    assert (await harness.store.get(Session, "s1", owner=ALICE)).cost_usd == 0.25
    assert len(await harness.store.events("s1", owner=ALICE)) == 6


async def test_a_log_that_lost_its_end_and_used_its_numbers_again_is_told_so(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    first = logged(*TURN)
    await send(box_http, first)
    other = first[:3] + logged(Text(message="y", block=0, text="other"), *[Notice(text="more")] * 9, after=3)
    status, body = await send(box_http, other)
    assert (status, body["code"], body["acked"]) == (409, "log_behind", 3)
    assert (await send(box_http, other[4:5]))[1]["acked"] == 4
    assert [seq_of(event) for event in await harness.store.events("s1", owner=ALICE)] == [1, 2, 3, 4, 5, 6]
    assert (await harness.store.events("s1", owner=ALICE))[3] == first[3]
    assert await send(box_http, logged(*other[3:], after=6)) == (200, {"acked": 16})


async def test_the_same_again_is_the_same_also_if_its_time_was_put_right(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    far = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)]
    events = [numbered(Text(message="m", block=0, text=str(at)), seq=n, at=at) for n, at in enumerate(far, start=1)]
    events.append(Text(seq=4, message="m", block=0, text="x" * 10))
    for _ in range(2):
        assert await send(box_http, events) == (200, {"acked": 4})


async def test_what_stands_in_for_an_event_is_the_same_as_that_event(harness: GatewayHarness) -> None:
    """A gateway of another version knew the kind that this one does not, or the other way round."""
    await harness.add_session(ALICE)
    known = logged(Text(message="m", block=0, text="x"))
    unknown = b'{"session":"s1","events":[{"seq":1,"type":"from_the_future"}]}'
    for bodies in ((unknown, batch("s1", known)), (batch("s1", known), unknown)):
        for body in bodies:
            assert (await Ingest(harness.store).store(read_batch(body), owner=ALICE)).acked == 1
        await harness.store.delete_events("s1", owner=ALICE)


@pytest.mark.parametrize("bad", [b"1e999", b"-1e400", b'"\xff"', b"[%s]" % b",".join([b"[[]]"] * 60_000)])
async def test_an_event_that_cannot_be_kept_gives_its_number_to_a_notice(
    harness: GatewayHarness, box_http: BoxHttp, bad: bytes
) -> None:
    good = [encode(event) for event in logged(Notice(text="a"), Notice(text="b"), Notice(text="c"))]
    good[1] = b'{"seq":2,"type":"tool_called","id":"t","name":"n","input":{"x":%s}}' % bad
    body = b'{"session":"s1","events":[%s]}' % b",".join(good)
    answer = await box_http("POST", "/internal/events", data=body)
    assert (answer.status, answer.body) == (200, {"acked": 3})
    stored = await harness.store.events("s1", owner=ALICE)
    assert [event.text for event in stored if isinstance(event, Notice)] == ["a", "unknown_event", "c"]


async def test_a_text_full_of_brackets_and_a_tool_input_full_of_code_are_kept(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    code = 'f[a, b] = {1: [2, 3]}\n\\ "x"' * 10_000
    said = logged(Text(message="m", block=0, text=code * 5), ToolCalled(id="t", name="Write", input={"content": code}))
    assert await send(box_http, said) == (200, {"acked": 2})
    assert await harness.store.events("s1", owner=ALICE) == said


@pytest.mark.parametrize(
    "events",
    [
        CALL % (1, b",".join([b"[[]]"] * 1_500_000)),
        b",".join([b"1"] * 4_000_000),
        b",".join([b'{"seq":1,"type":""}'] * 400_000),
EACH,
    ],
    ids=["deep", "numbers", "many", "each"],
)  # fmt: skip
async def test_a_batch_made_to_be_slow_does_not_hold_up_the_others(box_http: BoxHttp, events: bytes) -> None:
    body = b'{"session":"s1","events":[%s]}' % events
    assert len(body) < BATCH_BYTES
    longest, last = 0.0, time.perf_counter()
    sent = asyncio.create_task(box_http("POST", "/internal/events", data=body))
    while not sent.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.perf_counter() - last), time.perf_counter()
    assert (await sent).status in (200, 400)
    assert longest < 4.0  # seconds; most of it is the machine doing other things


async def test_missing_numbers_are_asked_for(harness: GatewayHarness, box_http: BoxHttp) -> None:
    events = logged(*TURN)
    await send(box_http, events[:2])
    status, body = await send(box_http, events[4:])
    assert (status, body["code"], body["acked"]) == (409, "gap", 2)
    assert await send(box_http, events[2:]) == (200, {"acked": 6})


async def test_an_empty_batch_tells_how_far_it_is(box_http: BoxHttp) -> None:
    await send(box_http, logged(*TURN))
    assert await send(box_http, []) == (200, {"acked": 6})


async def test_the_log_of_a_deleted_session_is_dropped(harness: GatewayHarness, box_http: BoxHttp) -> None:
    await send(box_http, logged(*TURN))
    await harness.store.delete(Session, "s1", owner=ALICE)
    assert (await send(box_http, logged(Notice(), after=6)))[0] == 404


async def test_a_title_somebody_gave_stays(harness: GatewayHarness, box_http: BoxHttp) -> None:
    await harness.store.change(Session, "s1", owner=ALICE, title="Mine")
    await send(box_http, logged(*TURN))
    assert (await harness.store.get(Session, "s1", owner=ALICE)).title == "Mine"


async def test_what_is_asked_waits_in_the_inbox_until_it_is_answered(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    asked = Asked(request_id="r1", kind="permission", tool="Bash", input={"command": "python3 main.py\nrm x"})
    await send(box_http, logged(asked))
    [request] = await harness.store.find(Request, owner=ALICE)
    assert (request.summary, request.session, request.agent, request.parked) == (
        "python3 main.py",
        "s1",
        "a1",
        False,
    )
    await send(box_http, logged(Parked(request_id="r1"), after=1))
    assert (await harness.store.get(Request, "r1", owner=ALICE)).parked
    await send(box_http, logged(Answered(request_id="r1", decision="allow"), Parked(request_id="r1"), after=2))
    assert await harness.store.find(Request, owner=ALICE) == []


async def test_one_session_cannot_answer_what_another_asked(harness: GatewayHarness, box_http: BoxHttp) -> None:
    await harness.add_session(ALICE, id="s2")
    await send(box_http, logged(Asked(request_id="r1", kind="plan", plan="# Do it")))
    await send(box_http, logged(Answered(request_id="r1", decision="allow")), session="s2")
    await send(box_http, logged(Asked(request_id="r1", kind="plan", plan="mine now"), after=1), session="s2")
    [request] = await harness.store.find(Request, owner=ALICE)
    assert (request.session, request.summary) == ("s1", "Do it")


async def test_times_are_between_the_sessions_beginning_and_now(harness: GatewayHarness, box_http: BoxHttp) -> None:
    far = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC), datetime(2026, 1, 1)]
    events = [numbered(Notice(), seq=seq, at=at) for seq, at in enumerate(far, start=1)]
    events.append(Notice(seq=4))
    assert (await send(box_http, events))[0] == 200
    stored = await harness.store.events("s1", owner=ALICE)
    assert len(stored) == 4
    assert all(isinstance(event.at, datetime) and abs(event.at - now()) < timedelta(minutes=6) for event in stored)


@pytest.mark.parametrize(
    "events",
    [
        "[1]", "[null]", '[{"type":"notice"}]', '[{"type":"notice","seq":0}]', '[{"type":"notice","seq":-1}]',
        '[{"type":"notice","seq":"1"}]', '[{"type":"notice","seq":99999999999999999999}]', '[{"seq":1}]', "{}", "7",
        '[{"type":"notice","seq":1},{"type":"notice","seq":1}]',
        '[{"type":"notice","seq":1},{"type":"notice","seq":3}]',
        '[{"type":"notice","seq":2},{"type":"notice","seq":1}]', '[{"type":"notice","seq":1.5}]', "[" + "[" * 5000,
        '[{"type":"tool_called","seq":1,"id":"a","name":"b","input":{"x":' + '{"x":' * 5000 + "1" + "}" * 5002 + "]",
    ],
)  # fmt: skip
async def test_hostile_shapes_are_refused_and_nothing_is_written(
    harness: GatewayHarness, box_http: BoxHttp, events: str
) -> None:
    answer = await box_http("POST", "/internal/events", data=b'{"session":"s1","events":%s}' % events.encode())
    assert answer.status == 400
    assert await harness.store.events("s1", owner=ALICE) == []


async def test_too_many_events_and_too_many_bytes_are_refused(box_http: BoxHttp) -> None:
    assert (await send(box_http, logged(*[Notice()] * 501)))[1]["code"] == "too_large"
    assert (await send(box_http, logged(*[Notice()] * 500)))[0] == 200
    big = logged(*[Text(message="m", block=0, text="x" * 1_000_000)] * 9, after=500)
    assert (await send(box_http, big))[1]["code"] == "too_large"


async def test_two_senders_at_once_write_every_event_once(harness: GatewayHarness, box_http: BoxHttp) -> None:
    events = logged(*TURN, *[Notice(text=str(n)) for n in range(200)])
    await asyncio.gather(*(send(box_http, events[: 20 + 10 * n]) for n in range(19)))
    assert await send(box_http, events) == (200, {"acked": 206})
    assert await counted(harness.store, month()) == SUMS
    assert len(await harness.store.events("s1", owner=ALICE, limit=1000)) == 206


class DiesAfter:
    """A store in front of another whose process is killed after so many writes."""

    def __init__(self, store: SqliteStore, writes: int) -> None:
        self._store, self._left = store, writes

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)
        if name not in ("append", "add_usage", "add_usage_rows", "put", "delete", "change"):
            return verb

        async def counted_verb(*args: Any, **kwargs: Any) -> Any:
            if not self._left:
                raise StoreUnavailable("killed")
            self._left -= 1
            return await verb(*args, **kwargs)

        return counted_verb


@pytest.mark.parametrize("writes", range(15))
async def test_killed_between_any_two_writes_all_is_made_good_by_the_next_try(
    harness: GatewayHarness, writes: int
) -> None:
    await harness.add_session(ALICE)
    await metered(harness, 0.5)
    asked = [
        Asked(request_id="r1", kind="permission", tool="Bash"),
        Asked(request_id="r2", kind="permission", tool="Write"),
    ]
    events = logged(*TURN, *asked, Answered(request_id="r1", decision="deny"), *TURN[2:])
    said = read_batch(batch("s1", events))
    try:
        await Ingest(DiesAfter(harness.store, writes)).store(said, owner=ALICE)
    except StoreUnavailable:
        pass
    assert (await Ingest(harness.store).store(said, owner=ALICE)).acked == len(events)
    assert (await counted(harness.store, month()))["turns"] == 2
    assert await counted(harness.store, f"agent/a1/{month()}") == await counted(harness.store, month())
    session = await harness.store.get(Session, "s1", owner=ALICE)
    assert (session.cost_usd, session.last_seq) == (0.5, len(events))
    assert [request.id for request in await harness.store.find(Request, owner=ALICE)] == ["r2"]


async def test_a_long_log_whose_follow_up_was_lost_is_followed_to_its_end(harness: GatewayHarness) -> None:
    await harness.add_session(ALICE)
    events = logged(*TURN * 300)
    await harness.store.append("s1", events, owner=ALICE)
    assert (await Ingest(harness.store).store(read_batch(batch("s1", events[-3:])), owner=ALICE)).acked == 1800
    assert (await counted(harness.store, month()))["turns"] == 300
    session = await harness.store.get(Session, "s1", owner=ALICE)
    assert (session.last_seq, session.cost_usd) == (1800, 75.0)


async def test_a_lost_follow_up_is_made_good_when_more_comes_with_the_next_try(harness: GatewayHarness) -> None:
    await harness.add_session(ALICE)
    events = logged(*TURN, *TURN[1:])
    await metered(harness, 0.5)  # half of it is in the first turn already
    await harness.store.append("s1", events[:6], owner=ALICE)
    assert (await Ingest(harness.store).store(read_batch(batch("s1", events)), owner=ALICE)).acked == 11
    assert (await counted(harness.store, month()))["turns"] == 2
    session = await harness.store.get(Session, "s1", owner=ALICE)
    assert (session.cost_usd, session.title) == (0.5, "환율을 알려 줘")


async def test_a_log_that_another_box_went_on_with_is_not_this_ones(harness: GatewayHarness) -> None:
    await harness.add_session(ALICE)

    class Overtaken(DiesAfter):
        async def last_events(self, *_: Any, **__: Any) -> list[AnyEvent]:
            return []

    await harness.store.append("s1", logged(*TURN), owner=ALICE)
    with pytest.raises(Gap):
        await Ingest(Overtaken(harness.store, 9)).store(
            read_batch(batch("s1", logged(Notice(text="other")))), owner=ALICE
        )


async def test_what_was_written_for_a_session_deleted_meanwhile_is_removed(harness: GatewayHarness) -> None:
    await harness.add_session(ALICE)

    class Deleted(DiesAfter):
        async def append(self, *args: Any, **kwargs: Any) -> int:
            written = await harness.store.append(*args, **kwargs)
            await harness.store.delete(Session, "s1", owner=ALICE)
            return written

    events = logged(*TURN, Asked(request_id="r1", kind="permission", tool="Bash"))
    with pytest.raises(NotFound):
        await Ingest(Deleted(harness.store, 99)).store(read_batch(batch("s1", events)), owner=ALICE)
    assert await harness.store.events("s1", owner=ALICE) == []
    assert await harness.store.find(Request, owner=ALICE) == []


def test_an_event_of_a_newer_version_is_kept_whole_and_one_that_is_never_stored_keeps_its_number() -> None:
    raw = msgspec.json.encode(
        {
            "session": "s1",
            "events": [
                {"type": "from_the_future", "seq": 1, "at": "2026-11-30T10:00:00Z", "what": {"a": [1, "나"]}},
                {"type": "answered", "seq": 2, "request_id": "r", "decision": "allow_for_an_hour"},
                {"type": "text_delta", "seq": 3, "message": "m", "block": 0, "text": "x"},
                {"type": "from_the_future", "seq": 4, "at": "no time"},
                {"type": "from_the_future", "seq": 5, "text": "x" * UNKNOWN_BYTES},
            ],
        }
    )
    assert read_batch(raw).events == (
        UnknownEvent(
            seq=1, at=datetime(2026, 11, 30, 10, tzinfo=UTC), kind="from_the_future", data={"what": {"a": [1, "나"]}}
        ),
        UnknownEvent(seq=2, kind="answered", data={"request_id": "r", "decision": "allow_for_an_hour"}),
        *(Notice(seq=seq, text="unknown_event") for seq in (3, 4, 5)),
    )


async def test_what_an_older_gateway_kept_of_a_newer_version_is_read_by_that_version(
    harness: GatewayHarness, box_http: BoxHttp
) -> None:
    kept = UnknownEvent(seq=1, at=now(), kind="text", data={"message": "m", "block": 0, "text": "안녕"})
    await harness.add_session(ALICE)
    await harness.store.append("s1", [kept], owner=ALICE)
    assert await harness.store.events("s1", owner=ALICE) == [Text(seq=1, at=kept.at, message="m", block=0, text="안녕")]
