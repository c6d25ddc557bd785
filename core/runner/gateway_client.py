"""The runner's only way out: the gateway, asked for what a CLI starts with and given what happened."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from core.domain.errors import Conflict, NotFound, PlatformError, Unavailable
from core.runner.gateway_transport import Connector, Transport

CALL_S = 10.0
AWAY_S = 120.0  # how long a start waits for a gateway that is away, as the bridge does (G4)
RETRY_S = 0.2


class AgentSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's record as the gateway tells it."""

    id: str
    name: str = ""
    description: str = ""
    model: str = ""
    permission_mode: str = "acceptEdits"
    rules: tuple[str, ...] = ()
    draft: bool = False


class SessionSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The session's record as the gateway tells it."""

    id: str
    kind: str = "chat"
    locale: str = "ko"


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What the CLI of a session starts with. `token` is good for this session's model calls only.

    `secrets` are the agent's, by name. They are in this process and the CLI's, and in nothing that is written.
    """

    token: str
    provider: str = ""
    agent: AgentSpec
    session: SessionSpec
    secrets: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Spec({self.session.id})"


class _Page(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw]


class Gap(Conflict):
    """The gateway lacks events before those we sent; it has all up to `acked`."""

    code = "gap"

    def __init__(self, acked: int) -> None:
        super().__init__(f"the gateway has events up to {acked}")
        self.acked = acked


class LogBehind(Conflict):
    """The gateway has other events under our numbers: our log has lost its end, and the numbers were given again."""

    code = "log_behind"

    def __init__(self, acked: int) -> None:
        super().__init__(f"the gateway has other events after {acked}")
        self.acked = acked


class GatewayClient:
    """Its calls. One instance a runner; it reconnects by itself.

    `word` signs a call as the runner's own: what else runs in the box has the same road. Raises: ConnectionError: the
    runner is nobody's yet.
    """

    def __init__(self, road: Transport, *, word: Callable[[], str]) -> None:
        self._word = word
        self._http = aiohttp.ClientSession(
            connector=Connector(road, limit=16), timeout=aiohttp.ClientTimeout(total=CALL_S)
        )

    async def close(self) -> None:
        await self._http.close()

    async def spec(self, session: str, *, patience_s: float = AWAY_S) -> Spec:
        """Raises: NotFound: no such session. Unavailable: no gateway for `patience_s`."""
        deadline = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                raw = await self._call("/internal/spec", {"session": session})
                return msgspec.json.decode(raw, type=Spec)
            except msgspec.DecodeError as error:
                raise Unavailable(f"the gateway's spec is not one: {error}") from error
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(RETRY_S)

    async def draft(self, session: str, name: str, description: str, icon: str) -> None:
        """Change the agent's record from inside its builder session."""
        body = {"session": session, "name": name, "description": description, "icon": icon}
        await self._call("/internal/draft", body)

    async def ingest(self, session: str, lines: list[bytes]) -> int:
        """Hand over stored events; the number up to which the gateway has them.

        Raises: Gap, LogBehind, NotFound (the session was deleted), Unavailable.
        """
        raw = await self._call(
            "/internal/events", b'{"session":"%s","events":[%s]}' % (session.encode(), b",".join(lines))
        )
        return _acked(raw)

    async def tail(self, session: str, after: int) -> list[bytes]:
        """Some of the stored events after that number, in order; none if there are no more.

        Raises: NotFound (the session was deleted), Unavailable.
        """
        raw = await self._call("/internal/log", {"session": session, "after": after})
        try:
            return [bytes(line) for line in msgspec.json.decode(raw, type=_Page).events]
        except msgspec.DecodeError as error:
            raise Unavailable(f"the gateway's page is not one: {error}") from error

    async def _call(self, path: str, body: dict[str, Any] | bytes) -> bytes:
        data = io.BytesIO(body if isinstance(body, bytes) else msgspec.json.encode(body))
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._word()}"}
            async with self._http.post("http://gateway" + path, data=data, headers=headers) as answer:
                raw = await answer.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{path}: {type(error).__name__} {error}") from error
        if answer.status < 400:
            return raw
        raise _refusal(path, answer.status, raw)


def _refusal(path: str, status: int, raw: bytes) -> PlatformError:
    said = f"{path}: {status} {raw[:200].decode(errors='replace')}"
    if status == 404:
        return NotFound(said)
    if status == 409:
        return (LogBehind if b'"log_behind"' in raw else Gap)(_acked(raw))
    return Unavailable(said)


def _acked(raw: bytes) -> int:
    try:
        return int(msgspec.json.decode(raw)["acked"])
    except (msgspec.DecodeError, TypeError, ValueError, KeyError) as error:
        raise Unavailable("the gateway's answer is not one") from error
