"""The seam to the store of users' secrets: values that an agent's programs need and no page shows again."""

from collections.abc import Iterable
from typing import Protocol

from core.config.settings import Secret
from core.domain.records import UserId


class Vault(Protocol):
    """A map of names and values for each user. The Store has all other data about secrets.

    All implementations pass tests/contract/test_vault.py. Every verb raises VaultUnavailable when the vault does not
    answer or cannot be read; then nothing was written, as far as a vault behind a network can know. Several processes
    may use one vault: no change undoes another one's.
    """

    async def names(self, *, owner: UserId) -> tuple[str, ...]:
        """Return the names in order; empty if the user has none."""

    async def get(self, names: Iterable[str], *, owner: UserId) -> dict[str, Secret]:
        """Return the values of those names that exist. Only the start of a CLI calls this."""

    async def put(self, name: str, value: str, *, owner: UserId) -> None:
        """Add or replace a value. Raises: BadInput: not valid in an environment. TooMuch: there is no room for it."""

    async def delete(self, name: str, *, owner: UserId) -> None:
        """Delete a value. Idempotent."""

    async def forget(self, owner: UserId) -> None:
        """Delete everything of this user. Idempotent."""

    async def close(self) -> None:
        """Close the vault. Idempotent."""
