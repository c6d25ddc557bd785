"""Health checks for the machines that start, watch and balance web processes."""

import asyncio
import time
from collections.abc import Callable

from fastapi import APIRouter, Response

from auth.problems import problem
from core.domain.errors import PlatformError
from core.fleet.gateway_link import GatewayLink
from core.store import Store
from web.api.routing import as_json

PROBE_S = 1.0


def router(*, store: Store, gate: GatewayLink, draining: Callable[[], bool]) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: it may be sent requests."""
    health, probe = APIRouter(), StoreProbe(store)

    @health.get("/healthz")
    async def healthz() -> Response:
        return as_json({"status": "ok"})

    @health.get("/readyz")
    async def readyz() -> Response:
        if draining():
            return as_json({"status": "draining"}, status=503)
        try:
            await probe()
        except PlatformError as error:
            return problem(error)
        return as_json({"status": "ok" if gate.up else "no gateway"}, status=200 if gate.up else 503)

    return health


class StoreProbe:
    """Asks the store whether it answers, at most once in PROBE_S: strangers may ask us, and each probe writes."""

    def __init__(self, store: Store) -> None:
        self._store, self._fresh_until = store, 0.0
        self._asking = asyncio.Lock()
        self._error: PlatformError | None = None

    async def __call__(self) -> None:
        """Raises: StoreUnavailable."""
        async with self._asking:
            if time.monotonic() > self._fresh_until:
                try:
                    await self._store.ping()
                    self._error = None
                except PlatformError as error:
                    self._error = error
                self._fresh_until = time.monotonic() + PROBE_S
        if self._error:
            raise self._error
