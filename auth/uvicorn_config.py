"""Limits of the web server itself, so that nothing too large is held in memory: headers, frames, closing sockets."""

from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from auth.hostile_log import quiet
from auth.socket_limits import MAX_FRAME_BYTES

MAX_HEAD_BYTES = 32_768  # request line and headers; two cookies of ours are 300
INVALID = "Invalid HTTP request received."  # what uvicorn says of each request that is none
CLOSE_S = 1.0  # a socket that was closed and goes on talking is cut after this; uvicorn would listen for 10 s


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with a shorter wait for a closing peer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_S


def config(app: Callable[..., Any], **more: Any) -> uvicorn.Config:
    """Return uvicorn's configuration.

    It has no access log (which would hold client ids), ignores forwarding headers (auth.site reads them), and uses h11,
    the parser that limits what comes before the body.
    """
    quiet("uvicorn.error", INVALID)
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        http="h11",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws=Sockets,
        ws_max_size=MAX_FRAME_BYTES,
        **more,
    )
