"""Tests of the limits of a browser's socket and of their number: each rule by itself, without a server."""

import json
from typing import Any

import pytest
from starlette.types import Message

from auth.body_limits import Body, TooLarge
from auth.guard import SOCKET, _for_a_page
from auth.socket_limits import BURST, FREE_CHARS, MAX_FRAME_BYTES, PER_S, POLICY, ConnectionLimiter, FrameLimits
from core.domain.errors import BadInput, TooMuch

EVENT = '42["event",{}]'
PAGE = "1f6f4ff0-2f0c-4e7b-8a1d-0123456789ab"


class Wire:
    """The ASGI server's side of one socket; its clock stands still."""

    def __init__(self, **frame: Any) -> None:
        self.frame, self.sent, self.at = {"type": "websocket.receive", **frame}, list[Message](), 0.0
        self.frames = FrameLimits(self.receive, self.send, who="somebody", clock=lambda: self.at)

    async def receive(self) -> Message:
        return self.frame

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def passes(self) -> bool:
        """True if the application receives the frame; if not, the peer was told why, and the application
        that it left.
        """
        heard = await self.frames()
        assert (heard is self.frame) is not bool(self.sent)
        if self.sent:
            assert heard["type"] == "websocket.disconnect"
            assert self.sent[-1] == {"type": "websocket.close", "code": POLICY}
        return heard is self.frame


@pytest.mark.parametrize("text", [EVENT, '4217["ack",{}]', "1", "3", "40", "40{}", "41"])
async def test_what_a_page_of_nicegui_says_is_heard(text: str) -> None:
    assert await Wire(text=text).passes()


@pytest.mark.parametrize(
    "frame",
    [
        {"text": None, "bytes": b"3"},
        {"text": f'42["event","{"x" * MAX_FRAME_BYTES}"]'},
        {"text": '42["event",'},
        {"text": f'42["event",{"[" * 10_000 + "]" * 10_000}]'},
        {"text": '42["disconnect"]'},
        {"text": '42{"event":1}'},
        {"text": '42[{"event":1}]'},
        {"text": "40/admin,"},
    ],
    ids=["binary", "too large", "no JSON", "too deep", "another word", "no list", "no word", "another namespace"],
)
async def test_anything_else_cuts_the_socket(frame: dict[str, Any]) -> None:
    assert not await Wire(**frame).passes()


@pytest.mark.parametrize(("text", "cost"), [(EVENT, 1), (f'42["log",{json.dumps("x" * 9 * FREE_CHARS)}]', 10)])
async def test_so_many_at_once_and_so_many_in_the_long_run(text: str, cost: int) -> None:
    wire = Wire(text=text)
    at_once = int(BURST / (cost + 0.01))
    assert all([await wire.passes() for _ in range(at_once)])
    wire.at += 2 * cost / PER_S
    assert await wire.passes()
    assert not all([await wire.passes() for _ in range(4)])


def test_a_slot_is_taken_until_it_is_left_and_each_has_their_own() -> None:
    connections = ConnectionLimiter()
    with connections.slot("a", most=2), connections.slot("a", most=2):
        with pytest.raises(TooMuch), connections.slot("a", most=2):
            pass
        with connections.slot("b", most=2):
            pass
    with connections.slot("a", most=1):
        pass


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (SOCKET, f"client_id={PAGE}&transport=polling"),
        (SOCKET, f"client_id={PAGE}&transport=websocket&sid=x"),
        (SOCKET, f"client_id={PAGE}x&transport=websocket"),
        (SOCKET, "transport=websocket"),
        ("/_nicegui_ws/other/", f"client_id={PAGE}&transport=websocket"),
    ],
)
def test_a_socket_is_for_a_page_and_begins_anew(path: str, query: str) -> None:
    _for_a_page({"path": SOCKET, "query_string": f"EIO=4&client_id={PAGE}&transport=websocket".encode()})
    with pytest.raises(BadInput):
        _for_a_page({"path": path, "query_string": query.encode()})


async def test_a_body_that_says_no_length_is_read_so_far_and_no_further() -> None:
    parts = 0

    async def receive() -> Message:
        nonlocal parts
        parts += 1
        return {"type": "http.request", "body": b"x" * 2**20, "more_body": parts < 100}

    body = Body(receive)
    with pytest.raises(TooLarge):
        for _ in range(100):
            await body()
    assert parts == 3
