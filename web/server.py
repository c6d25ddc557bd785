"""The web process: opens what the pages need, serves them, and ends in good order.

Opened in this order and closed in reverse: store, gateway, runners, pages. A failure on the way ends the process
with one line (NiceGUI's own start-up handlers would swallow it).
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

import auth
from auth import uvicorn_config
from core.config import runtime_dir as runtime_
from core.config.data_lock import data_lock
from core.config.runtime_dir import Runtime
from core.config.settings import Settings, overridden, secrets_of
from core.domain.errors import Misconfigured
from core.fleet.gateway_link import GatewayLink, LocalGateway, RemoteGateway
from core.fleet.gateway_process import GatewayProcess
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_pool import RunnerPool
from core.gateway.fingerprint import gateway_digest
from core.observability import logs
from core.observability.exporters import telemetry
from core.operations.make_interrupt import pass_on_interrupt
from core.spawner import Spawner
from core.spawner.factory import opened_spawner
from core.store import Store
from core.store.factory import open_store
from core.vault.factory import opened_vault
from web.app import front

log = logging.getLogger("oma.web")

END_S = 5.5  # for all boxes together; with the other two within the 10 s of G4
DRAIN_S = 3  # for requests and sockets at the end; the turns themselves go on elsewhere
GATEWAY_END_S = 1.5
KEEP_ALIVE_S = 620  # longer than the 610 s for which Google's load balancers use a connection again


def run(settings: Settings, *, program: Path, open_browser: bool) -> int:
    """Serve until told to end. Raises: PlatformError: it cannot start; the text is for the terminal."""
    auth.check(settings)
    with listening(settings) as listener, data_lock(settings):
        return asyncio.run(_serve(settings, listener, program=program, open_browser=open_browser))


async def _serve(settings: Settings, listener: socket.socket, *, program: Path, open_browser: bool) -> int:
    runtime = runtime_.make(settings)
    keys = settings.session_secret or (runtime_.platform_key(settings),)
    logs.configure_logging(
        settings.log_format, (*secrets_of(settings), *keys), part="web", project=settings.gcp_project
    )
    opened = _platform(settings, runtime, program)
    async with telemetry(settings, "web"), opened_vault(settings) as vault, opened as platform:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        server = _Server(app)
        behind = front(
            app,
            settings=settings,
            keys=keys,
            store=platform.store,
            vault=vault,
            runners=platform.runners,
            spawner=platform.spawner,
            gate=platform.gate,
            draining=lambda: server.should_exit,
        )
        interrupts = asyncio.create_task(pass_on_interrupt(), name="make's interrupt")
        async with behind as authenticator:
            server.serving = lambda: _greet(settings, authenticator, open_browser)
            _heed_interrupts()
            await server.serve(sockets=[listener])
        interrupts.cancel()
        _deaf_to_interrupts()
        await platform.end(everything=server.signal != signal.SIGTERM)
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Platform:
    """The parts below the pages. `launcher` starts the gateway on one machine; in a cluster it is None."""

    store: Store
    spawner: Spawner
    gate: GatewayLink
    launcher: GatewayProcess | None
    runners: RunnerPool

    async def end(self, *, everything: bool) -> None:
        """Stop boxes and gateway on one machine. In a cluster other webs use them, so nothing is stopped."""
        if not isinstance(self.gate, LocalGateway) or self.launcher is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await self.runners.stop_all(spare_open_turns=not everything)
        if everything:
            await self.gate.stop()
            await asyncio.to_thread(self.launcher.reap, wait_s=GATEWAY_END_S)


@asynccontextmanager
async def _platform(settings: Settings, runtime: Runtime, program: Path) -> AsyncIterator[_Platform]:
    """Open store, gateway and runners. Leaving the context disconnects from them and stops none."""
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        spawner = await stack.enter_async_context(opened_spawner(settings, runtime, program=program.parent))
        launcher: GatewayProcess | None = None
        gate: GatewayLink = RemoteGateway()
        if settings.spawner == "local":
            launcher = GatewayProcess(
                program=program,
                socket=runtime.gateway_socket,
                log=settings.data_dir / "logs" / "gateway.log",
                environ=overridden({"data_dir": str(settings.data_dir), "model": settings.provider}),
            )
            stack.push(partial(_interrupted, launcher, runtime))
            own = LocalGateway(runtime.gateway_socket, launcher, expected=gateway_digest(settings))
            gate = await stack.enter_async_context(own)
        limits = IdleLimits(
            max_live_sessions=settings.max_live_sessions,
            idle_cli_s=settings.idle_cli_s,
            orphan_s=settings.orphan_s,
            idle_runner_s=settings.idle_runner_s,
        )
        runners = await stack.enter_async_context(
            RunnerPool(store=store, spawner=spawner, gateway_link=gate, limits=limits)
        )
        yield _Platform(store=store, spawner=spawner, gate=gate, launcher=launcher, runners=runners)


def _interrupted(launcher: GatewayProcess, runtime: Runtime, kind: type[BaseException] | None, *_: object) -> None:
    """End the gateway that was just started if Ctrl-C came before the server could handle it."""
    if kind is not None and issubclass(kind, asyncio.CancelledError | KeyboardInterrupt):
        launcher.end(wait_s=GATEWAY_END_S)
        if not any(runtime.boxes.glob("*")):
            runtime.remove()


def listening(settings: Settings) -> socket.socket:
    """Return a socket that listens on the address of the settings. Raises: Misconfigured: it is in use."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()  # from now on the port is ours; early clients wait until everything is open
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set OMA_PORT to a free one"
        ) from error
    return listener


def _heed_interrupts() -> None:
    """Handle a Ctrl-C that came during start: Python 3.11 loses a cancellation that meets the end of `wait_for`."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def _deaf_to_interrupts() -> None:
    """Ignore further signals: a second Ctrl-C must not leave boxes and gateway behind. The rest is bounded."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    with contextlib.suppress(OSError):  # who reads it may have ended of the same Ctrl-C: `make run 2>&1 | tee log`
        sys.stderr.write("ending…\n")


def _greet(settings: Settings, authenticator: auth.AuthService, open_browser: bool) -> None:
    """Print the sign-in link, or the public address, as soon as pages are served."""
    address = settings.url if settings.production else authenticator.local_link()
    print(f"Oh My Agent: {address}", flush=True)
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


class _Server(uvicorn.Server):
    """Reports when it serves, and keeps the signal that ended it instead of raising it: more has to be closed."""

    signal: int = 0

    def __init__(self, app: FastAPI) -> None:
        super().__init__(uvicorn_config.config(app, timeout_graceful_shutdown=DRAIN_S, timeout_keep_alive=KEEP_ALIVE_S))
        self.serving: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.serving()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.signal = sig
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
