"""Pages over fakes in a real browser: a server process of its own, a tab that complains aloud."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests import browser
from tests.ui.fork_server import Nursery

HERE = Path(__file__).parent
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 860}

Serve = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, once for all tests."""
    if not browser.chromium():
        pytest.skip("no chromium here: apt-get install chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def nursery() -> AsyncIterator[Nursery]:
    """The process from which fake products are forked."""
    async with Nursery.started() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def serve(nursery: Nursery) -> AsyncIterator[Serve]:
    """`await serve("--empty")`: the address of a fresh fake product."""
    async with AsyncExitStack() as stack:

        async def begin(*flags: str) -> str:
            return await stack.enter_async_context(nursery.child(*flags))

        yield begin


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser) -> AsyncIterator[Open]:
    """`await open_page(url, phone=True)`: ready to be used. What its console complains about fails the test."""
    async with AsyncExitStack() as stack:

        async def come(url: str, *, phone: bool = False, dark: bool = False, locale: str = "ko-KR") -> Page:
            return await stack.enter_async_context(_tab(chromium, url, phone=phone, dark=dark, locale=locale))

        yield come


@asynccontextmanager
async def _tab(browser: Browser, url: str, *, phone: bool, dark: bool, locale: str) -> AsyncIterator[Page]:
    context = await browser.new_context(
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        has_touch=phone,
        color_scheme="dark" if dark else "light",
        locale=locale,
        timezone_id="Asia/Seoul",
    )
    page = await context.new_page()
    page.set_default_timeout(30_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    try:
        await page.goto(url)
        await ready(page)
        yield page
    finally:
        await context.close()
    assert not [line for line in wrong if "404" not in line], wrong


async def ready(page: Page) -> None:
    """Wait until a NiceGUI page has its socket; pages without one are ready at once."""
    await page.wait_for_function("!document.getElementById('popup') || window.did_handshake === true")


async def ask(page: Page, path: str) -> Any:
    """Press on the world from outside the browser: `/_fake/…`."""
    base = "/".join(page.url.split("/")[:3])
    response = await page.request.get(f"{base}/_fake/{path}")
    assert response.ok
    return await response.json()
