"""Everything that a browser or an API client can reach, put together onto one application: guards, pages, API."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from nicegui import core as nicegui_core
from nicegui import ui

import auth
from core.account import Account
from core.agents import Agents
from core.announcements import Announcements
from core.audit import Audit
from core.conversations import Conversations
from core.export import Export
from core.gate import Gate
from core.outbound import OutboundLog
from core.people import People
from core.runners import Runners
from core.secrets import Secrets
from core.settings import Settings
from core.spawner import Spawner
from core.store import Store
from core.vault import Vault
from ui import api, errors, pages
from ui.desk import Desk
from ui.observed import Observed


@asynccontextmanager
async def front(
    app: FastAPI,
    *,
    settings: Settings,
    keys: Sequence[str],
    store: Store,
    vault: Vault,
    runners: Runners,
    spawner: Spawner,
    gate: Gate,
    draining: Callable[[], bool],
) -> AsyncIterator[auth.Auth]:
    """While the context is open `app` may be served. Raises: Misconfigured."""
    audit = Audit(store, whence=auth.whence)
    door = auth.install(app, settings, store, keys, audit=audit, page=errors.refusal)
    talks = Conversations(store=store, runners=runners, audit=audit)
    people = People(store=store, runners=runners, audit=audit, named=settings.admins, changed=door.logins.refresh)
    async with (
        Announcements(store=store, audit=audit) as announcements,
        _account(door, talks, store=store, vault=vault, runners=runners, audit=audit) as account,
        door.running(),
    ):
        desk = Desk(
            settings=settings,
            agents=Agents(store=store, runners=runners, forget=talks.forget, audit=audit),
            conversations=talks,
            auth=door,
            account=account,
            secrets=Secrets(vault=vault, store=store, runners=runners, audit=audit),
            export=Export(store=store, runners=runners),
            outbound=OutboundLog(store),
            people=people,
            announcements=announcements,
            audit=audit,
            isolation=spawner.isolation,
        )
        api.install(app, desk=desk, store=store, gate=gate, draining=draining)
        pages.install(desk)
        mount(app)
        yield door


def _account(
    door: auth.Auth, talks: Conversations, *, store: Store, vault: Vault, runners: Runners, audit: Audit
) -> Account:
    """Whose account goes is out at once, and forgotten here."""
    return Account(
        store=store,
        vault=vault,
        runners=runners,
        audit=audit,
        locked_out=door.logins.revoke_all,
        forget=talks.forget_user,
    )


def mount(app: FastAPI) -> None:
    """NiceGUI under everything, in the leanest form it has; around everything, guards too, who counts requests."""
    app.add_middleware(Observed)
    nicegui_core.sio.eio.cors_allowed_origins = None
    nicegui_core.sio.eio.transports = ["websocket"]
    nicegui_core.app.config.socket_io_js_transports = ["websocket"]
    ui.run_with(
        app,
        title="Oh My Agent",
        binding_refresh_interval=None,
        reconnect_timeout=10.0,
        tailwind=False,
        show_welcome_message=False,
    )
