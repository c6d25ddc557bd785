"""Which vault the settings mean."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.settings import Settings
from core.vault import Vault
from core.vault.local import LocalVault


@asynccontextmanager
async def opened_vault(settings: Settings) -> AsyncIterator[Vault]:
    """Open while the context is; what an old key encrypted is encrypted anew. Raises: Misconfigured."""
    vault = LocalVault(settings.data_dir)
    await vault.renew()
    yield vault
