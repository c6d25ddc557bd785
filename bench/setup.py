"""The parts that all rows share: model server, browser, a product with a conversation, and the start of the raw CLI."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import claude_agent_sdk
from playwright.async_api import Browser, async_playwright

from bench.model_process import Model, model_process
from bench.page import BenchPage, bench_page, new_agent
from bench.raw_cli import Recipe
from tests import browser as which
from tests.product import Product

CLI = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The processes that all rows share."""

    root: Path
    model: Model
    browser: Browser
    product: Product
    page: BenchPage
    recipe: Recipe

    def fresh(self, name: str) -> Product:
        """Return another product with nothing in it."""
        return Product(self.root / name, model_url=self.model.url)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run Debian's Chromium without a window."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=which.chromium(), args=which.FLAGS)
        yield chromium
        await chromium.close()


@asynccontextmanager
async def stage(root: Path) -> AsyncIterator[Stage]:
    """Start everything and warm it up; end it when the context is left."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(model_process())
        chromium = await stack.enter_async_context(browser())
        product = await stack.enter_async_context(Product(root / "shared", model_url=model.url))
        page = await stack.enter_async_context(bench_page(chromium, product))
        await new_agent(page)
        await page.say("warm up", words=4)
        cli = product.processes("cli")[0]
        recipe = Recipe.like(cli, cli=CLI, folder=root / "raw", model_url=model.url)
        yield Stage(root=root, model=model, browser=chromium, product=product, page=page, recipe=recipe)
