"""The runner's client of the gateway (core.protocol.gateway_api): the settings of a CLI, and the ingest of events."""

import asyncio
import io
from collections.abc import Callable
from typing import TypeVar

import aiohttp
import msgspec

from core.domain.errors import NotFound, PlatformError, Unavailable
from core.protocol import gateway_api as api
from core.protocol.gateway_api import Gap, LogBehind, Spec
from core.runner.gateway_transport import Connector, Transport

CALL_S = 10.0
AWAY_S = 120.0  # a start waits this long for a gateway that is away, as the bridge does (G4)
RETRY_S = 0.2

T = TypeVar("T")


class GatewayClient:
    """The client of a runner; it reconnects by itself.

    `sign` makes the token that marks a call as the runner's own, because other programs in the box can reach the
    gateway too. It raises ConnectionError while the runner has no user.
    """

    def __init__(self, transport: Transport, *, sign: Callable[[], str]) -> None:
        self._sign = sign
        self._http = aiohttp.ClientSession(
            connector=Connector(transport, limit=16), timeout=aiohttp.ClientTimeout(total=CALL_S)
        )

    async def close(self) -> None:
        await self._http.close()

    async def spec(self, session: str, *, patience_s: float = AWAY_S) -> Spec:
        """Return everything that a session's CLI starts with. Raises: NotFound: no such session. Unavailable: no
        gateway for `patience_s`.
        """
        deadline = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                raw = await self._call(api.SPEC, api.SpecRequest(session=session))
                return msgspec.json.decode(raw, type=Spec)
            except msgspec.DecodeError as error:
                raise Unavailable(f"the gateway's spec is invalid: {error}") from error
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(RETRY_S)

    async def check_tool(self, call: api.ToolCall) -> api.ToolCheck:
        """Return whether a person has to decide about a platform tool's call. Raises: NotFound, Unavailable."""
        return _read(await self._call(api.TOOL_CHECK, call), api.ToolCheck)

    async def call_tool(self, call: api.ToolCall) -> api.ToolAnswer:
        """Have the gateway carry out a platform tool's call. Raises: NotFound, Unavailable."""
        return _read(await self._call(api.TOOL, call), api.ToolAnswer)

    async def ingest(self, session: str, lines: list[bytes]) -> api.Acknowledged:
        """Hand over stored events. Returns the number up to which the Store has them, and the costs of their turns.

        Raises: Gap, LogBehind, NotFound (the session was deleted), Unavailable.
        """
        batch = api.EventBatch(session=session, events=[msgspec.Raw(line) for line in lines])
        return _read(await self._call(api.EVENTS, batch), api.Acknowledged)

    async def tail(self, session: str, after: int) -> list[bytes]:
        """Return a page of the stored events after a number, in order; none if there are no more.

        Raises: NotFound (the session was deleted), Unavailable.
        """
        raw = await self._call(api.LOG, api.LogRequest(session=session, after=after))
        try:
            return [bytes(line) for line in msgspec.json.decode(raw, type=api.LogPage).events]
        except msgspec.DecodeError as error:
            raise Unavailable(f"the gateway's page is invalid: {error}") from error

    async def _call(self, path: str, body: msgspec.Struct) -> bytes:
        data = io.BytesIO(msgspec.json.encode(body))
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._sign()}"}
            async with self._http.post("http://gateway" + path, data=data, headers=headers) as answer:
                raw = await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{path}: {type(error).__name__} {error}") from error
        if answer.status < 400:
            return raw
        raise _refusal(path, answer.status, raw)


def _refusal(path: str, status: int, raw: bytes) -> PlatformError:
    text = f"{path}: {status} {raw[:200].decode(errors='replace')}"
    if status == 404:
        return NotFound(text)
    if status != 409:
        return Unavailable(text)
    try:
        refusal = msgspec.json.decode(raw, type=api.IngestRefusal)
    except msgspec.DecodeError:
        return Unavailable(text)
    return (LogBehind if refusal.code == LogBehind.code else Gap)(refusal.acked)


def _read(raw: bytes, kind: type[T]) -> T:
    """Raises: Unavailable: it is not what the gateway answers."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        raise Unavailable("the gateway's answer is invalid") from error
