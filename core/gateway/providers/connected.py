"""The provider of the connection that was chosen in the pages, or of the settings; a change needs no restart."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from core.config.settings import Secret, Settings
from core.domain.errors import NotFound, Unavailable
from core.domain.model_connection import MODEL_KEY, ModelConnection
from core.domain.records import SYSTEM
from core.gateway.providers import AnswerObserver, Call, Provider
from core.gateway.providers.factory import provider_for
from core.store import Store
from core.vault import Vault

log = logging.getLogger("oma.gateway")

LOOK_S = 2.0


def effective(settings: Settings, connection: ModelConnection | None, key: str = "") -> Settings:
    """Return the settings with the connection in the place of their own."""
    if connection is None:
        return settings
    if connection.provider == "anthropic":
        return replace(settings, model="anthropic", anthropic_api_key=Secret(key))
    return replace(settings, model="vertex", vertex_project=connection.project, vertex_region=connection.region)


class ConnectedProvider:
    """A Provider. `changed` is called with the settings in force, at first and at every change.

    Calls that are under way end with the connection they began with.
    """

    def __init__(
        self, settings: Settings, store: Store, vault: Vault, *, changed: Callable[[Settings], None] = lambda _: None
    ) -> None:
        self._settings, self._store, self._vault, self.changed = settings, store, vault, changed
        self._connection: ModelConnection | None = None
        self._provider: Provider | None = None
        self._before: list[Provider] = []

    async def refresh(self) -> None:
        """Look whether another connection was chosen. If Store or vault do not answer, the present one stays."""
        await self._refreshed()

    async def _refreshed(self) -> Provider:
        try:
            found = await self._chosen()
            if self._provider is not None and found == self._connection:
                return self._provider
            kept = await self._vault.get([MODEL_KEY], owner=SYSTEM) if found else {}
        except Unavailable as error:
            log.warning("the model connection could not be read: %s", error)
            if self._provider is not None:
                return self._provider
            found, kept = None, {}
        in_force = effective(self._settings, found, str(kept.get(MODEL_KEY, "")))
        provider = await asyncio.to_thread(provider_for, in_force)  # it may load Google's client
        if self._provider is not None:
            self._before.append(self._provider)
            log.info("the model connection was changed to %s", in_force.provider)
        self._provider, self._connection = provider, found
        self.changed(in_force)
        return provider

    async def _chosen(self) -> ModelConnection | None:
        try:
            return await self._store.get(ModelConnection, "model", owner=SYSTEM)
        except NotFound:
            return None

    async def answer(
        self, call: Call, request: web.Request, observer: AnswerObserver | None = None
    ) -> web.StreamResponse:
        provider = self._provider or await self._refreshed()
        return await provider.answer(call, request, observer)

    async def close(self) -> None:
        for one in (*self._before, *([self._provider] if self._provider else [])):
            await one.close()
