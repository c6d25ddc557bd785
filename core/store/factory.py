"""Opens the store that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.config.settings import Settings
from core.store import Store
from core.store.sqlite import SqliteStore

DATABASE = "oma.db"  # in the data directory


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the store for as long as the context lasts. Raises: StoreUnavailable, Misconfigured: it cannot be opened."""
    if settings.store == "sqlite":
        async with await SqliteStore.open(settings.data_dir / DATABASE) as sqlite:
            yield sqlite
        return
    # imported only if chosen: Google's client costs 25 MB and a second of start
    from core.store.firestore import FirestoreStore

    emulator = bool(settings.firestore_emulator)
    async with await FirestoreStore.open(settings.gcp_project, emulator=emulator) as firestore:
        await firestore.ping()  # the start has to fail here with the reason, not in the first page
        yield firestore


def whereabouts(settings: Settings) -> str:
    """Say for a person where the data is kept."""
    if settings.store == "sqlite":
        return str(settings.data_dir / DATABASE)
    emulator = f" (emulator at {settings.firestore_emulator})" if settings.firestore_emulator else ""
    return f"Firestore of project {settings.gcp_project}{emulator}"
