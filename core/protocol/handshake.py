"""The first line of every connection from a box to a gateway on another machine: whose box it is, and the proof.

    OMA/1 <token>\\r\\n      the token is tokens.sign({"box": id}, key of the box, audience="gateway")

What follows the line is what a box on this machine says on its own socket. The key is in the memory of the runner and
in the Store; the runner makes a new line for every connection, its own ones and those it passes on for its CLIs.
"""

import re
import socket

from core.domain.errors import BadInput
from core.protocol import tokens

AUDIENCE = "gateway"
TOKEN_S = 60  # it is made when the connection is
LINE_BYTES = 512
# Three parts and no dot before them, which would mean compressed: nothing is unpacked that nobody has proven.
LINE = re.compile(rb"OMA/1 ([A-Za-z0-9_-]{1,256}\.[A-Za-z0-9_-]{1,16}\.[A-Za-z0-9_-]{1,128})\r\n")


def encode(box: str, key: str) -> bytes:
    """The line for one connection that is opened now."""
    return b"OMA/1 %s\r\n" % tokens.sign({"box": box}, key=key, audience=AUDIENCE).encode()


def token_of(line: bytes) -> str:
    """Raises: BadInput: this is no such line."""
    match = LINE.fullmatch(line)
    if not match:
        raise BadInput("not the first line of a box's connection")
    return match[1].decode()


def claimed_box(token: str) -> str:
    """Whose it says it is, unproven. Raises: BadInput: it says nothing."""
    box = tokens.unproven(token).get("box")
    if not isinstance(box, str) or not box:
        raise BadInput("the token names no box")
    return box


def verify(token: str, *, key: str) -> None:
    """What it says is so: this key, the box's, has signed it. Raises: NotSignedIn: it has not, or long ago."""
    tokens.verify(token, key=key, audience=AUDIENCE, max_age_s=TOKEN_S)


def keep_alive(wire: socket.socket) -> None:
    """A machine that vanishes says no goodbye: after about a minute of silence it is asked, and then given up."""
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if (option := getattr(socket, name, None)) is not None:  # macOS calls them otherwise; boxes run on Linux
            wire.setsockopt(socket.IPPROTO_TCP, option, value)
