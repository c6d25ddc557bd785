"""Opens the vault that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.config.settings import Settings
from core.vault import Vault
from core.vault.local import FOLDER, LocalVault


@asynccontextmanager
async def opened_vault(settings: Settings) -> AsyncIterator[Vault]:
    """Open the vault while the context is open; values under an old key are encrypted anew. Raises: Misconfigured."""
    if settings.vault == "local":
        local = LocalVault(settings.data_dir)
        await local.renew()
        yield local
        return
    # imported only if chosen: Google's client costs 25 MB and a second of start
    from core.vault.google import GoogleVault

    emulator, region = settings.secret_manager_emulator, settings.gcp_region
    google = await GoogleVault.open(settings.gcp_project, region=region, emulator=emulator)
    try:
        yield google
    finally:
        await google.close()


def whereabouts(settings: Settings) -> str:
    """Say for a person where the secrets are kept."""
    if settings.vault == "local":
        return str(settings.data_dir / FOLDER)
    emulator = f" (emulator at {settings.secret_manager_emulator})" if settings.secret_manager_emulator else ""
    return f"Secret Manager of project {settings.gcp_project}, {settings.gcp_region}{emulator}"
