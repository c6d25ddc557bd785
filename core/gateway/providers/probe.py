"""Tries a model connection with the smallest possible request."""

import asyncio
import time
from urllib.parse import urlsplit

import aiohttp
import msgspec

from core.config.settings import Settings
from core.domain.errors import PlatformError
from core.domain.model_connection import Verdict
from core.domain.records import SYSTEM
from core.gateway.providers import Call
from core.gateway.providers.factory import upstream_for
from core.protocol.gateway_api import MODEL

PROBE_S = 20.0
ANSWER_BYTES = 64 * 1024
PROBE_MODEL = "claude-haiku-4-5-20251001"
PROBE = Call(
    user=SYSTEM,
    agent="",
    session="",
    path=MODEL,
    query="",
    headers={"anthropic-version": "2023-06-01", "content-type": "application/json"},
    body=msgspec.json.encode({"model": PROBE_MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "."}]}),
)
BUSY = (429, 503, 529)
NO_CREDIT = b"credit balance"  # in the API's words, with status 400
BILLING = b"billing_error"


async def probe(settings: Settings) -> Verdict:
    """Ask the model of these settings one word, and judge the answer."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PROBE_S):
            upstream = await asyncio.to_thread(upstream_for, settings)
            where = urlsplit(upstream.base_url).hostname or ""
            asked = await upstream.upstream_request(PROBE)
            async with (
                aiohttp.ClientSession() as client,
                client.post(asked.url, data=asked.body, headers=asked.headers, allow_redirects=False) as answer,
            ):
                code = judged(answer.status, await answer.content.read(ANSWER_BYTES))
                return Verdict(code=code, status=answer.status, where=where, seconds=time.monotonic() - began)
    except (aiohttp.ClientError, OSError, TimeoutError, PlatformError):
        return Verdict(code="unreachable", seconds=time.monotonic() - began)


def judged(status: int, said: bytes) -> str:
    """Return the verdict's code. A busy model has taken the credential."""
    if status == 402 or NO_CREDIT in said or BILLING in said:
        return "no_credit"
    if status in (401, 403):
        return "refused"
    if status == 404:
        return "no_model"
    return "good" if status == 200 or status in BUSY else "other"
