"""P5 and P13: memory while nothing happens, and how long a start takes."""

import asyncio
import shutil
import time

import aiohttp

from bench.figures import Figure, figure
from bench.page import bench_page, new_agent
from bench.setup import Stage
from tests.product import MAIN, Product

PAGES = 10
STARTS = 3
MIB = 1 << 20


async def memory(stage: Stage) -> dict[str, Figure]:
    """Measure P5, the PSS of each process at rest, with pages open, with a live session and with it asleep."""
    async with stage.fresh("memory") as product:
        at_rest = pss(product, "web")
        gateway = pss(product, "gateway")
        async with bench_page(stage.browser, product) as page:
            await new_agent(page)
            await page.say("one turn", words=4)
            runner, cli, web_busy = pss(product, "runner"), pss(product, "cli"), pss(product, "web")
            before = pss(product, "web")
            tabs = [await page.screen.another_tab() for _ in range(PAGES)]
            await asyncio.gather(*(tab.get("composer").wait_for() for tab in tabs))
            a_page = (pss(product, "web") - before) / PAGES
            await product.kill("cli")
            await page.screen.until_state("asleep")
            asleep = pss(product, "cli")
            await asyncio.gather(*(tab.page.close() for tab in tabs))
    return {
        "P5_web_at_rest": one(at_rest, budget="≤ 130"),
        "P5_web_after_one_turn": one(web_busy),
        "P5_connected_page": one(a_page, budget="≤ 1", pages=PAGES),
        "P5_runner": one(runner, budget="≤ 95, goal ≤ 45"),
        "P5_gateway": one(gateway),
        "P5_live_session": one(cli, note="the CLI's own"),
        "P5_sleeping_session": one(asleep, budget="0"),
    }


def pss(product: Product, role: str) -> float:
    """Return the proportional set size in MiB of all processes of a role."""
    return float(sum(process.memory_full_info().pss for process in product.processes(role))) / MIB


def one(value: float, **more: object) -> Figure:
    """Make a figure of a single sample."""
    return figure([value], unit="MiB", digits=2, **more)


async def start(stage: Stage) -> dict[str, Figure]:
    """Measure P13, the second start, until the link is printed and the page behind it is served."""
    alone, made = [], []
    async with stage.fresh("start") as product:
        for _ in range(STARTS):
            await product.stop()
            began = time.monotonic()
            await product.start_web()
            await served(product)
            alone.append((time.monotonic() - began) * 1000)
    if (MAIN.parent / "Makefile").exists() and shutil.which("make"):
        async with stage.fresh("make") as product:
            for _ in range(STARTS):
                await product.stop()
                began = time.monotonic()
                await product.start_web("make", "--no-print-directory", "run")
                await served(product)
                made.append((time.monotonic() - began) * 1000)
    return {
        "P13_main_py": figure(alone, budget="≤ 3000"),
        "P13_make_run": figure(made, budget="≤ 5000"),
    }


async def served(product: Product) -> None:
    """Wait until the login page answers."""
    async with aiohttp.ClientSession() as http, http.get(product.url + "/login") as answer:
        assert answer.status == 200, answer.status
