"""The egress proxy: authenticates and checks each outbound connection of a box, tunnels it, and logs it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from core.domain.errors import NotFound, NotSignedIn, PlatformError, TooMuch, Unavailable
from core.domain.records import Agent, Connection, Session, now
from core.gateway.egress import proxy_request
from core.gateway.egress.connection_log import ConnectionLog, new_id
from core.gateway.egress.network import Network
from core.gateway.egress.policy import Policy, Refused, Target, Unreachable, printable_host
from core.gateway.egress.proxy_request import ProxyRequest
from core.gateway.egress.tunnel import TunnelEnd
from core.gateway.identity import Caller, verified_claims
from core.store import Store

log = logging.getLogger("oma.egress")

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
REASONS = {400: "Bad Request", 407: "Proxy Authentication Required", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressLimits:
    """The limits of one box."""

    connections: int = 64
    lookups: int = 8  # names looked up at once; further ones wait
    burst: int = 200  # new connections at once
    per_s: float = 10.0  # and further ones per second
    head_s: float = 10.0
    dial_s: float = 20.0  # resolving and all addresses together
    idle_s: float = 300.0
    linger_s: float = 10.0  # for the last bytes to a slow reader


@dataclass(slots=True)
class _Account:
    """The open connections of one box, and how many it may still begin."""

    caller: Caller
    left: float
    at: float
    lookups: asyncio.Semaphore
    ends: set[TunnelEnd] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Requester:
    session: Session
    agent: Agent


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """The state of one connection, from which its row in the log is made."""

    began: float
    far: TunnelEnd | None = None
    address: str = ""
    decision: str = "failed"
    reason: str = ""
    why: str = ""


class Egress:
    """Serves the connections of all boxes: `handler_for(caller)` handles those of one; `close` ends all of them."""

    def __init__(
        self,
        *,
        store: Store,
        keys: Sequence[str],
        outside: Network | None = None,
        limits: EgressLimits | None = None,
    ) -> None:
        self._store, self._keys = store, keys
        self._outside, self._limits = outside or Network(), limits or EgressLimits()
        self._policy = Policy(self._outside)
        self._log = ConnectionLog(store)
        self._accounts: dict[str, _Account] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock = asyncio.get_running_loop().time

    def handler_for(self, caller: Caller) -> Callable[[TunnelEnd], None]:
        """Return the function that handles the connections of this box."""

        def take(near: TunnelEnd) -> None:
            task = asyncio.get_running_loop().create_task(self._serve(near, caller), name=f"egress {caller.box}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return take

    def hang_up(self, box: str) -> None:
        """Abort all connections of a box that is gone."""
        if account := self._accounts.pop(box, None):
            for end in list(account.ends):
                end.abort()
                if end.other:
                    end.other.abort()

    async def close(self, *, within_s: float = 0.0) -> None:
        """Wait up to `within_s` for connections to end, abort the rest, and write the log.

        Idempotent.
        """
        if within_s and self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        for box in list(self._accounts):
            self.hang_up(box)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._log.close()

    async def _serve(self, near: TunnelEnd, caller: Caller) -> None:
        account = self._account(caller)
        account.ends.add(near)
        try:
            self._count_connection(account)
            async with asyncio.timeout(self._limits.head_s):
                raw = await near.head()
            if raw:
                ask = proxy_request.parse(raw)
                await self._connect(near, ask, await self._requester(ask, caller), account)
        except TimeoutError:
            log.info("box %s did not finish its request", caller.box)
        except PlatformError as error:
            _answer(near, error)
        finally:
            await self._release(near)
            account.ends.discard(near)

    def _account(self, caller: Caller) -> _Account:
        account = self._accounts.get(caller.box)
        if account is None:
            self._forget_idle()
            account = self._accounts[caller.box] = _Account(
                caller=caller,
                left=self._limits.burst,
                at=self._clock(),
                lookups=asyncio.Semaphore(self._limits.lookups),
            )
        return account

    def _forget_idle(self) -> None:
        """Forget boxes without open connections whose allowance is full again: nobody says when a box is gone."""
        for box, account in list(self._accounts.items()):
            if not account.ends and self._allowance(account) >= self._limits.burst:
                del self._accounts[box]

    def _allowance(self, account: _Account) -> float:
        return min(self._limits.burst, account.left + (self._clock() - account.at) * self._limits.per_s)

    def _count_connection(self, account: _Account) -> None:
        """Count one more connection of a box. Raises: TooMuch: too many are open, or begin too fast."""
        account.left, account.at = self._allowance(account), self._clock()
        if len(account.ends) > self._limits.connections:
            raise TooMuch(f"only {self._limits.connections} connections may be open at once")
        if account.left < 1:
            raise TooMuch("too many new connections in a short time; wait a little")
        account.left -= 1

    async def _requester(self, ask: ProxyRequest, caller: Caller) -> _Requester:
        """Return session and agent of a request. Raises: NotSignedIn: its token is none of this box's sessions."""
        try:
            claims = verified_claims(ask.token, caller=caller, keys=self._keys)
            session = await self._store.get(Session, str(claims.get("session")), owner=caller.user)
            agent = await self._store.get(Agent, session.agent, owner=caller.user)
        except (NotSignedIn, NotFound) as error:
            raise NotSignedIn("this proxy wants the credentials in HTTPS_PROXY", code="proxy_token") from error
        return _Requester(session=session, agent=agent)

    async def _connect(self, near: TunnelEnd, ask: ProxyRequest, who: _Requester, account: _Account) -> None:
        trip = _Attempt(began=self._clock())
        try:
            await self._open_tunnel(near, ask, who, trip, account.lookups)
        except TimeoutError as error:
            trip.reason, trip.why = f"{printable_host(ask.target.host)} does not answer", Unreachable.code
            raise Unreachable(trip.reason) from error
        except PlatformError as error:
            trip.reason, trip.why = str(error), error.code
            trip.decision = "refused" if isinstance(error, Refused) else "failed"
            raise
        finally:
            # No await before this: we may be cancelled in it.
            self._log.record(self._row(near, ask, who, trip), owner=account.caller.user)
            if trip.far:
                await self._release(trip.far)

    async def _open_tunnel(
        self, near: TunnelEnd, ask: ProxyRequest, who: _Requester, trip: _Attempt, lookups: asyncio.Semaphore
    ) -> None:
        async with asyncio.timeout(self._limits.dial_s):
            async with lookups:
                found = await self._policy.addresses(ask.target, allowed=who.agent.egress)
            trip.far, trip.address = far, _ = await self._dial(ask.target, found)
        trip.decision = "connected"
        if not ask.opening:
            near.write(TUNNEL)
        far.write(ask.opening)
        near.join(far)
        trip.reason = await self._until_over(near, far)
        trip.why = "egress_quiet" if trip.reason else ""

    def _row(self, near: TunnelEnd, ask: ProxyRequest, who: _Requester, trip: _Attempt) -> Connection:
        return Connection(
            id=new_id(),
            agent=who.agent.id,
            session=who.session.id,
            host=printable_host(ask.target.host).lower(),
            port=ask.target.port,
            address=trip.address,
            decision=trip.decision,
            reason=trip.reason,
            why=trip.why,
            sent_bytes=near.bytes_in + len(ask.opening) if trip.far else 0,
            received_bytes=trip.far.bytes_in if trip.far else 0,
            seconds=round(self._clock() - trip.began, 3),
            updated_at=now(),
        )

    async def _dial(self, target: Target, found: list[str]) -> tuple[TunnelEnd, str]:
        for address in found:
            try:
                return await self._outside.dial(address, target.port), address
            except (OSError, TimeoutError) as error:
                log.debug("%s does not answer: %s", address, error)
        raise Unreachable(f"{printable_host(target.host)} does not answer")

    async def _until_over(self, near: TunnelEnd, far: TunnelEnd) -> str:
        """Wait until one side has closed or the tunnel was idle for too long; return the reason, or nothing."""
        while True:
            quiet = self._clock() - max(near.heard_at, far.heard_at)
            if quiet >= self._limits.idle_s:
                return "nothing moved for too long"
            waits = {near.closed, far.closed}
            done, _ = await asyncio.wait(
                waits, timeout=self._limits.idle_s - quiet, return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return ""

    async def _release(self, end: TunnelEnd) -> None:
        """Give the last bytes some time to go out, then close."""
        end.close()
        try:
            await asyncio.wait({end.closed}, timeout=self._limits.linger_s)
        finally:
            end.abort()


def _answer(near: TunnelEnd, error: PlatformError) -> None:
    """Refuse a request. The reason phrase has the sentence, too: Python and pip show that of a proxy's refusal."""
    status = {401: 407, 503: 502}.get(error.status, error.status)
    if isinstance(error, Unavailable) and not isinstance(error, Unreachable):
        status = 503
    text = f"{error}\n".encode()
    phrase = REASONS.get(status) or str(error).encode("ascii", "replace").decode()
    ask = 'Proxy-Authenticate: Basic realm="Oh My Agent"\r\n' if status == 407 else ""
    near.write(
        f"HTTP/1.1 {status} {phrase}\r\n{ask}Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
        + text
    )
