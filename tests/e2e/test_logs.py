"""Logs of the running product: whoever writes into them, every line is ours, short, and without a secret (L1)."""

import asyncio
import json
import re
from urllib.parse import quote

from tests.canary import KEY
from tests.e2e.conftest import Start, Visit
from tests.model_server import ModelServer
from tests.product import Product
from tests.timeouts import PATIENCE_S

FORGED = "an entry of nobody"
FORGERY = f'\r\n{{"time":"now","severity":"NOTICE","logger":"oma.auth","message":"{FORGED}"}}\r\n\x1b[2J\u202e'
LINE_BYTES = 4096
CLOUD_LOGGING = {
    f"logging.googleapis.com/{name}" for name in ("labels", "sourceLocation", "trace", "spanId", "trace_sampled")
}
MANY = 10 * 2**20
EMIT = "message => window.socket.emit('log', {client_id: window.clientId, message})"
DEVICE = f'\u202e\u2028\x9b2J{{"what":"sign_in"}}{FORGED}' + "x" * 10_000


async def test_nobody_forges_a_line_or_fills_the_log(start: Start, visit: Visit, model: ModelServer) -> None:
    product = await start(model_url=model.url, OMA_LOG_FORMAT="json")
    screen = await visit(product)
    signed_in = await ask(product, product.link.removeprefix(product.url), DEVICE)
    cookie = re.search(rb"set-cookie: (oma)=([^;]+)", signed_in)
    assert cookie, signed_in
    name, value = (part.decode() for part in cookie.groups())
    await screen.page.context.add_cookies([{"name": name, "value": value, "url": product.url}])
    await screen.page.goto(product.url + "/dashboard")
    await screen.page.wait_for_function("window.did_handshake === true")
    client_id = await screen.page.evaluate("window.clientId")

    for target, agent in (
        ("/" + quote(FORGERY), "x"),
        ("/login", FORGERY),
        ("/auth/local?code=" + quote(FORGERY + KEY), "\x1b[2J\x00"),
        ("/login", "x" * MANY),
        ("/" + "y" * MANY, "x"),
    ):
        await asyncio.wait_for(ask(product, target, agent), 20)
    for words in (FORGERY + FORGED, "x" * 100_000, KEY):
        await screen.page.evaluate(EMIT, words)
    await until_logged(product, "oma.browser", times=3)
    audit = (await (await screen.page.request.get(product.url + "/admin/audit.jsonl")).text()).splitlines()
    await screen.page.close()  # or it complains that the product has gone
    await product.stop()

    assert audit and all(line.isprintable() and len(line.encode()) < LINE_BYTES for line in audit)
    assert json.loads(audit[-1])["what"] == "sign_in"
    assert "⟨U+0080⟩" in json.loads(audit[-1])["device"], "what cannot be seen is named"
    lines = product.log().splitlines()
    assert [line for line in lines if line and not line.startswith("{")] == ["ending…"]
    entries = [json.loads(line) for line in lines if line.startswith("{")]
    assert all(
        {"time", "severity", "logger", "message"} == {name for name in entry if "/" not in name} for entry in entries
    )
    assert {name for entry in entries for name in entry if "/" in name} <= CLOUD_LOGGING
    assert all(line.isprintable() and len(line.encode()) < LINE_BYTES for line in lines)
    assert {entry["logger"] for entry in entries if FORGED in entry["message"]} <= {"oma.browser"}
    assert not [entry for entry in entries if entry["severity"] == "NOTICE"]
    assert client_id not in product.log()
    assert value not in product.log()


async def ask(product: Product, target: str, agent: str) -> bytes:
    """Send a request byte by byte as given, and return the answer, if any."""
    host = f"127.0.0.1:{product.port}"
    request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", product.port)
    try:
        writer.write(request.encode())
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def until_logged(product: Product, words: str, *, times: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while product.log().count(words) < times:
            await asyncio.sleep(0.02)
