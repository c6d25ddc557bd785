"""Opens the spawner that the settings name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.config.runtime_dir import Runtime
from core.config.settings import Settings
from core.domain.errors import Misconfigured
from core.spawner import Spawner
from core.spawner.local import LocalSpawner

KEY_CHARS = 16


def boot_key(settings: Settings) -> str:
    """Return the key of boxes in a cluster that have no user yet; all of them share it. Raises: Misconfigured."""
    file = settings.boot_key_file
    try:
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the boot key of boxes cannot be read from {file}: set OMA_BOOT_KEY_FILE") from error
    if len(key) < KEY_CHARS:
        raise Misconfigured(f"the boot key of boxes in {file} is too short: set OMA_BOOT_KEY_FILE to a better one")
    return key


@asynccontextmanager
async def opened_spawner(settings: Settings, runtime: Runtime, *, program: Path) -> AsyncIterator[Spawner]:
    """Open the spawner while the context is open. On one machine runners are started from the folder `program`.

    Raises: Misconfigured: the sandbox that the settings demand does not run here.
    """
    if settings.spawner == "kubernetes":
        from core.spawner.kubernetes import opened  # 3 s of imports, and only here

        async with opened(settings, boot_key=boot_key(settings)) as kubernetes:
            yield kubernetes
        return
    local = LocalSpawner(settings, runtime, program=program)
    await asyncio.to_thread(local.check)
    yield local
