"""A user's runner: dormant until it is bound to a user, then it holds the user's sessions while anybody needs them
(G4).
"""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from core.domain.errors import BadInput, Conflict, StoreUnavailable, Unavailable
from core.protocol import handshake, tokens
from core.protocol.runner_api import Init, SessionLimits
from core.runner.bridge import Bridge
from core.runner.changes.tracker import ChangeTracker
from core.runner.cli_argv import CliPaths
from core.runner.cli_launcher import CliLauncher
from core.runner.gateway_client import GatewayClient
from core.runner.gateway_transport import transport_to
from core.runner.known_secrets import KnownSecrets
from core.runner.scratch import remove_copies
from core.runner.sessions import Sessions
from core.runner.terminals.terminals import Terminals
from core.runner.versions.versions import Versions

log = logging.getLogger("oma.runner")

ALONE_S = 60.0  # without any connected client, the runner ends itself if no turn is open
LOOK_S = 1.0


class Runner:
    """The runner. `await open()`, `bind`, and wait for `ended`; `stop` may be called at any time.

    `gateway` is the path of its socket or `http://host:port`. A `spare` waits without end to be bound. `pod` is its
    name if other runners have the same `boot_key`.
    """

    def __init__(
        self,
        *,
        cli: str,
        home: Path,
        gateway: str,
        boot_key: str,
        pod: str = "",
        spare: bool = False,
        alone_s: float = ALONE_S,
        known: KnownSecrets | None = None,
    ) -> None:
        self._cli, self._home, self._spare = cli, home, spare
        self.versions = Versions(home)
        self.boot_key, self.pod = boot_key, pod
        self._alone_s, self._known = alone_s, known or KnownSecrets()
        self._bound: Init | None = None
        self._sessions: Sessions | None = None
        self._tracker: ChangeTracker | None = None
        transport = transport_to(gateway, first_line=self._first_line)
        self._gateway = GatewayClient(transport, sign=self._sign)
        self._bridge = Bridge(transport)
        self._connected = 0
        self._last_seen = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Task[None] | None = None
        self.ended = asyncio.Event()

    async def open(self) -> None:
        """Start everything that needs no user."""
        await asyncio.to_thread(remove_copies, self._home)
        await self._bridge.open()
        place = CliPaths(self._cli, self._home, self._bridge.port)
        self._launcher = CliLauncher(place, self._gateway, self._known, self._bridge.calls)
        self.terminals = Terminals(self._launcher)
        for work in (self._launcher.load(), self._look()):
            self._tasks.add(asyncio.get_running_loop().create_task(work))

    def bind(self, init: Init) -> None:
        """Bind the runner to a user. Idempotent for the same user.

        Raises: Conflict: it has another user. StoreUnavailable: there is no place for logs; the call may be repeated.
        """
        bound = self._bound
        if bound and (bound.user, bound.box) != (init.user, init.box):
            raise Conflict("this runner is bound to another user", code="bound")
        limits = SessionLimits(
            max_live_sessions=max(1, init.max_live_sessions), idle_cli_s=init.idle_cli_s, orphan_s=init.orphan_s
        )
        if self._sessions is None:
            sessions = Sessions(self._launcher, limits, init.log_key.encode())
            try:
                sessions.open_all(take_over=init.take_over)
            except OSError as error:
                raise StoreUnavailable(f"the sessions cannot be opened: {error}") from error
            self._sessions, self._tracker = sessions, ChangeTracker(self._home, sessions)
        self._bound, self._sessions.limits = init, limits

    @property
    def bound(self) -> Init | None:
        return self._bound

    @property
    def home(self) -> Path:
        """The user's home in the box."""
        return self._home

    @property
    def agents(self) -> Path:
        """The folder with the agents' folders."""
        return self._home / "agents"

    @property
    def sessions(self) -> Sessions:
        """The user's sessions. Raises: Unavailable: the runner has no user yet, or is ending and begins nothing new."""
        if self._stopping is not None:
            raise Unavailable("this runner is ending", code="stopping")
        if self._sessions is None:
            raise Unavailable("not bound to a user yet", code="dormant")
        return self._sessions

    @property
    def tracker(self) -> ChangeTracker:
        """The tracker that keeps snapshots of the agents' folders. Raises: Unavailable: the runner has no user yet."""
        if self._tracker is None:
            raise Unavailable("not bound to a user yet", code="dormant")
        return self._tracker

    @property
    def idle_s(self) -> float:
        """The seconds since a client was connected; 0 while one is."""
        return 0.0 if self._connected else time.monotonic() - self._last_seen

    def unused_s(self, sessions: Sessions) -> float:
        """Return for how long nobody has worked with a session or a terminal, in seconds."""
        return min(sessions.idle_s, self.terminals.idle_s)

    @contextmanager
    def client_connected(self) -> Iterator[None]:
        """Count a client as connected while the context is open."""
        self._connected += 1
        try:
            yield
        finally:
            self._connected -= 1
            self._last_seen = time.monotonic()

    async def stop(self, reason: str = "shutdown", *, idle_s: float = 0.0) -> None:
        """End everything in good order. Idempotent. From here on calls that change a session are refused.

        Raises: Conflict: something runs, or did within `idle_s`; nothing was ended.
        """
        sessions = self._sessions
        # No await between this check and the start of the end: a message comes before it, or is refused.
        if idle_s and sessions and self._stopping is None and self.unused_s(sessions) < idle_s:
            raise Conflict("this runner is in use", code="busy")
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop(reason))
        await asyncio.shield(self._stopping)

    async def _stop(self, reason: str) -> None:
        try:
            if self._sessions:
                await asyncio.gather(self.terminals.close(), self._sessions.close(reason))
            await self._gateway.close()
            await self._bridge.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:
            self.ended.set()

    def _first_line(self) -> bytes:
        return handshake.encode(self._whose.box, self._whose.key)

    def _sign(self) -> str:
        return tokens.sign({}, key=self._whose.key, audience=tokens.box_audience(self._whose.box))

    @property
    def _whose(self) -> Init:
        """The binding. Raises: ConnectionError: the runner has no user, and so nothing to say to a gateway."""
        if self._bound is None:
            raise ConnectionError("not bound to a user yet")
        return self._bound

    async def _look(self) -> None:
        while self._stopping is None:
            await asyncio.sleep(min(LOOK_S, self._alone_s / 4))
            reason = self._why_end()
            if reason:
                log.info("nobody has been connected for %.0f s: %s", self.idle_s, reason)
                self._stopping = asyncio.get_running_loop().create_task(self._stop(reason))

    def _why_end(self) -> str:
        if self.idle_s < self._alone_s or (self._spare and self._bound is None):
            return ""
        if self._sessions is None or not self._sessions.open_turns:
            return "shutdown"
        return "orphaned" if self.idle_s > self._sessions.limits.orphan_s else ""


def read_init(raw: bytes) -> Init:
    """Decode the body of POST /v1/init. Raises: BadInput."""
    with suppress(msgspec.DecodeError, msgspec.ValidationError):
        return msgspec.json.decode(raw, type=Init)
    raise BadInput("not an init")
