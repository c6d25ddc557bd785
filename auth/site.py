"""Our own addresses, and the address of a caller behind trusted proxies."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from starlette.types import Scope

from core.config.settings import Settings
from core.domain.errors import Misconfigured

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
HOST = re.compile(r"(?P<name>[a-z0-9.-]+|\[[0-9a-f:]+\])(?::(?P<port>[0-9]{1,5}))?")
FORWARDED = (b"forwarded", b"x-real-ip")  # and all that begin with x-forwarded-
UNKNOWN = "unknown"


class Site:
    """Our own address as the settings tell it: in local mode also every loopback name, on any port."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.url)
        self.url = settings.url
        self.secure = public.scheme == "https"
        self._public = {_host_of(public.scheme, public.netloc): f"{public.scheme}://{public.netloc}".lower()}
        self._aliases = {_host_of(public.scheme, name) for name in settings.aliases} - self._public.keys()
        self._local = not settings.production
        try:
            self._proxies = [ip_network(name, strict=False) for name in settings.trusted_proxies]
        except ValueError as error:
            raise Misconfigured(f"OMA_TRUSTED_PROXIES: {error}") from error

    def origin(self, host: str) -> str | None:
        """Return the origin for this Host header, or None if it is not ours."""
        host = host.lower()
        if origin := self._public.get(host) or self._public.get(_host_of("https" if self.secure else "http", host)):
            return origin
        return f"http://{host}" if self._local and self.loopback(host) else None

    def alias(self, host: str) -> bool:
        """Return whether a Host header is one of OMA_ALIASES."""
        return _host_of("https" if self.secure else "http", host) in self._aliases

    def loopback(self, host: str) -> bool:
        """Return whether a Host header is a loopback name."""
        match = HOST.fullmatch(host.lower())
        return match is not None and match["name"] in LOOPBACK

    def caller(self, scope: Scope) -> str:
        """Return the client's address: the peer's, or the one that trusted proxies report."""
        peer = (scope.get("client") or (UNKNOWN,))[0]
        if not self._trusted(peer):
            return str(peer)
        chain = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
        for hop in reversed(chain.decode("latin-1").split(",")):
            if not self._trusted(hop.strip()):
                return hop.strip() if _address(hop.strip()) else str(peer)
        return str(peer)

    def _trusted(self, peer: str) -> bool:
        address = _address(peer)
        return address is not None and any(address in network for network in self._proxies)


def strip_forwarded(scope: Scope, *, scheme: str) -> None:
    """Remove forwarding headers, which a client may have invented, and set the real scheme.

    NiceGUI believes X-Forwarded-Prefix of anybody; Engine.IO learns only from X-Forwarded-Proto that we are https.
    """
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in FORWARDED and not name.startswith(b"x-forwarded-")
    ]
    scope["headers"] = [*kept, (b"x-forwarded-proto", scheme.encode())]
    scope["scheme"] = {"websocket": {"http": "ws", "https": "wss"}}.get(scope["type"], {}).get(scheme, scheme)


def network_of(caller: str) -> str:
    """Return the unit of rate limits: an IPv4 address, or the /64 network of one IPv6 customer."""
    address = _address(caller)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return caller if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address. An IPv4 client of a dual-stack socket appears as ::ffff:1.2.3.4 and becomes 1.2.3.4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _host_of(scheme: str, netloc: str) -> str:
    """Return the Host header that browsers send: without the scheme's default port."""
    return netloc.lower().removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))
