"""Tests of the check that judges every deploy, against the real product: if it never passed, it would undo every
deploy.
"""

import asyncio
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.product import Product, free_port

SMOKE = Path(__file__).resolve().parents[2] / "scripts" / "smoke"


async def smoke(url: str) -> tuple[int | None, str]:
    running = await asyncio.create_subprocess_exec(
        SMOKE, url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(running.communicate(), 60)
    return running.returncode, said.decode()


async def test_a_product_that_serves_passes(common: Product) -> None:
    assert await smoke(common.url) == (0, "ready\nsign-in page, with its headers\na socket\n")


async def test_one_whose_sockets_do_not_come_through_does_not(common: Product) -> None:
    port = free_port()
    runner = web.AppRunner(_without_sockets(common.url), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        code, said = await smoke(f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
    assert code == 1
    assert "sign-in page, with its headers" in said and "the socket: no '^HTTP/1.1 101'" in said


def _without_sockets(url: str) -> web.Application:
    """A proxy as one is that nobody has told of sockets: it passes on the request, and not the upgrade."""

    async def passed(request: web.Request) -> web.Response:
        async with aiohttp.ClientSession() as http, http.get(f"{url}{request.rel_url}") as answer:
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower().startswith(("x-", "referrer", "content-s"))
            }
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application()
    app.router.add_get("/{path:.*}", passed)
    return app
