"""The handshake of a box with a gateway on another machine: a first line that names the box and proves it.

    OMA/1 <token>\\r\\n      the token is tokens.sign({"box": id}, key of the box, audience="gateway")

After the line the connection is used like the unix socket of a box on this machine. Runner and Store know the key. The
runner makes a new line for every connection: for its own ones, and for those that it relays for its CLIs.
"""

import re
import socket

from core.domain.errors import BadInput
from core.protocol import tokens

AUDIENCE = "gateway"
TOKEN_S = 60  # each connection makes a new one
LINE_BYTES = 512
# Three parts without a dot before them, which would mean compression: nothing unverified is decompressed.
LINE = re.compile(rb"OMA/1 ([A-Za-z0-9_-]{1,256}\.[A-Za-z0-9_-]{1,16}\.[A-Za-z0-9_-]{1,128})\r\n")


def encode(box: str, key: str) -> bytes:
    """Return the line for a connection that is opened now."""
    return b"OMA/1 %s\r\n" % tokens.sign({"box": box}, key=key, audience=AUDIENCE).encode()


def token_of(line: bytes) -> str:
    """Return the token in the line. Raises: BadInput: it is no such line."""
    match = LINE.fullmatch(line)
    if not match:
        raise BadInput("not the first line of a box's connection")
    return match[1].decode()


def claimed_box(token: str) -> str:
    """Return the box that the token names, not yet verified. Raises: BadInput: it names none."""
    box = tokens.unproven(token).get("box")
    if not isinstance(box, str) or not box:
        raise BadInput("the token names no box")
    return box


def verify(token: str, *, key: str) -> None:
    """Check that the box's key signed the token within the last minute. Raises: NotSignedIn: it did not."""
    tokens.verify(token, key=key, audience=AUDIENCE, max_age_s=TOKEN_S)


def keep_alive(connection: socket.socket) -> None:
    """Turn on TCP keepalive: a peer machine that vanished is noticed after about a minute of silence."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if (option := getattr(socket, name, None)) is not None:  # macOS calls them otherwise; boxes run on Linux
            connection.setsockopt(socket.IPPROTO_TCP, option, value)
