"""The vault for platforms of several machines: Google's Secret Manager. Each user has one secret; its payload is a map.

Adding a version has no precondition, so two processes that add at once would undo each other's change. The valid
version therefore stands in an annotation of the secret (the head), and the head is moved only with the etag with which
it was read. A change reads the head, adds a version, reads that back, moves the head, and destroys all older versions.
If the head has changed meanwhile, it begins again. A version below the head can never become the head, because its etag
is older than the head's. Versions that were added in vain are destroyed by the next change.
"""

import asyncio
import logging
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import google_crc32c
from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound
from google.cloud.secretmanager_v1 import (
    AccessSecretVersionResponse,
    SecretManagerServiceAsyncClient,
    SecretPayload,
)
from google.cloud.secretmanager_v1 import (
    Secret as GoogleSecret,
)

from core.config.settings import Secret
from core.domain.errors import BadInput, VaultUnavailable
from core.domain.records import UserId
from core.google.retries import UNCERTAIN
from core.vault.google_rpc import ANY_TIMES, ONCE, SecretManagerConnection, named
from core.vault.limits import check, packed, unpacked

log = logging.getLogger("oma.vault")

PREFIX = "oma-user-"  # k8s/setup.sh grants rights on secrets of this name alone
HEAD = "oma-head"
OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
TRIES = 20  # to change a secret that other processes change as well; in each round one of them succeeds
LOOKS = 5  # reads of the head: Google's answer may name a version that has been destroyed since
PAUSE_S = 0.1
LIVING = "state:ENABLED OR state:DISABLED"

Values = dict[str, Secret]
Edit = Callable[[Values], Values]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSecret:
    """A secret as it was read. A change with its etag fails if it was changed since. `head` is 0 before any version."""

    name: str
    etag: str
    head: int
    values: Values


class GoogleVault:
    """The Vault of core.vault in Secret Manager; any number of processes may use it."""

    def __init__(self, connection: SecretManagerConnection, *, project: str, region: str) -> None:
        self._connection, self._parent, self._region = connection, named(project), region

    @classmethod
    async def open(cls, project: str, *, region: str, emulator: str = "") -> Self:
        """Open the vault without a call to Secret Manager. Raises: Misconfigured: there is no project or no
        identity.
        """
        named(project)
        return cls(await SecretManagerConnection.open(emulator=emulator), project=project, region=region)

    async def close(self) -> None:
        await self._connection.close()

    async def names(self, *, owner: UserId) -> tuple[str, ...]:
        return tuple(await self._values(owner))

    async def get(self, names: Iterable[str], *, owner: UserId) -> dict[str, Secret]:
        values = await self._values(owner)
        return {name: values[name] for name in names if name in values}

    async def put(self, name: str, value: str, *, owner: UserId) -> None:
        check(name, value)
        await self._change(owner, lambda values: values | {name: Secret(value)})

    async def delete(self, name: str, *, owner: UserId) -> None:
        await self._change(owner, lambda values: {one: old for one, old in values.items() if one != name})

    async def forget(self, owner: UserId) -> None:
        name = self._name(owner)
        async with self._connection.call() as client:
            try:
                await client.delete_secret(name=name, **ANY_TIMES)
            except NotFound:
                return

    def _name(self, owner: UserId) -> str:
        if not OWNER.fullmatch(owner):
            raise BadInput("not a user's id")
        return f"{self._parent}/secrets/{PREFIX}{owner}"

    async def _values(self, owner: UserId) -> Values:
        name = self._name(owner)
        async with self._connection.call() as client:
            found = await _found(client, name)
            return found.values if found else {}

    async def _change(self, owner: UserId, edit: Edit) -> None:
        name = self._name(owner)
        async with self._connection.call() as client:
            done = await self._changed(client, name, edit)
        if done:
            await self._sweep(name, done)

    async def _changed(self, client: SecretManagerServiceAsyncClient, name: str, edit: Edit) -> int:
        """Apply `edit` and return the head that has the change; 0 if there is no secret and nothing to change.

        After a lost answer it reads again and edits again, which changes nothing if the first change was made.
        """
        for tried in range(TRIES):
            if tried:
                await asyncio.sleep(random.uniform(0, PAUSE_S * min(tried, 5)))  # noqa: S311  # so that competing processes spread
            found = await _found(client, name)
            old = found.values if found else {}
            new = edit(old)
            raw = packed(new)
            try:
                if new == old:
                    if not found or await _moved(client, found, found.head):  # proves that the read was current
                        return found.head if found else 0
                    continue
                found = found or await self._made(client, name)
                version = await _added(client, name, raw)
                if await _moved(client, found, version):
                    return version
            except (AlreadyExists, NotFound):
                continue  # another process has just made or deleted it
        raise VaultUnavailable("somebody else changes these secrets all the time: try again")

    async def _made(self, client: SecretManagerServiceAsyncClient, name: str) -> StoredSecret:
        """Create the secret. Raises: AlreadyExists."""
        replicas = {"user_managed": {"replicas": [{"location": self._region}]}}
        parent, _, id = name.rpartition("/secrets/")
        request = {"parent": parent, "secret_id": id, "secret": {"replication": replicas}}
        made = await client.create_secret(request=request, **ANY_TIMES)
        return StoredSecret(name=name, etag=made.etag, head=0, values={})

    async def _sweep(self, name: str, head: int) -> None:
        """Destroy older versions. The change itself is done: an error is logged, and the next change does it."""
        try:
            async with self._connection.call() as client:
                request = {"parent": name, "filter": LIVING, "page_size": 100}
                living = [one.name async for one in await client.list_secret_versions(request=request, **ANY_TIMES)]
                for version in living:
                    if int(version.rpartition("/")[2]) < head:
                        await _destroyed(client, version)
        except VaultUnavailable as error:
            log.warning("older versions of %s are not destroyed yet: %s", name.rpartition("/")[2], error)


async def _found(client: SecretManagerServiceAsyncClient, name: str) -> StoredSecret | None:
    """Return the secret with the values at its head; None if there is none. Raises: VaultUnavailable: it cannot be
    read.
    """
    for look in range(LOOKS):
        await asyncio.sleep(PAUSE_S * look)
        try:
            secret = await client.get_secret(name=name, **ANY_TIMES)
        except NotFound:
            return None
        head = int(secret.annotations.get(HEAD, "0"))
        try:
            values = unpacked(await _payload(client, name, head)) if head else {}
        except (NotFound, FailedPrecondition):
            continue  # the head was moved meanwhile, or the answer is outdated
        return StoredSecret(name=name, etag=secret.etag, head=head, values=values)
    raise VaultUnavailable(
        f"version {head} of {name.rpartition('/')[2]} cannot be read: see in Secret Manager whether it is disabled"
    )


async def _payload(client: SecretManagerServiceAsyncClient, name: str, version: int) -> bytes:
    """Read a version by its number: Google promises that it is readable at once, but not that `latest` is current.

    Raises: VaultUnavailable: it arrived damaged.
    """
    read: AccessSecretVersionResponse = await client.access_secret_version(
        name=f"{name}/versions/{version}", **ANY_TIMES
    )
    if google_crc32c.value(read.payload.data) != read.payload.data_crc32c:
        raise VaultUnavailable("what came from Secret Manager was damaged on its way: try again")
    return read.payload.data


async def _added(client: SecretManagerServiceAsyncClient, name: str, raw: bytes) -> int:
    """Add a version, read it back, and return its number."""
    payload = SecretPayload(data=raw, data_crc32c=google_crc32c.value(raw))
    added = await client.add_secret_version(parent=name, payload=payload, **ANY_TIMES)
    version = int(added.name.rpartition("/")[2])
    if await _payload(client, name, version) != raw:
        raise VaultUnavailable("Secret Manager gave back something else than it was given: try again")
    return version


async def _moved(client: SecretManagerServiceAsyncClient, found: StoredSecret, version: int) -> bool:
    """Move the head to `version`. Returns False if it has changed meanwhile or the outcome is unknown: read
    it again.
    """
    wanted = GoogleSecret(name=found.name, etag=found.etag, annotations={HEAD: str(version)})
    request = {"secret": wanted, "update_mask": "annotations"}
    try:
        await client.update_secret(request=request, **ONCE)
    except (FailedPrecondition, Aborted, *UNCERTAIN):
        return False
    return True


async def _destroyed(client: SecretManagerServiceAsyncClient, version: str) -> None:
    try:
        await client.destroy_secret_version(name=version, **ANY_TIMES)
    except (NotFound, FailedPrecondition):
        return  # another process was faster
