"""Tests of the view that all tabs share: what is sent at once, what is gathered, and what a tab gets that was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from core.domain import events as e
from core.domain.states import SessionState as S
from tests.timeouts import PATIENCE_S
from ui.layout.i18n import words
from ui.transcript.reducer import TranscriptReducer
from ui.transcript.shared_view import BATCHES, Push, SharedView, SharedViews, ViewCursor


class Feed:
    """A conversation that a test pushes through."""

    def __init__(self, *history: e.AnyEvent, **pace: float) -> None:
        self.queue: asyncio.Queue[list[e.AnyEvent]] = asyncio.Queue()
        self.seq = 0
        self.queue.put_nowait([self.number(event) for event in history])
        self.screen = SharedView(
            follow=self.follow, make_reducer=lambda render: TranscriptReducer(words("en"), render=render), **pace
        )  # type: ignore[arg-type]

    @asynccontextmanager
    async def follow(self) -> AsyncIterator[AsyncIterator[list[e.AnyEvent]]]:
        async def batches() -> AsyncIterator[list[e.AnyEvent]]:
            while True:
                yield await self.queue.get()

        yield batches()

    def number(self, event: e.AnyEvent) -> e.AnyEvent:
        if isinstance(event, e.LIVE_ONLY):
            return event
        self.seq += 1
        return e.numbered(event, seq=self.seq)

    def put(self, *events: e.AnyEvent) -> None:
        self.queue.put_nowait([self.number(event) for event in events])


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[ViewCursor]:
    task = asyncio.create_task(feed.screen.run())
    await asyncio.wait_for(feed.screen.arrived.wait(), 5)
    cursor = feed.screen.join()
    cursor.now()
    yield cursor
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def news(cursor: ViewCursor) -> Push:
    return await asyncio.wait_for(cursor.next(), 5)


def ops(push: Push) -> list[Any]:
    text = push.ops.removeprefix("[].concat(").removesuffix(")")
    return list(msgspec.json.decode(text if push.base == 0 else f"[{text}]"))


def delta(text: str) -> e.TextDelta:
    return e.TextDelta(message="a", block=0, text=text)


async def test_the_first_words_leave_at_once_and_the_rest_at_a_steady_pace() -> None:
    feed = Feed(steady_s=0.5)
    async with running(feed) as cursor:
        feed.put(e.UserSaid(message_id="m", text="go"), e.StateChanged(state=S.BUSY, turn="m"))
        await news(cursor)
        loop = asyncio.get_running_loop()
        started = loop.time()
        feed.put(delta("first "))
        assert "first" in (await news(cursor)).ops
        assert loop.time() - started < 0.4
        pushes = 0
        for _ in range(100):
            feed.put(delta("word "))
            await asyncio.sleep(0)
        while "word" not in (await news(cursor)).ops:
            pushes += 1
        assert pushes <= 2


async def test_a_tab_that_lags_too_far_starts_over() -> None:
    feed = Feed()
    async with running(feed) as cursor:
        seen = feed.screen.n
        for n in range(BATCHES + 5):
            feed.put(e.Notice(text=f"notice {n}"))
            while feed.screen.n < seen + n + 1:
                await asyncio.wait_for(cursor.news.wait(), 5)
                cursor.news.clear()
                await asyncio.sleep(0)
        push = cursor.now()
        assert push.base == 0 and len(ops(push)) == BATCHES + 5


async def test_two_tabs_get_the_same_batch() -> None:
    feed = Feed(e.UserSaid(message_id="m", text="hello"))
    async with running(feed) as one:
        two = feed.screen.join()
        assert "hello" in two.now().ops
        feed.put(e.Text(message="a", block=0, text="for both"))
        assert (await news(one)).ops == (await news(two)).ops


async def test_a_number_that_shows_nothing_is_told_too() -> None:
    feed = Feed()
    async with running(feed) as cursor:
        feed.put(e.SessionOpened(agent="a"))
        assert (await news(cursor)).last_seq == 1


async def test_a_screen_stays_a_little_after_its_last_tab_and_is_the_same_for_a_reload() -> None:
    feed = Feed(e.UserSaid(message_id="m", text="hello"))
    shared_views, tasks = SharedViews(), []

    def spawn(screen: SharedView) -> "asyncio.Task[None]":
        tasks.append(asyncio.create_task(screen.run()))
        return tasks[-1]

    first = shared_views.subscribe("s", words("en"), lambda: feed.screen, spawn)
    shared_views.leave(first, linger_s=0.05)
    again = shared_views.subscribe("s", words("en"), lambda: pytest.fail("made twice"), spawn)
    assert again.view is first.view
    shared_views.leave(again, linger_s=0.05)
    await asyncio.wait(tasks, timeout=PATIENCE_S)
    assert tasks[0].cancelled()


class Stumbling(TranscriptReducer):
    """A reducer that cannot take one message."""

    def apply(self, event: e.AnyEvent) -> None:
        if isinstance(event, e.UserSaid) and event.text == "stumble":
            raise ValueError("an event of another shape than this version knows")
        super().apply(event)


async def test_an_event_that_cannot_be_shown_is_told_in_every_tab_and_ends_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = Feed(e.UserSaid(message_id="m1", text="first"))
    feed.screen = SharedView(follow=feed.follow, make_reducer=lambda render: Stumbling(words("en"), render=render))
    async with running(feed) as cursor:
        other = feed.screen.join()
        other.now()
        feed.put(e.UserSaid(message_id="m2", text="stumble"))
        feed.put(e.UserSaid(message_id="m3", text="after it"))
        shown = ""
        while "after it" not in shown:
            shown += (await news(cursor)).ops
        assert "after it" in other.now().ops
        for tab in (cursor, other):
            assert [fault.code for fault in tab.new_faults()] == ["not_shown"]
            assert tab.new_faults() == []
    assert "event 2 cannot be shown" in caplog.text
    caplog.clear()


async def test_a_view_that_ends_by_an_error_is_told_and_the_next_page_gets_a_new_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    feed = Feed(e.UserSaid(message_id="m1", text="first"))

    @asynccontextmanager
    async def follow() -> AsyncIterator[AsyncIterator[list[e.AnyEvent]]]:
        async def batches() -> AsyncIterator[list[e.AnyEvent]]:
            yield await feed.queue.get()
            raise ValueError("a bug of ours")

        yield batches()

    def make() -> SharedView:
        return SharedView(follow=follow, make_reducer=lambda render: TranscriptReducer(words("en"), render=render))

    def start(view: SharedView) -> "asyncio.Task[None]":
        return asyncio.create_task(view.run())

    views = SharedViews()
    first = views.subscribe("s", words("en"), make, start)
    await news(first)
    assert [fault.code for fault in first.new_faults()] == ["view_ended"]
    assert views.subscribe("s", words("en"), make, start).view is not first.view
    caplog.clear()
