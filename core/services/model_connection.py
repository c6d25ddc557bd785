"""The model connection as people see and change it: the owner of one machine, else administrators."""

import asyncio
import contextlib
import logging
import re
from dataclasses import replace

from core.config.settings import Secret, Settings
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Forbidden, NotFound, StoreUnavailable
from core.domain.model_connection import MODEL_KEY, TAIL, ModelConnection, Verdict
from core.domain.records import LOCAL, SYSTEM, Role, User, now
from core.gateway.providers.connected import effective
from core.gateway.providers.probe import probe
from core.lib.tasks import repeat
from core.services.audit import Audit
from core.store import Store
from core.vault import Vault

log = logging.getLogger("oma.model")

LOOK_S = 5.0  # another web process may have changed it
KEY = re.compile(r"[\x21-\x7e]{20,300}")
PROJECT, REGION = re.compile(r"[a-z0-9:.-]{1,100}"), re.compile(r"[a-z0-9-]{1,40}")


class ModelConnections:
    """While the context is open, `provider` and `connection` are those in force."""

    def __init__(self, settings: Settings, store: Store, vault: Vault, *, audit: Audit) -> None:
        self._settings, self._store, self._vault, self._audit = settings, store, vault, audit
        self._task: asyncio.Task[None] | None = None
        self.connection: ModelConnection | None = None

    async def __aenter__(self) -> "ModelConnections":
        await self._read()
        self._task = asyncio.create_task(repeat(self._look, every_s=LOOK_S, name="the model connection"))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def provider(self) -> str:
        """The name of the provider in force."""
        return self.connection.provider if self.connection else self._settings.provider

    @property
    def settings(self) -> Settings:
        """The platform's own settings, without what was chosen in the pages."""
        return self._settings

    def may_change(self, user: User) -> bool:
        """Return whether this user may look at the connection and change it."""
        return user.issuer == LOCAL or user.role is Role.ADMIN

    async def check(self, *, user: User) -> Verdict:
        """Try the connection in force. Raises: Forbidden, VaultUnavailable."""
        self._admit(user)
        kept = await self._vault.get([MODEL_KEY], owner=SYSTEM) if self.connection else {}
        return await probe(effective(self._settings, self.connection, str(kept.get(MODEL_KEY, ""))))

    async def try_key(self, key: Secret, *, user: User) -> Verdict:
        """Try an Anthropic key. Raises: Forbidden. BadInput: it cannot be a key."""
        self._admit(user)
        return await probe(replace(self._settings, model="anthropic", anthropic_api_key=_key(key)))

    async def try_vertex(self, project: str, region: str, *, user: User) -> Verdict:
        """Try Vertex AI with the platform's own identity. Raises: Forbidden. BadInput: no project or region."""
        self._admit(user)
        _check_vertex(project, region)
        return await probe(replace(self._settings, model="vertex", vertex_project=project, vertex_region=region))

    async def use_key(self, key: Secret, *, user: User) -> None:
        """Use an Anthropic key from the next call on. Raises: Forbidden, BadInput, VaultUnavailable."""
        self._admit(user)
        key = _key(key)
        await self._vault.put(MODEL_KEY, key, owner=SYSTEM)
        await self._use(ModelConnection(provider="anthropic", key_tail=key[-TAIL:], changed_at=now()), user)

    async def use_vertex(self, project: str, region: str, *, user: User) -> None:
        """Use Vertex AI from the next call on. Raises: Forbidden, BadInput."""
        self._admit(user)
        _check_vertex(project, region)
        await self._use(ModelConnection(provider="vertex", project=project, region=region, changed_at=now()), user)

    async def reset(self, *, user: User) -> None:
        """Go back to the connection of the settings, and forget the key. Raises: Forbidden, VaultUnavailable."""
        self._admit(user)
        await self._store.delete(ModelConnection, "model", owner=SYSTEM)
        await self._vault.delete(MODEL_KEY, owner=SYSTEM)
        self.connection = None
        await self._audit.record(AuditAction.MODEL_CHANGED, who=user.id, detail=self._settings.provider)

    async def _use(self, connection: ModelConnection, user: User) -> None:
        await self._store.put(connection, owner=SYSTEM)
        self.connection = connection
        await self._audit.record(AuditAction.MODEL_CHANGED, who=user.id, detail=connection.provider)

    def _admit(self, user: User) -> None:
        if not self.may_change(user):
            raise Forbidden("the model connection is the administrators'")

    async def _look(self) -> None:
        try:
            await self._read()
        except StoreUnavailable as error:
            log.warning("the model connection could not be read: %s", error)

    async def _read(self) -> None:
        try:
            self.connection = await self._store.get(ModelConnection, "model", owner=SYSTEM)
        except NotFound:
            self.connection = None


def _key(text: str) -> Secret:
    stripped = text.strip()
    if not KEY.fullmatch(stripped):
        raise BadInput("this cannot be a key", code="bad_model_key")
    return Secret(stripped)


def _check_vertex(project: str, region: str) -> None:
    if not PROJECT.fullmatch(project) or not REGION.fullmatch(region):
        raise BadInput("a project and a region as Google spells them", code="bad_vertex")
