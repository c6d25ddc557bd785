"""Fixtures of the walks: a browser, the product, people. All use one event loop, because the browser lives in one."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests import browser
from tests.e2e.screen import Screen
from tests.model_server import ModelServer
from tests.product import Product
from tests.timeouts import PATIENCE_S

HERE = Path(__file__).parent

Start = Callable[..., Awaitable[Product]]
Visit = Callable[..., Awaitable[Screen]]


PRODUCTS = pytest.StashKey[list[Product]]()
LOG_CHARS = 6000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed walk shows what the product logged."""
    report = yield
    if report.failed:
        shared = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Product)]
        for product in {*item.stash.get(PRODUCTS, []), *shared}:
            report.sections.append(("the product's log", product.log()[-LOG_CHARS:]))
    return report


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, once for all tests."""
    if not browser.chromium():
        pytest.skip("no chromium here: apt-get install chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=browser.chromium(), args=browser.FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def model() -> AsyncIterator[ModelServer]:
    """A scripted Messages API; `tests/model_script.py` says what it understands."""
    async with ModelServer() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def start(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Start]:
    """`await start(model_url=…, OMA_X=…)`: a product of its own, checked for what it leaves behind."""
    async with AsyncExitStack() as stack:

        async def begin(*, model_url: str = "", port: int = 0, **settings: str) -> Product:
            root = tmp_path / f"product{len(list(tmp_path.iterdir()))}"
            product = Product(root, model_url=model_url, port=port, **settings)
            request.node.stash.setdefault(PRODUCTS, []).append(product)
            return await stack.enter_async_context(product)

        yield begin


@pytest_asyncio.fixture(loop_scope="session")
async def visit(start: Start, chromium: Browser) -> AsyncIterator[Visit]:
    """`await visit(product, locale="ko-KR", phone=True)`: a browser of its own; its errors fail the test."""
    async with AsyncExitStack() as stack:

        async def come(product: Product, *, locale: str = "en-US", phone: bool = False, dark: bool = False) -> Screen:
            return await stack.enter_async_context(
                Screen.open(chromium, product, locale=locale, phone=phone, dark=dark)
            )

        yield come


@pytest_asyncio.fixture(loop_scope="session")
async def product(start: Start, model: ModelServer) -> Product:
    """The product with the scripted model behind its gateway."""
    return await start(model_url=model.url)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def common(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Product]:
    """The product for walks of a module that neither end nor damage it; what it leaves behind fails them."""
    async with ModelServer() as model, Product(tmp_path_factory.mktemp("common"), model_url=model.url) as product:
        yield product


@pytest_asyncio.fixture(loop_scope="session")
async def lent(common: Product) -> Product:
    """The common product, with a link that nobody has used."""
    used = common.link
    async with aiohttp.ClientSession(headers={"Origin": common.url}) as http:
        answer = await http.post(f"{common.url}/auth/local/link", allow_redirects=False)
        assert answer.status == 303, await answer.text()
    async with asyncio.timeout(PATIENCE_S):
        while common.link == used:
            await asyncio.sleep(0.01)
    return common


@pytest_asyncio.fixture(loop_scope="session")
async def guest(lent: Product, visit: Visit) -> Screen:
    """The owner in a browser of their own, at the composer of a new agent of the common product."""
    return await _arrived(await visit(lent))


@pytest_asyncio.fixture(loop_scope="session")
async def practice(start: Start) -> Product:
    """The product as `make run` starts it on a fresh machine: without a key."""
    return await start()


@pytest_asyncio.fixture(loop_scope="session")
async def me(product: Product, visit: Visit) -> Screen:
    """The owner, signed in, at the composer of a new agent."""
    return await _arrived(await visit(product))


async def _arrived(screen: Screen) -> Screen:
    await screen.sign_in()
    await screen.new_agent()
    return screen
