"""The gateway of one machine. At most one runs at a time, as long as a web or a box needs it.

core.gateway.cluster_server is the gateway of a cluster.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from core.config import runtime_dir as runtime_
from core.config.runtime_dir import Runtime
from core.config.settings import Settings
from core.domain.errors import BadInput
from core.gateway.api_server import box_api_server
from core.gateway.box_limits import PATIENCE_S
from core.gateway.control import Control
from core.gateway.egress.egress import Egress
from core.gateway.egress.network import Network
from core.gateway.fingerprint import gateway_digest
from core.gateway.unix_listeners import UnixListeners
from core.observability.exporters import telemetry
from core.store import Store

log = logging.getLogger("oma.gateway")

WATCH_S = 2.0  # between checks; a dead box may go unnoticed this long
UNUSED_S = 60.0  # without a web; a restarted web is back much sooner
HANDOVER_S = 10.0  # an ending gateway releases the lock within this time
DRAIN_S = 2.0  # for open streams at the end; bridge and CLI retry


async def serve(
    settings: Settings,
    store: Store,
    stop: asyncio.Event,
    *,
    unused_s: float = UNUSED_S,
    watch_s: float = WATCH_S,
    patience_s: float = PATIENCE_S,
    outside: Network | None = None,
) -> None:
    """Serve until `stop`, or until no box lives and no web was connected for `unused_s`.

    `outside` is the network that boxes are connected to, the real one if not given.
    Returns at once if another gateway serves this data directory already.
    Raises: Misconfigured: no private runtime directory, or no key.
    """
    keys, digest = settings.session_secret or (runtime_.platform_key(settings),), gateway_digest(settings)
    async with _only_one(settings) as runtime:
        if runtime is None:
            log.debug("a gateway is there already")
            return
        listeners = UnixListeners(runtime=runtime, store=store, patience_s=patience_s)
        listeners.egress = Egress(store=store, keys=keys, outside=outside)
        control = Control(listeners=listeners, stop=stop, digest=digest)
        async with box_api_server(settings, store, listeners, keys=keys, drain_s=DRAIN_S, shared=False) as boxes:
            listeners.runner = boxes
            try:
                await listeners.restore()
                async with _control_socket(control, runtime, digest):
                    await _watch(listeners, control, stop, unused_s=unused_s, watch_s=watch_s)
                if not stop.is_set():
                    runtime.remove_boxes()  # no box is left that could own the contents
            finally:
                await listeners.close_all()


async def _watch(
    listeners: UnixListeners, control: Control, stop: asyncio.Event, *, unused_s: float, watch_s: float
) -> None:
    """Live boxes keep the gateway running; only a web connection resets its exit timer."""
    clock = asyncio.get_running_loop().time
    held = clock()
    while len(listeners) or clock() - held < unused_s:
        try:
            await asyncio.wait_for(stop.wait(), min(watch_s, unused_s))
            return
        except TimeoutError:
            await listeners.close_dead_boxes()
        if control.holders:
            held = clock()
    log.info("no box lives, and no web was here for %.0f s", unused_s)


@asynccontextmanager
async def _control_socket(control: Control, runtime: Runtime, digest: str) -> AsyncIterator[None]:
    """Serve gateway.sock and write gateway.json while the context is open. The socket appears last and means ready."""
    runner = web.AppRunner(control.app(), access_log=None, shutdown_timeout=DRAIN_S)
    await runner.setup()
    try:
        me = runtime_.process()
        identity = {"pid": me.pid, "start": me.start} if me else {"pid": os.getpid(), "start": 0}
        runtime.gateway_file.write_bytes(msgspec.json.encode(identity | {"digest": digest}))
        await web.UnixSite(runner, str(runtime.gateway_socket)).start()
        runtime.gateway_socket.chmod(0o600)
        yield
    finally:
        await runner.cleanup()
        runtime.gateway_socket.unlink(missing_ok=True)
        runtime.gateway_file.unlink(missing_ok=True)


@asynccontextmanager
async def _only_one(settings: Settings) -> AsyncIterator[Runtime | None]:
    """Lock the runtime directory and return it; None if another gateway already serves it.

    The lock is on the directory itself, so the kernel releases it when the process ends. The holder removes the
    directory when no box is left in it. This waits for a gateway that is just ending.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + HANDOVER_S
    while clock() < end:
        runtime = runtime_.make(settings)
        folder = os.open(runtime.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _locked(folder, runtime):
                try:
                    async with telemetry(settings, "gateway"):
                        yield runtime
                finally:
                    _sweep(runtime)
                return
            if await _answers(runtime):
                yield None
                return
        finally:
            os.close(folder)
        await asyncio.sleep(0.05)
    raise BadInput(f"another gateway holds {settings.runtime_dir} and does not answer", code="unavailable")


def _locked(folder: int, runtime: Runtime) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(folder).st_ino == runtime.root.stat().st_ino  # otherwise its last holder has just removed it
    except OSError:
        return False


async def _answers(runtime: Runtime) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_unix_connection(str(runtime.gateway_socket)), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _sweep(runtime: Runtime) -> None:
    """Remove the directory unless a box still has something in it."""
    if not any(runtime.boxes.glob("*")):
        runtime.remove()
