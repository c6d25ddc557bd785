"""P3c and P8: loading a page, also in the middle of an answer."""

from typing import Any

from playwright.async_api import CDPSession

from bench.figures import Figure, figure
from bench.page import BenchPage, bench_page
from bench.setup import Stage
from tests.e2e.screen import numbered

RELOADS = 8
LOADS = 6
WORDS = 120


async def reload_in_mid_answer(stage: Stage) -> dict[str, Figure]:
    """P3c: usable page → the words that had been streamed stand there again; at the end nothing missing or doubled."""
    back, from_start, missing, doubled = [], [], 0, 0
    page = stage.page
    for number in range(RELOADS):
        await page.say(f"N={WORDS} GAP=0.02 reload {number}", words=20, to_end=False)
        streamed = await page.page.evaluate("bench.words()")
        await page.page.evaluate(f"sessionStorage.setItem('bench-wanted', {streamed})")
        await page.page.reload()
        await page.usable()
        await page.page.wait_for_function("bench.back > 0", polling=25)
        back.append(max(0.0, await page.page.evaluate("bench.back - bench.usable")))
        from_start.append(await page.page.evaluate("bench.back"))
        await page.page.evaluate("sessionStorage.removeItem('bench-wanted')")
        await page.screen.until_word(f"w{WORDS - 1}")
        words = await page.screen.words()
        missing += len(set(numbered(WORDS)) - set(words))
        doubled += len(words) - len(set(words))
        await page.screen.until_state("idle")
    return {
        "P3c_reload_mid_answer": figure(
            back, budget="p95 ≤ 300", missing=missing, doubled=doubled, from_reload=figure(from_start)
        )
    }


async def page_load(stage: Stage) -> dict[str, Figure]:
    """P8: bytes on the wire and time to a usable composer, with an empty and with a full cache.

    The first two come from a blank page, for which the browser starts a process; people come from the dashboard.
    """
    url = stage.page.page.url
    cold_kb, cold_ms, cached_kb, cached_ms, onward_ms = [], [], [], [], []
    for _ in range(LOADS):
        async with bench_page(stage.browser, stage.product, like=stage.page.screen) as page:
            wire = await Wire.of(page)
            await wire.session.send("Network.clearBrowserCache")
            await page.page.goto("about:blank")
            kilobytes, ms = await wire.load(page, url)
            cold_kb.append(kilobytes)
            cold_ms.append(ms)
            await page.page.goto("about:blank")
            kilobytes, ms = await wire.load(page, url)
            cached_kb.append(kilobytes)
            cached_ms.append(ms)
            await page.page.goto(stage.product.url + "/dashboard")
            _, ms = await wire.load(page, url)
            onward_ms.append(ms)
    return {
        "P8_transferred_cold": figure(cold_kb, unit="KB", budget="≤ 550"),
        "P8_transferred_cached": figure(cached_kb, unit="KB", budget="≤ 20"),
        "P8_usable_cold": figure(cold_ms, budget="≤ 1000"),
        "P8_usable_cached": figure(cached_ms, budget="≤ 500"),
        "P8_usable_from_the_dashboard": figure(onward_ms),
    }


class Wire:
    """Counts what a page loads, as encoded on the wire."""

    def __init__(self, session: CDPSession) -> None:
        self.session, self._bytes = session, 0
        session.on("Network.loadingFinished", self._finished)

    @classmethod
    async def of(cls, page: BenchPage) -> "Wire":
        session = await page.page.context.new_cdp_session(page.page)
        await session.send("Network.enable")
        return cls(session)

    def _finished(self, event: dict[str, Any]) -> None:
        self._bytes += int(event["encodedDataLength"])

    async def load(self, page: BenchPage, url: str) -> tuple[float, float]:
        """Load the page once; return kilobytes and milliseconds."""
        self._bytes = 0
        await page.page.goto(url)
        usable = await page.usable()
        await page.page.wait_for_load_state("networkidle")
        return self._bytes / 1000, usable
