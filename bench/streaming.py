"""P6 and P7: what a streaming conversation costs the web process and the browser's main thread."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.figures import Figure, figure
from bench.page import BenchPage, bench_page, new_agent
from bench.setup import Stage
from tests.e2e.screen import kinds
from tests.product import Product

WORD_CHARS = 5.4  # of the model's words, the space after each included
CHARS_A_SECOND = 400
TAKEN_S, ROUNDS = 8.0, 2
ROLES = ("web", "runner", "gateway", "cli")
DELTAS_A_SECOND, DELTA_CHARS, ANSWER_CHARS = 200, 20, 20_000
PAGES = 10
PARAGRAPH = (
    "The folder holds **three** reports, and the newest one, `report.md`, was written on Monday. It says that sales"
    " went up by four percent, that [two customers](https://example.com/two) left, and that nobody has looked at the"
    " numbers of the south yet. What is missing is a table of the months, so the next step is to read the exports, add"
    " them up by month and region, and write the result where the others are."
)


@dataclass(slots=True)
class Spent:
    """Shares of a core, in percent, by role; filled when its context is left."""

    of: dict[str, float]


async def processor(stage: Stage) -> dict[str, Figure]:
    """P6: percent of a core while one conversation streams to one tab, to ten more, and while pages only stand open."""
    many, idle = [], []
    async with stage.fresh("streaming") as product, bench_page(stage.browser, product) as page:
        await new_agent(page)
        await page.say("warm up", words=4)
        one = [await _while_streaming(product, page) for _ in range(ROUNDS)]
        tabs = [await page.screen.another_tab() for _ in range(PAGES)]
        await asyncio.gather(*(tab.get("composer").wait_for() for tab in tabs))
        for _ in range(ROUNDS):
            many.append(await _while_streaming(product, page))
            async with _measured(product) as spent:
                await asyncio.sleep(TAKEN_S)
            idle.append(spent.of["web"] / (PAGES + 1))
    figures = {f"P6_{role}_streaming": _percent([taken[role] for taken in one]) for role in ROLES}
    figures["P6_web_streaming"] |= {"budget": "≤ 3"}
    figures["P6_web_streaming_to_eleven_tabs"] = _percent([taken["web"] for taken in many])
    figures["P6_web_idle_page"] = _percent(idle)
    return figures


async def main_thread(stage: Stage) -> dict[str, Figure]:
    """P7: seconds that the browser's main thread works for a 20 KB answer at 200 deltas of 20 characters a second."""
    spent = []
    async with stage.fresh("main-thread") as product, bench_page(stage.browser, product) as page:
        await new_agent(page)
        await page.say("warm up", words=4)
        session = await page.page.context.new_cdp_session(page.page)
        await session.send("Performance.enable")
        await page.page.evaluate("bench.off = true")  # its own counting of words would be most of what is counted
        text = "\n\n".join([PARAGRAPH] * (ANSWER_CHARS // len(PARAGRAPH)))
        for turn in range(3):
            composer = page.screen.get("composer")
            await composer.fill(
                f"SAY((({text}))) GAP={1 / DELTAS_A_SECOND} CHARS={DELTA_CHARS}"
            )  # a paste, not counted
            before = await _worked(session)
            await composer.press("Enter")
            async with asyncio.timeout(90):
                while len(kinds(await page.screen.events(), "turn_finished")) < turn + 2:
                    await asyncio.sleep(0.5)
            spent.append(await _worked(session) - before)
    return {"P7_main_thread": figure(spent, unit="s", digits=2, budget="≤ 1.0")}


async def _worked(session: object) -> float:
    metrics = (await session.send("Performance.getMetrics"))["metrics"]  # type: ignore[attr-defined]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


async def _while_streaming(product: Product, page: BenchPage) -> dict[str, float]:
    gap_s = WORD_CHARS / CHARS_A_SECOND
    words = int((TAKEN_S + 4) / gap_s)
    talking = asyncio.create_task(page.say(f"N={words} GAP={gap_s:.4f}", words=words))
    await asyncio.sleep(2)  # under way, and the first words' own cost is over
    async with _measured(product) as spent:
        await asyncio.sleep(TAKEN_S)
    await talking
    return spent.of


@asynccontextmanager
async def _measured(product: Product) -> AsyncIterator[Spent]:
    spent, began, before = Spent({}), time.monotonic(), _cpu_s(product)
    yield spent
    taken_s, after = time.monotonic() - began, _cpu_s(product)
    spent.of = {role: 100 * (after[role] - before[role]) / taken_s for role in ROLES}


def _cpu_s(product: Product) -> dict[str, float]:
    return {role: sum(sum(process.cpu_times()[:2]) for process in product.processes(role)) for role in ROLES}


def _percent(values: list[float]) -> Figure:
    return figure(values, unit="% of a core", digits=2)
