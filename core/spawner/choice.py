"""Which spawner the settings mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.errors import Misconfigured
from core.runtime import Runtime
from core.settings import Settings
from core.spawner import Spawner
from core.spawner.local import LocalSpawner


@asynccontextmanager
async def opened_spawner(settings: Settings, runtime: Runtime, *, program: Path) -> AsyncIterator[Spawner]:
    """Open while the context is; `program` is the folder that runners are started from, where that is here.

    Raises: Misconfigured: what the settings demand does not run here.
    """
    if settings.spawner == "kubernetes":
        raise Misconfigured("OMA_SPAWNER=kubernetes is not there yet")
    local = LocalSpawner(settings, runtime, program=program)
    await asyncio.to_thread(local.check)
    yield local
