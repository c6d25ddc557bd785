"""Requests that are none, or that say their length twice, are refused, and fill no log."""

import asyncio
import logging

import pytest

from auth.hostile_log import EVERY_S, OnceAMinute
from tests.auth.socket_world import World
from tests.timeouts import PATIENCE_S

TRIES = 20


def entry(message: str) -> logging.LogRecord:
    try:
        raise ValueError("of a stranger")
    except ValueError as error:
        where = (ValueError, error, error.__traceback__)
    return logging.LogRecord("x", logging.WARNING, "file.py", 1, message, (), where)


def test_a_message_is_said_once_a_minute_with_the_count_of_those_that_were_not_and_without_a_traceback() -> None:
    clock = [0.0]
    held = OnceAMinute("bad request", clock=lambda: clock[0])
    said = []
    for second in range(int(2 * EVERY_S) + 1):
        clock[0] = float(second)
        if held.filter(one := entry("bad request")):
            said.append((one.getMessage(), one.exc_info))
    assert said == [
        ("bad request", None),
        ("bad request (59 more since the last line)", None),
        ("bad request (59 more since the last line)", None),
    ]


def test_what_nobody_asked_to_hold_back_is_left_as_it_is() -> None:
    held, one = OnceAMinute("bad request"), entry("something else")
    assert held.filter(one) and held.filter(one)
    assert one.exc_info is not None


TWO_LENGTHS = (
    "POST /api/v1/echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    "0\r\n\r\nGET /dashboard HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
)


@pytest.mark.parametrize(
    ("request_", "said"),
    [(TWO_LENGTHS, "both Content-Length"), ("GET / HTTP/9.9\r\n\r\n", "Invalid HTTP request")],
    ids=["two lengths", "no HTTP"],
)
async def test_such_a_request_gets_one_400_and_the_connection_closes_and_the_log_has_one_line(
    world: World, request_: str, said: str
) -> None:
    for _ in range(TRIES):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
        writer.write(request_.format(port=world.server.port).encode())
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.read()  # to the end: the server closes
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b" 400 " in answer.splitlines()[0]
        writer.close()
    lines = [line for line in world.server.lines if said in line]
    assert len(lines) <= 1, "one, or it was said before in this minute"
    assert world.server.errors() == []
