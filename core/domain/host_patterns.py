"""Host names as people, agents and attackers write them: brought into one canonical form and compared whole.

Pure. What a name resolves to is judged elsewhere (core/gateway/egress/addresses.py).
"""

import ipaddress
import re
from collections.abc import Iterable

from core.domain.errors import BadInput

ANYWHERE = "*"
ENTRIES = 200  # in an agent's allow list
NAME_CHARS = 253

PAGE = re.compile(r"https?://(?P<host>\[[^\]]*\]|[^/:?#@]+)(?::\d+)?(?:[/?#].*)?$", re.IGNORECASE | re.DOTALL)
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes a name an address, for some libraries

# Wherever they are resolved, these names mean this machine, this network or the cloud's own service.
PRIVATE_SUFFIXES = (
    "localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "in-addr.arpa",
    "ip6.arpa", "cluster.local", "svc",
)  # fmt: skip
METADATA = frozenset({"metadata.goog", "metadata.google.internal", "instance-data.ec2.internal"})


class BadHost(BadInput):
    """The text is not the name of a public host. The message gives the reason."""

    code = "bad_host"


def canonical(text: str) -> str:
    """Return a name in lower case and ASCII without its last dot, or an address in its usual spelling (IPv6 without
    brackets). Raises: BadHost: forbidden characters, or an address in an unusual spelling.
    """
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
        if ":" not in text:
            raise BadHost("only an IPv6 address stands in brackets")
    if ":" in text:
        return _ipv6(text)
    name = _ascii(text).removesuffix(".")
    if not name or len(name) > NAME_CHARS:
        raise BadHost("an empty name" if not name else "a name that is too long")
    labels = name.split(".")
    if not all(LABEL.fullmatch(label) for label in labels):
        raise BadHost("a name with characters that no name has")
    if NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError as error:
            raise BadHost("an address in an unusual spelling") from error
    return name


def check_public(name: str) -> None:
    """Refuse names of this machine, its network or its cloud. `name` is canonical. Raises: BadHost."""
    if is_address(name):
        return
    if name in METADATA:
        raise BadHost("the cloud's metadata service")
    if "." not in name or any(name == suffix or name.endswith("." + suffix) for suffix in PRIVATE_SUFFIXES):
        raise BadHost("a name of this machine or its network")


def is_address(name: str) -> bool:
    """True if a canonical name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def in_list(name: str, entries: Iterable[str]) -> bool:
    """True if a canonical name matches one of `entries`. `*` matches everything, `*.example.com` every name that ends
    in `.example.com` (not `example.com` itself); all others have to be equal.
    """
    return any(
        entry == ANYWHERE or entry == name or (entry.startswith("*.") and name.endswith(entry[1:])) for entry in entries
    )


def host_of(text: str) -> str:
    """Return the host of a web address that a person pasted; other texts are returned without outer blanks."""
    found = PAGE.fullmatch(text.strip())
    return found["host"] if found else text.strip()


def allow_list(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the entries that a user typed in the form that `in_list` compares, without duplicates.

    Raises: BadHost: one of them is neither `*`, a host nor `*.` and a name, or could never be allowed (code
    `private_host`). BadInput: too many.
    """
    wanted = [entry.strip() for entry in entries]
    if len(wanted) > ENTRIES:
        raise BadInput(f"at most {ENTRIES} hosts", code="too_many_hosts")
    return tuple(dict.fromkeys(_entry(entry) for entry in wanted if entry))


def _entry(text: str) -> str:
    if text == ANYWHERE:
        return text
    if not text.startswith("*."):
        return _allowable(canonical(text))
    rest = _allowable(canonical(text[2:]))
    if is_address(rest):
        raise BadHost("an address has no names below it")
    return f"*.{rest}"


def _allowable(name: str) -> str:
    """Return `name`. Raises: BadHost: the gateway refuses this name whatever the list says."""
    try:
        check_public(name)
    except BadHost as error:
        raise BadHost(str(error), code="private_host") from error
    if is_address(name) and not ipaddress.ip_address(name).is_global:
        raise BadHost("an address of this machine or its network", code="private_host")
    return name


def _ascii(text: str) -> str:
    """Encode a name in IDNA. The result is checked like every other name, because IDNA turns look-alike dots and digits
    into real ones. Long names are refused first: the time grows with the square of the length.
    """
    if text.isascii():
        return text.lower()
    if len(text) > NAME_CHARS:
        raise BadHost("a name that is too long")
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise BadHost("a name that cannot be written in ASCII") from error


def _ipv6(text: str) -> str:
    if "%" in text:
        raise BadHost("an address with a zone")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError as error:
        raise BadHost("an address in an unusual spelling") from error
