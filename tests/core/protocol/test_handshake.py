"""The first line of a box's connection, read strictly."""

import zlib
from base64 import urlsafe_b64encode

import pytest

from core.domain.errors import BadInput, NotSignedIn
from core.protocol import handshake, tokens

KEY = "k" * 43


def test_what_a_runner_writes_is_what_a_gateway_reads() -> None:
    line = handshake.encode("box1", KEY)
    assert len(line) < handshake.LINE_BYTES
    token = handshake.token_of(line)
    assert handshake.claimed_box(token) == "box1"
    handshake.verify(token, key=KEY)
    with pytest.raises(NotSignedIn):
        handshake.verify(token, key="other")


def test_what_is_compressed_is_no_line() -> None:
    bomb = urlsafe_b64encode(zlib.compress(b'{"box":"' + b"a" * 60_000 + b'"}')).rstrip(b"=")
    assert len(bomb) < 256
    with pytest.raises(BadInput):
        handshake.token_of(b"OMA/1 .%s.aaaa.bbbb\r\n" % bomb)


@pytest.mark.parametrize("claims", [{"box": ""}, {"box": 1}, {}])
def test_a_token_that_names_no_box_is_refused_before_anything_is_looked_up(claims: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        handshake.claimed_box(tokens.sign(claims, key=KEY, audience=handshake.AUDIENCE))


@pytest.mark.parametrize("token", ["a.b.c", "W10.b.c", "bnVsbA.b.c"])
def test_noise_names_no_box(token: str) -> None:
    with pytest.raises(BadInput):
        handshake.claimed_box(token)
