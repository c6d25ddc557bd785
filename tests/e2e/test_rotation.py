"""A new session secret: a restart that nobody notices, until the old one is taken away."""

import httpx2

from tests.e2e.conftest import Start
from tests.product import Product
from tests.timeouts import PATIENCE_S
from tests.tls import TLS

OLD, NEW = "kT3q9vXw2LmR8sZbY5nHcJ7dGf4pAe6u", "Zp8LwQ4xVn2TsK7mYb5RcH9dJf3gAe6U"


async def restarted(product: Product, secret: str) -> None:
    await product.terminate_web()
    product.environ["OMA_SESSION_SECRET"] = secret
    await product.start_web()


async def inside(product: Product, browser: httpx2.AsyncClient) -> bool:
    return bool((await browser.get(f"{product.url}/dashboard")).status_code == 200)


async def test_a_new_session_secret_signs_nobody_out_and_a_secret_that_is_gone_does(start: Start) -> None:
    product = await start(OMA_SESSION_SECRET=OLD)
    async with (
        httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S) as before,
        httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S) as after,
    ):
        await before.get(product.link)
        assert await inside(product, before)
        await restarted(product, f"{NEW},{OLD}")
        assert await inside(product, before)
        await after.get(product.link)
        assert await inside(product, after)
        await restarted(product, NEW)
        assert await inside(product, after)
        assert not await inside(product, before)
