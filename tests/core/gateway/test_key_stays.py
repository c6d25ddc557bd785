"""The platform's key goes upstream and nowhere else, whatever the other side says of it."""

import io
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from aiohttp import web

from core.config.runtime_dir import Process
from core.config.settings import Secret, secrets_of
from core.domain.events import Text, ToolCalled, encode_many, numbered
from core.observability.logs import TextFormat
from core.observability.redaction import Redactor
from tests.canary import KEY, SPELLINGS
from tests.core.gateway.gateway_harness import ALICE, BoxHttp, GatewayHarness, batch
from tests.core.gateway.test_anthropic import served
from tests.core.gateway.test_box_api import ASK, token

PASSWORD = "password-of-the-proxy"


async def quoting(request: web.Request) -> web.Response:
    """A proxy before the model that shows what it was given, as some do."""
    given = request.headers["x-api-key"]
    status = int(request.query.get("status", "400"))
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": f"no budget left for {given}"}}
    return web.json_response(error, status=status, headers={"x-key": given, "retry-after": "7"})


@pytest.fixture
async def box_http(harness: GatewayHarness, process: Process) -> AsyncIterator[BoxHttp]:
    """Alice's box, on a gateway whose model is `quoting`."""
    async with served(quoting) as url:
        address = url.replace("://", f"://oma:{PASSWORD}@")
        real = replace(harness.settings, model="anthropic", anthropic_api_key=Secret(KEY), anthropic_base_url=address)
        await harness.add_session(ALICE)
        async with GatewayHarness(real, harness.store).gateway():
            yield await harness.open_box(ALICE, process)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 529])
async def test_what_the_model_quotes_of_the_key_reaches_no_box(box_http: BoxHttp, status: int) -> None:
    answer = await box_http("POST", f"/v1/messages?status={status}", ASK, headers={"x-api-key": await token(box_http)})
    assert answer.status == (400 if status in (401, 403) else status)
    said = f"{answer.headers}{answer.body}"
    assert not [how for needle, how in SPELLINGS.items() if needle.decode() in said]
    assert "no budget left for ***" in said or "model_key_refused" in said
    if status == 429:
        assert ("retry-after", "7") in {(name.lower(), value) for name, value in answer.headers.items()}


async def test_an_event_that_holds_the_key_is_kept_without_it(harness: GatewayHarness, box_http: BoxHttp) -> None:
    events = [
        numbered(Text(message="x", block=0, text=f"the key is {KEY}"), seq=1),
        numbered(ToolCalled(id="t", name="Bash", input={"command": f"echo {KEY}", KEY: [KEY]}), seq=2),
    ]
    for _ in range(2):  # and the same said again is the same
        assert (await box_http("POST", "/internal/events", data=batch("s1", events))).status == 200
    kept = encode_many(await harness.store.events("s1", owner=ALICE, after=0, limit=9))
    assert b"the key is ***" in kept
    assert not [how for needle, how in SPELLINGS.items() if needle in kept]


@pytest.fixture
def log(harness: GatewayHarness) -> Iterator[io.StringIO]:
    """Return the log that a process with these settings would write."""
    settings = replace(harness.settings, anthropic_api_key=Secret(KEY), anthropic_base_url=f"http://a:{PASSWORD}@b:1/")
    handler, written = logging.StreamHandler(stream := io.StringIO()), stream
    handler.setFormatter(TextFormat(Redactor(secrets_of(settings))))
    logging.getLogger("oma.test").addHandler(handler)
    yield written
    logging.getLogger("oma.test").removeHandler(handler)


def test_no_entry_shows_the_key_or_the_password_of_a_proxy(log: io.StringIO) -> None:
    logging.getLogger("oma.test").warning("asked %s with %r: %s", f"http://a:{PASSWORD}@b:1/", {"x-api-key": KEY}, KEY)
    assert "asked http://" in log.getvalue()
    assert PASSWORD not in log.getvalue()
    assert not [how for needle, how in SPELLINGS.items() if needle.decode() in log.getvalue()]
