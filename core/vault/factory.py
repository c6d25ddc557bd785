"""Which vault the settings mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.config.settings import Settings
from core.vault import Vault
from core.vault.local import FOLDER, LocalVault


@asynccontextmanager
async def opened_vault(settings: Settings) -> AsyncIterator[Vault]:
    """Open while the context is; what an old key encrypted is encrypted anew. Raises: Misconfigured."""
    if settings.vault == "local":
        local = LocalVault(settings.data_dir)
        await local.renew()
        yield local
        return
    # Google's client weighs 25 MB and a second of start: only who chose it pays
    from core.vault.google import GoogleVault

    emulator, region = settings.secret_manager_emulator, settings.gcp_region
    google = await GoogleVault.open(settings.gcp_project, region=region, emulator=emulator)
    try:
        yield google
    finally:
        await google.close()


def whereabouts(settings: Settings) -> str:
    """In words for a person."""
    if settings.vault == "local":
        return str(settings.data_dir / FOLDER)
    emulator = f" (emulator at {settings.secret_manager_emulator})" if settings.secret_manager_emulator else ""
    return f"Secret Manager of project {settings.gcp_project}, {settings.gcp_region}{emulator}"
