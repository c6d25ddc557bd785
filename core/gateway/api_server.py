"""The part that local and cluster gateways share: the API for boxes, with its vault, model provider and meter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from core.config.settings import Secret, Settings
from core.gateway.box_api import BoxApi
from core.gateway.identity import Callers
from core.gateway.metering.limits import SpendLimits
from core.gateway.metering.meter import Meter
from core.gateway.metering.stored_limits import StoredLimits
from core.gateway.providers.connected import LOOK_S as CONNECTION_S
from core.gateway.providers.connected import ConnectedProvider
from core.lib.tasks import Tasks, repeat
from core.runs.silence_alarm import LOOK_S, SilenceAlarm
from core.store import Store
from core.vault.factory import opened_vault


@asynccontextmanager
async def box_api_server(
    settings: Settings,
    store: Store,
    callers: Callers,
    *,
    keys: tuple[Secret, ...],
    drain_s: float,
    shared: bool,
    limits: SpendLimits | None = None,
) -> AsyncIterator[web.AppRunner]:
    """Serve the API for boxes; the runner's `server` makes the protocol of a connection. Leaving waits up to `drain_s`.

    `shared`: other gateways serve the same boxes over the same Store. `limits`: who knows what calls may cost.
    """
    async with opened_vault(settings) as vault:
        provider = ConnectedProvider(settings, store, vault)
        meter = Meter(store, provider=settings.provider, limits=limits or StoredLimits(store))
        api = BoxApi(
            store=store,
            vault=vault,
            callers=callers,
            provider=provider,
            settings=settings,
            keys=keys,
            meter=meter,
            shared=shared,
        )
        provider.changed = lambda in_force: _use(in_force, api, meter)
        await provider.refresh()
        runner = _runner(api, drain_s)
        loops = Tasks()
        try:
            await runner.setup()
            _start_loops(loops, store, provider)
            yield runner
        finally:
            await loops.cancel()
            await runner.cleanup()
            await provider.close()
            await meter.close()


def _start_loops(loops: Tasks, store: Store, provider: ConnectedProvider) -> None:
    loops.spawn(repeat(SilenceAlarm(store).look, every_s=LOOK_S, name="the alarm of schedules"), "alarm")
    loops.spawn(repeat(provider.refresh, every_s=CONNECTION_S, name="the model connection"), "connection")


def _runner(api: BoxApi, drain_s: float) -> web.AppRunner:
    # handler_cancellation: a CLI that hangs up ends the call upstream, and its cost
    return web.AppRunner(api.app(), handler_cancellation=True, access_log=None, shutdown_timeout=drain_s)


def _use(in_force: Settings, api: BoxApi, meter: Meter) -> None:
    api.use(in_force)
    regional = in_force.provider == "vertex" and in_force.vertex_region != "global"
    meter.use(provider=in_force.provider, regional=regional)
