"""The seam to whatever keeps the users' secrets: values that an agent's programs need and no page shows again."""

from collections.abc import Iterable
from typing import Protocol

from core.config.settings import Secret
from core.domain.records import UserId


class Vault(Protocol):
    """One map of names and values a user. What else there is to say of a secret is in the Store: it is none.

    All implementations pass tests/contract/test_vault.py. Every verb raises VaultUnavailable when the vault does not
    answer or cannot be read; then nothing was written, as far as a vault behind a network can know. Several processes
    may use one vault: no change undoes another one's.
    """

    async def names(self, *, owner: UserId) -> tuple[str, ...]:
        """In order; empty for somebody who has none."""

    async def get(self, names: Iterable[str], *, owner: UserId) -> dict[str, Secret]:
        """The values of those that are there. Only what starts a CLI asks for them."""

    async def put(self, name: str, value: str, *, owner: UserId) -> None:
        """Add or replace. Raises: BadInput: no name or value for an environment. TooMuch: there is no room for it."""

    async def delete(self, name: str, *, owner: UserId) -> None:
        """Idempotent."""

    async def forget(self, owner: UserId) -> None:
        """Everything of this user. Idempotent."""

    async def close(self) -> None:
        """Idempotent."""
