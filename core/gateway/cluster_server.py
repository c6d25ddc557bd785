"""The gateway in a cluster: one of several replicas, each with a port, until it is told to end."""

import asyncio

from core.config import runtime_dir as runtime_
from core.config.settings import Settings
from core.gateway.api_server import box_api_server
from core.gateway.box_limits import PATIENCE_S
from core.gateway.egress.egress import Egress
from core.gateway.egress.network import Network
from core.gateway.handshake import LINE_S
from core.gateway.tcp_listener import TcpListener
from core.observability.exporters import telemetry
from core.store import Store

LOOK_S = 4.0  # how long a box that was deleted may go unnoticed
DRAIN_S = 40.0  # answers and tunnels under way; with the pod's preStop below its terminationGracePeriodSeconds


async def serve(
    settings: Settings,
    store: Store,
    stop: asyncio.Event,
    *,
    look_s: float = LOOK_S,
    drain_s: float = DRAIN_S,
    line_s: float = LINE_S,
    patience_s: float = PATIENCE_S,
    outside: Network | None = None,
) -> None:
    """Serve until `stop`; then wait up to `drain_s` for answers and tunnels under way.

    Raises: Misconfigured: no key, or the port is taken.
    """
    clock = asyncio.get_running_loop().time
    keys = settings.session_secret or (runtime_.platform_key(settings),)
    async with telemetry(settings, "gateway"):
        egress = Egress(store=store, keys=keys, outside=outside)
        doors = TcpListener(store=store, egress=egress, patience_s=patience_s, line_s=line_s)
        ending_at = clock()
        try:
            async with box_api_server(settings, store, doors, keys=keys, drain_s=drain_s, shared=True) as boxes:
                doors.runner = boxes
                async with doors.listening(settings.host, settings.gateway_port):
                    await _watch(doors, stop, look_s)
                ending_at = clock() + drain_s
        finally:
            await egress.close(within_s=max(0.0, ending_at - clock()))


async def _watch(doors: TcpListener, stop: asyncio.Event, look_s: float) -> None:
    """Refresh what is known of the boxes until `stop`, without waiting for a Store that hangs."""

    async def look() -> None:
        while True:
            await asyncio.sleep(look_s)
            await doors.refresh()

    looking, told = asyncio.ensure_future(look()), asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait({looking, told}, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()  # a look that fails is the end of this gateway: it would let in whoever is deleted
    finally:
        looking.cancel()
        told.cancel()
        await asyncio.gather(looking, told, return_exceptions=True)
