"""POST requests to addresses that users name: held to the same rules as an agent's connections.

The name is resolved once, every address of it is checked, and only these are connected to, so a name that changes its
mind afterwards (DNS rebinding) leads nowhere. Redirects are not followed. Proxies of the environment are not used.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from core.domain.errors import BadInput
from core.gateway.egress.network import Network
from core.gateway.egress.policy import Policy, Refused, Target, Unreachable
from core.services.notify.transport import ANSWER_CHARS, NotDelivered

SEND_S = 15.0  # lookup, connection and answer together
ANSWER_BYTES = 2048  # of the other side's answer that are read
URL_CHARS = 2000
LATER = frozenset({408, 425, 429})  # answers of the 4xx that a later attempt may change
EVERYWHERE = ("*",)
HTTPS = 443

Address = tuple[str, int]


def host_of(url: str) -> str:
    """Return the host of a URL that may be called. Raises: BadInput (`bad_channel_url`): it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise BadInput("this is no URL", code="bad_channel_url") from error
    odd = parts.username or parts.password or parts.fragment or len(url) > URL_CHARS or not url.isprintable()
    if parts.scheme != "https" or not parts.hostname or odd or " " in url or port not in (None, HTTPS):
        raise BadInput("a channel's URL begins with https://", code="bad_channel_url")
    return parts.hostname


class GuardedPost:
    """Makes the requests. `reach` and `tls` are for tests: no setting leads to them."""

    def __init__(
        self,
        outside: Network | None = None,
        *,
        reach: Callable[[Address], Address] = lambda address: address,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._policy, self._reach, self._tls = Policy(outside or Network()), reach, tls

    async def check(self, url: str) -> None:
        """Raises: BadInput (`bad_channel_url`, `channel_refused`): the platform calls no such address."""
        try:
            await self._addresses(url)
        except Refused as error:
            raise BadInput(str(error), code="channel_refused") from error
        except Unreachable:
            return  # a name that is not known today may be known when it is called

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Send one POST and return what was answered. Raises: NotDelivered."""
        try:
            async with asyncio.timeout(SEND_S):
                return await self._post(url, body, headers)
        except TimeoutError as error:
            raise NotDelivered(f"no answer within {SEND_S:.0f} s") from error
        except Refused as error:
            raise NotDelivered(str(error), permanent=True) from error
        except (Unreachable, BadInput) as error:
            raise NotDelivered(str(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise NotDelivered(f"not reached: {type(error).__name__}") from error  # its text may quote the URL

    async def _addresses(self, url: str) -> list[str]:
        target = Target(host_of(url), HTTPS)
        return await self._policy.addresses(target, allowed=EVERYWHERE)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> str:
        resolver = _Checked(await self._addresses(url), self._reach)
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, ssl=self._tls or True)
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as client,
            client.post(url, data=body, headers=dict(headers), allow_redirects=False) as answer,
        ):
            said = (await answer.content.read(ANSWER_BYTES)).decode(errors="replace")
            return _judged(answer.status, said)


def _judged(status: int, said: str) -> str:
    """Return the answer in one line. Raises: NotDelivered: it is a refusal."""
    words = "".join(c if c.isprintable() else " " for c in said).strip()
    answer = f"HTTP {status}" + (f" {words}" if words else "")
    if 200 <= status < 300:
        return answer[:ANSWER_CHARS]
    redirects = 300 <= status < 400
    permanent = redirects or (400 <= status < 500 and status not in LATER)
    raise NotDelivered(f"{answer} (redirects are not followed)" if redirects else answer, permanent=permanent,
                       gone=status in (404, 410))  # fmt: skip


class _Checked(AbstractResolver):
    """Answers with the addresses that were checked, whatever is asked."""

    def __init__(self, addresses: Sequence[str], reach: Callable[[Address], Address]) -> None:
        self._addresses, self._reach = addresses, reach

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = (self._reach((address, port)) for address in self._addresses)
        return [
            ResolveResult(
                hostname=host, host=address, port=number, family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0, flags=socket.AI_NUMERICHOST,
            )
            for address, number in found
        ]  # fmt: skip

    async def close(self) -> None:
        """There is nothing to close."""
