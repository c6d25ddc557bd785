"""Parses a program's request to its proxy strictly: `CONNECT host:port`, or a plain http:// request."""

import base64
import binascii
import re
from dataclasses import dataclass

from core.domain.errors import BadInput
from core.gateway.egress.policy import Target

METHOD_BYTES = 16
PEEK_BYTES = METHOD_BYTES + len(" http://")

FIRST_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e\x80-\xff]+) HTTP/1\.[01]")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*)")
AUTHORITY = re.compile(r"(?P<host>\[[^\]@/]*\]|[^:@/\[\]]+)(?::(?P<port>[0-9]{1,5}))?")
# Headers for the proxy or for this connection only; all others are forwarded.
OURS = frozenset(
    {b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive", b"upgrade", b"te", b"host"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyRequest:
    """A parsed request. `opening` is sent to the target first; it is empty for a tunnel."""

    target: Target
    token: str
    opening: bytes = b""


def is_for_egress(first: bytes) -> bool | None:
    """Tell from its first bytes whether a connection is for egress; None: more bytes are needed.

    Everything else that comes on a box's socket has a path in its first line and is the gateway's own API.
    """
    method, space, rest = first[:PEEK_BYTES].partition(b" ")
    if not space:
        return None if len(first) <= METHOD_BYTES and b"\n" not in first else False
    if method == b"CONNECT":
        return True
    start = rest[:7].lower()
    if not b"http://".startswith(start):
        return False
    return True if start == b"http://" else None


def parse(head: bytes) -> ProxyRequest:
    """Parse the head of a request. Raises: BadInput: it is no request to a proxy."""
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    line = FIRST_LINE.fullmatch(first)
    fields = [FIELD.fullmatch(each) for each in lines]
    if not line or not all(fields):
        raise BadInput("this is no request that a proxy understands")
    headers = [(field[1], field[2]) for field in fields if field]
    token = _token([value for name, value in headers if name.lower() == b"proxy-authorization"])
    method, where = line[1], line[2]
    if method == b"CONNECT":
        return ProxyRequest(target=_target(where, port=0), token=token)
    authority, slash, path = _split(where[len("http://") :])
    kept = b"".join(b"%s: %s\r\n" % pair for pair in headers if pair[0].lower() not in OURS)
    return ProxyRequest(
        target=_target(authority, port=80),
        token=token,
        # One request per connection: the next one may be for another host and has to be checked.
        opening=b"%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n"
        % (method, slash + path if slash == b"/" else b"/" + slash + path, authority, kept),
    )


def _split(rest: bytes) -> tuple[bytes, bytes, bytes]:
    at = min((found for mark in b"/?#" if (found := rest.find(mark)) >= 0), default=len(rest))
    return rest[:at], rest[at : at + 1], rest[at + 1 :]


def _target(authority: bytes, *, port: int) -> Target:
    try:
        match = AUTHORITY.fullmatch(authority.decode())
    except UnicodeDecodeError as error:
        raise BadInput("the host is no text") from error
    number = int(match["port"] or port) if match else 0
    if not match or not 1 <= number <= 65535:
        raise BadInput("the target has to be host:port")
    return Target(match["host"], number)


def _token(values: list[bytes]) -> str:
    """Return the password of Basic credentials; empty if there are none."""
    scheme, _, coded = (values[0] if len(values) == 1 else b"").partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return base64.b64decode(coded.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
