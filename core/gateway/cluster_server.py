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

LOOK_S = 4.0  # between looks at the boxes; a deleted box may go unnoticed this long
DRAIN_S = 40.0  # for open answers and tunnels; with the pod's preStop less than its terminationGracePeriodSeconds


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
        listener = TcpListener(store=store, egress=egress, patience_s=patience_s, line_s=line_s)
        ending_at = clock()
        try:
            async with box_api_server(settings, store, listener, keys=keys, drain_s=drain_s, shared=True) as boxes:
                listener.runner = boxes
                async with listener.listening(settings.host, settings.gateway_port):
                    await _watch(listener, stop, look_s)
                ending_at = clock() + drain_s
        finally:
            await egress.close(within_s=max(0.0, ending_at - clock()))


async def _watch(listener: TcpListener, stop: asyncio.Event, look_s: float) -> None:
    """Refresh the known boxes regularly until `stop`, without waiting for a Store that hangs."""

    async def look() -> None:
        while True:
            await asyncio.sleep(look_s)
            await listener.refresh()

    looking, told = asyncio.ensure_future(look()), asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait({looking, told}, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()  # without this check the gateway would admit deleted boxes, so it ends
    finally:
        looking.cancel()
        told.cancel()
        await asyncio.gather(looking, told, return_exceptions=True)
