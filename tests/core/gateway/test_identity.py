"""A token is good for a day, and a body is read up to its bound."""

import asyncio
import time

import pytest
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

from core.config.runtime_dir import Process
from core.domain.errors import NotSignedIn
from core.gateway.identity import Caller, verified_claims
from core.protocol import tokens
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness
from tests.timeouts import PATIENCE_S

KEY = "k" * 32
CLAIMS = {"user": ALICE, "session": "s1"}
A_DAY_S = 24 * 3600


class Yesterday(TimestampSigner):
    """Signs as it would have, a little more than a token's life ago."""

    def get_timestamp(self) -> int:
        return int(time.time()) - A_DAY_S - 10


def test_a_token_of_yesterday_is_none() -> None:
    caller = Caller(box="b1", user=ALICE, key="k")
    fresh = tokens.sign(CLAIMS, key=KEY, audience=caller.audience)
    assert verified_claims(fresh, caller=caller, keys=[KEY]) == CLAIMS
    old = URLSafeTimedSerializer(KEY, salt=caller.audience, signer=Yesterday).dumps(CLAIMS)
    with pytest.raises(NotSignedIn):
        verified_claims(str(old), caller=caller, keys=[KEY])


async def said(harness: GatewayHarness, process: Process, *fields: bytes, body: bytes) -> bytes:
    """Return the gateway's answer to these bytes, without waiting for its end."""
    async with harness.gateway(watch_s=0.05):
        box_http = await harness.open_box(ALICE, process)
        reader, writer = await asyncio.open_unix_connection(str(box_http.socket))
        proof = f"Authorization: {box_http.word['Authorization']}".encode()
        head = b"".join(field + b"\r\n" for field in (b"POST /internal/spec HTTP/1.1", b"Host: x", proof, *fields))
        try:
            writer.write(head + b"\r\n" + body)
            async with asyncio.timeout(PATIENCE_S):
                return await reader.readuntil(b"}")
        finally:
            writer.close()


async def test_a_body_that_says_it_is_too_long_is_not_read(harness: GatewayHarness, process: Process) -> None:
    assert b"too_large" in await said(harness, process, b"Content-Length: 1000000000", body=b"{")


async def test_a_body_that_does_not_say_its_length_is_read_so_far_and_no_further(
    harness: GatewayHarness, process: Process
) -> None:
    chunk = b"%x\r\n%s\r\n" % (80_000, b" " * 80_000)
    assert b"too_large" in await said(harness, process, b"Transfer-Encoding: chunked", body=chunk)
