"""Tests that a program's request to its proxy is parsed strictly; everything else is for the gateway's API."""

import pytest

from core.domain.errors import BadInput
from core.gateway.egress.policy import Target
from core.gateway.egress.proxy_request import PEEK_BYTES, is_for_egress, parse


@pytest.mark.parametrize(
    ("first", "decided"),
    [
        (b"", None),
        (b"CON", None),
        (b"CONNECT ", True),
        (b"CONNECT example.com:443 HTTP/1.1\r\n", True),
        (b"POST /v1/messages HTTP/1.1\r\n", False),
        (b"POST /", False),
        (b"GET http://example.com/", True),
        (b"GET HTTP://e", True),
        (b"GET htt", None),
        (b"GET https://e", False),
        (b"\x16\x03\x01\r\n", False),
        (b"x" * 17, False),
    ],
)
def test_a_few_bytes_decide_whose_connection_it_is(first: bytes, decided: bool | None) -> None:
    assert is_for_egress(first) is decided


def test_whatever_comes_is_decided_after_a_few_bytes() -> None:
    for first in (b"x", b"A ", b"A h", b"A http:/", b"\0"):
        assert is_for_egress(first.ljust(PEEK_BYTES + 1, b"/")) is not None


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"CONNECT example.com:443 HTTP/1.1", Target("example.com", 443)),
        (b"CONNECT [::1]:80 HTTP/1.0", Target("[::1]", 80)),
        (b"GET http://example.com HTTP/1.1", Target("example.com", 80)),
        (b"GET http://example.com:8080?x=http://a@b/ HTTP/1.1", Target("example.com", 8080)),
    ],
)
def test_where_to_is_read_from_the_first_line(line: bytes, target: Target) -> None:
    assert parse(line + b"\r\n\r\n").target == target


@pytest.mark.parametrize(
    "raw",
    [
        b"CONNECT example.com HTTP/1.1",
        b"CONNECT example.com:0 HTTP/1.1",
        b"CONNECT example.com:65536 HTTP/1.1",
        b"CONNECT :443 HTTP/1.1",
        b"CONNECT user@example.com:443 HTTP/1.1",
        b"CONNECT a:b:443 HTTP/1.1",
        b"CONNECT evil\0.example.com:443 HTTP/1.1",
        b"CONNECT example.com:443 extra HTTP/1.1",
        b"CONNECT \xff.com:443 HTTP/1.1",
        b"GET http://user:word@example.com/ HTTP/1.1",
        b"GET http:///x HTTP/1.1",
        b"CONNECT example.com:443 HTTP/1.1\r\nNo colon",
        b"CONNECT example.com:443 HTTP/1.1\r\nA: b\r\n folded",
        b"CONNECT example.com:443 HTTP/1.1\r\nA: b\nc",
        b"CONNECT example.com:443 HTTP/1.1\r\nA : b",
    ],
)
def test_what_is_odd_is_refused(raw: bytes) -> None:
    with pytest.raises(BadInput):
        parse(raw + b"\r\n\r\n")


@pytest.mark.parametrize(
    ("field", "token"),
    [
        (b"Proxy-Authorization: Basic b21hOnRoZTp0b2tlbg==", "the:token"),
        (b"proxy-authorization:basic b21hOnRva2Vu", "token"),
        (b"Proxy-Authorization: Bearer x", ""),
        (b"Proxy-Authorization: Basic ***", ""),
        (b"Proxy-Authorization: Basic b21hOnRva2Vu\r\nProxy-Authorization: Basic b21hOnRva2Vu", ""),
        (b"Authorization: Basic b21hOnRva2Vu", ""),
    ],
)
def test_the_token_is_the_password_said_to_the_proxy(field: bytes, token: str) -> None:
    assert parse(b"CONNECT example.com:443 HTTP/1.1\r\n" + field + b"\r\n\r\n").token == token
