"""A person's browser tab, in the words of a walk. It knows only test ids and the public API of the pages."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Locator, Page, WebError, expect

from tests.product import Product

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
WAIT_MS = 30_000
Event = dict[str, Any]


class Screen:
    """A signed-out visitor at first. `page` is there for whatever has no word here."""

    def __init__(self, page: Page, product: Product, errors: list[str]) -> None:
        self.page, self.product, self.errors = page, product, errors
        self._allowed: list[re.Pattern[str]] = []
        page.set_default_timeout(WAIT_MS)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, browser: Browser, product: Product, *, locale: str, phone: bool = False, dark: bool = False
    ) -> AsyncIterator[Self]:
        """A browser profile of its own with one tab. Errors of any page in it fail when it is closed."""
        context = await browser.new_context(
            locale=locale,
            viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
            has_touch=phone,
            color_scheme="dark" if dark else "light",
            timezone_id="Asia/Seoul",
        )
        errors = watch(context)
        screen = cls(await context.new_page(), product, errors)
        try:
            yield screen
        finally:
            await context.close()
        wrong = [error for error in errors if not any(pattern.search(error) for pattern in screen._allowed)]
        assert not wrong, f"the browser said: {wrong}"

    async def another_tab(self) -> "Screen":
        """A second tab of the same person at the same address."""
        page = await self.page.context.new_page()
        await page.goto(self.page.url)
        return type(self)(page, self.product, self.errors)

    def allow(self, *patterns: str) -> None:
        """Console errors that the test provokes."""
        self._allowed += [re.compile(pattern) for pattern in patterns]

    def allow_disconnects(self) -> None:
        """The web is about to be killed: the browser will say that it lost its connection."""
        self.allow(r"WebSocket connection to .* failed", r"net::ERR_(CONNECTION|EMPTY|SOCKET|INCOMPLETE)")

    # --- going places -----------------------------------------------------------------------------------------------

    async def sign_in(self) -> None:
        """Sign in by the printed link and wait for the dashboard."""
        await self.page.goto(self.product.link)
        await self.page.wait_for_url("**/dashboard")

    async def new_agent(self) -> None:
        """Go from the dashboard to the composer of a new agent's builder session."""
        await self.get("new-agent").first.click()
        await self.page.wait_for_url(re.compile(r"/workspace/[^/?]+\?session="))
        await expect(self.get("composer")).to_be_editable()

    async def reload(self) -> None:
        await self.page.reload()
        await expect(self.get("composer")).to_be_editable()

    async def come_back(self) -> None:
        """The same page again. One that has just found its server again loads itself anew, and that ends ours."""
        for _ in range(3):
            try:
                await self.page.goto(self.page.url)
            except Error as error:
                if "ERR_ABORTED" not in error.message:
                    raise
            else:
                return

    # --- acting -----------------------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        """Type it and press Enter; returns when the message is acknowledged (it has a number)."""
        mine = self.get("message").and_(self.page.locator("[data-role=user]"))
        before = await mine.count()
        await self.get("composer").fill(text)
        await self.get("composer").press("Enter")
        await expect(mine).to_have_count(before + 1)
        await expect(mine.last).to_have_attribute("data-seq", re.compile(r"^[1-9]\d*$"))

    async def send(self, text: str) -> None:
        """Type it and press Enter, without waiting for anything."""
        await self.get("composer").fill(text)
        await self.get("composer").press("Enter")

    # --- looking ----------------------------------------------------------------------------------------------------

    def get(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    @property
    def answers(self) -> Locator:
        """All text blocks of the assistant."""
        return self.get("message").and_(self.page.locator("[data-role=assistant]"))

    @property
    def permission(self) -> Locator:
        """The permission cards that wait for somebody."""
        return self.get("permission").and_(self.page.locator("[data-state=open], [data-state=parked]"))

    async def words(self) -> list[str]:
        """The words of the last answer as they stand on the screen."""
        return (await self.answers.last.inner_text()).split()

    async def until_word(self, word: str) -> None:
        """Wait until the last answer has come as far as this word."""
        await expect(self.answers.last).to_contain_text(re.compile(rf"\b{word}\b"))

    async def until_state(self, state: str) -> None:
        await expect(self.get("session-state").first).to_have_attribute("data-state", state)

    @property
    def agent(self) -> str:
        return urlsplit(self.page.url).path.split("/")[-1]

    @property
    def session(self) -> str:
        return parse_qs(urlsplit(self.page.url).query)["session"][0]

    # --- the record -------------------------------------------------------------------------------------------------

    async def events(self) -> list[Event]:
        """Everything stored of this session, by the public API."""
        found: list[Event] = []
        while True:
            after = found[-1]["seq"] if found else 0
            url = f"{self.product.url}/api/v1/sessions/{self.session}/events?after={after}"
            response = await self.page.request.get(url)
            assert response.ok, f"{response.status} {await response.text()}"
            more = (await response.json())["events"]
            if not more:
                return found
            found += more

    async def until_turns(self, count: int, *, within_s: float = 15.0) -> list[Event]:
        """Wait until so many turns have ended and are stored; all events."""
        end = time.monotonic() + within_s
        while True:
            events = await self.events()
            ended = [event for event in events if event["type"] == "turn_finished"]
            if len(ended) >= count:
                return events
            assert time.monotonic() < end, f"only {len(ended)} turns ended: {[brief(event) for event in events]}"
            await self.page.wait_for_timeout(50)


def watch(context: BrowserContext) -> list[str]:
    """Collects what the browser complains about, in all tabs."""
    errors: list[str] = []

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    def broke(error: WebError) -> None:
        errors.append(f"page error: {error.error}")

    context.on("console", said)
    context.on("weberror", broke)
    return errors


def brief(event: Event) -> str:
    """An event in a few words, for a failure's message."""
    words = [event["type"], event.get("state"), event.get("reason"), event.get("text"), event.get("name")]
    return f"{event.get('seq')} " + " ".join(str(word)[:60] for word in words if word)


def texts(events: list[Event]) -> list[str]:
    """The finished text blocks, in order."""
    return [event["text"] for event in events if event["type"] == "text"]


def kinds(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["type"] == kind]


def numbered(count: int) -> list[str]:
    """The words that `N=count` makes the scripted model say."""
    return [f"w{number}" for number in range(count)]


def assert_in_order(events: list[Event]) -> None:
    """Numbers from 1 on without a gap, and one end for each turn."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    said = [event["message_id"] for event in kinds(events, "user_said")]
    assert len(said) == len(set(said)), "a message is there twice"
