"""A page of the product in real Chromium, with a probe inside that notes when what happens."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser

from tests.e2e.screen import Screen
from tests.product import Product

PROBE = Path(__file__).with_name("probe.js").read_text()
CLOCK_LOOKS = 15
WAIT_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The times at which a page showed a message, in seconds of CLOCK_MONOTONIC."""

    sent_at: float  # Enter
    first_text_at: float  # in the DOM
    idle_at: float = 0.0  # the page says that the turn is over
    updates: list[tuple[float, int]] = field(default_factory=list)  # when, so many words


class BenchPage:
    """Wraps a `Screen`; `say` is one measured message."""

    def __init__(self, screen: Screen) -> None:
        self.screen, self.page = screen, screen.page
        self._offset_s = 0.0

    async def set_clock(self) -> float:
        """Map this page's performance.now() to CLOCK_MONOTONIC; returns the uncertainty in ms."""
        best = 1e9
        for _ in range(CLOCK_LOOKS):
            before = time.monotonic()
            inside = await self.page.evaluate("performance.now()")
            after = time.monotonic()
            if after - before < best:
                best, self._offset_s = after - before, (before + after) / 2 - inside / 1000
        return best / 2 * 1000

    def at(self, milliseconds: float) -> float:
        """Convert a time of the page to CLOCK_MONOTONIC seconds."""
        return milliseconds / 1000 + self._offset_s

    async def say(self, text: str, *, words: int, to_end: bool = True) -> Seen:
        """Type a text, press Enter, and wait until so many words stand there and, with `to_end`, the turn is over."""
        await self.page.evaluate("bench.arm()")
        composer = self.screen.get("composer")
        await composer.fill(text)
        await composer.press("Enter")
        async with asyncio.timeout(WAIT_MS / 1000):
            await self.page.evaluate("([words, toEnd]) => bench.reached(words, toEnd)", [words, to_end])
        return await self.seen()

    async def seen(self) -> Seen:
        """Return what the probe noted since `arm`."""
        noted: dict[str, Any] = await self.page.evaluate("({...bench})")
        return Seen(
            sent_at=self.at(noted["sent"]),
            first_text_at=self.at(noted["first"]),
            idle_at=self.at(noted["idle"]),
            updates=[(self.at(at), count) for at, count in noted["updates"]],
        )

    async def goto(self, url: str) -> None:
        """Go there, wait until the composer is usable, and set the clock of the new page."""
        await self.page.goto(url)
        await self.usable()

    async def usable(self) -> float:
        """Wait for a usable composer; return the milliseconds since the navigation began."""
        await self.page.wait_for_function("window.bench && bench.usable > 0", timeout=WAIT_MS, polling=25)
        await self.set_clock()
        return float(await self.page.evaluate("bench.usable"))


@asynccontextmanager
async def bench_page(browser: Browser, product: Product, *, like: Screen | None = None) -> AsyncIterator[BenchPage]:
    """A browser profile with one signed-in tab on the dashboard, by the printed link or with the cookies of another."""
    async with Screen.open(browser, product, locale="en-US") as screen:
        screen.allow(".*")
        await screen.page.context.add_init_script(PROBE)
        if like:
            await screen.page.context.add_cookies(await like.page.context.cookies())  # type: ignore[arg-type]
            await screen.page.goto(product.url + "/dashboard")
        else:
            await screen.sign_in()
        yield BenchPage(screen)


async def new_agent(page: BenchPage) -> None:
    """Go from the dashboard to a usable composer."""
    await page.screen.new_agent()
    await page.usable()
