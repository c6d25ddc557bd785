"""Keeps the secrets of channels in the vault, apart from the user's own: no agent gets them, no page lists them."""

import msgspec

from core.domain.errors import VaultUnavailable
from core.domain.notifications import Channel, ChannelSecret
from core.domain.records import UserId
from core.vault import Vault


def vault_owner(user: UserId) -> UserId:
    """Return the owner in the vault of this user's channels."""
    return UserId(f"{user}-channels")


async def secret_of(vault: Vault, channel: Channel, *, owner: UserId) -> ChannelSecret:
    """Return what the vault holds of a channel; nothing if it holds nothing. Raises: VaultUnavailable."""
    found = await vault.get([_name(channel.id)], owner=vault_owner(owner))
    if not found:
        return ChannelSecret()
    try:
        return msgspec.json.decode(str(found[_name(channel.id)]), type=ChannelSecret)
    except msgspec.DecodeError:
        raise VaultUnavailable("what the vault holds of a channel is damaged") from None  # its cause quotes it


async def keep_secret(vault: Vault, channel: str, secret: ChannelSecret, *, owner: UserId) -> None:
    """Raises: VaultUnavailable. TooMuch: there is no room for it."""
    await vault.put(_name(channel), msgspec.json.encode(secret).decode(), owner=vault_owner(owner))


async def delete_secret(vault: Vault, channel: str, *, owner: UserId) -> None:
    """Idempotent. Raises: VaultUnavailable."""
    await vault.delete(_name(channel), owner=vault_owner(owner))


async def forget_secrets(vault: Vault, *, owner: UserId) -> None:
    """Delete those of all of the user's channels. Idempotent. Raises: VaultUnavailable."""
    await vault.forget(vault_owner(owner))


def _name(channel: str) -> str:
    return f"CHANNEL_{channel.upper()}"
