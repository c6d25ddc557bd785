"""Everything that a browser or an API client can reach, put together onto one application: guards, pages, API."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from nicegui import core as nicegui_core
from nicegui import ui

import auth
from core.config.settings import Settings
from core.domain.records import UserId
from core.fleet.gateway_link import GatewayLink
from core.fleet.runner_pool import RunnerPool
from core.services.account import Account
from core.services.account_export import Export
from core.services.agent_definitions import AgentDefinitions
from core.services.agent_tests import AgentTests, AgentTestWorker
from core.services.agent_transfer import AgentTransfer
from core.services.agent_versions import AgentVersions
from core.services.agents import Agents
from core.services.announcements import Announcements
from core.services.audit import Audit
from core.services.background_loops import BackgroundLoops
from core.services.connections import ConnectionHistory
from core.services.conversations import Conversations
from core.services.files import Files
from core.services.model_connection import ModelConnections
from core.services.platform_requests import PlatformRequests
from core.services.run_worker import RunWorker
from core.services.runs import Runs
from core.services.scheduler import Scheduler
from core.services.schedules import Schedules
from core.services.search import Search
from core.services.secrets import Secrets
from core.services.session_controls import SessionControls
from core.services.spending import Spending
from core.services.terminals import Terminals
from core.services.test_judge import Judge
from core.services.users import UserAdmin
from core.spawner import Spawner
from core.store import Store
from core.vault import Vault
from ui import pages
from ui.layout import error_page
from ui.layout.services import Services
from web import api
from web.notifications import notifications
from web.request_metrics import RequestMetrics


@asynccontextmanager
async def front(
    app: FastAPI,
    *,
    settings: Settings,
    keys: Sequence[str],
    store: Store,
    vault: Vault,
    runners: RunnerPool,
    spawner: Spawner,
    gate: GatewayLink,
    draining: Callable[[], bool],
) -> AsyncIterator[auth.AuthService]:
    """Put everything onto `app`, which may be served while the context is open. Raises: Misconfigured."""
    audit = Audit(store, request_origin=auth.request_origin)
    authenticator = auth.install(app, settings, store, keys, audit=audit, page=error_page.refusal)
    conversations = Conversations(store=store, runners=runners, audit=audit)
    async with (
        _background_loops(settings, conversations, store=store, runners=runners) as loops,
        ModelConnections(settings, store, vault, audit=audit) as model,
        notifications(settings, store=store, vault=vault, audit=audit) as told,
        Announcements(store=store, audit=audit) as announcements,
        _account(authenticator, conversations, store=store, vault=vault, runners=runners, audit=audit) as account,
        authenticator.running(),
    ):
        services = Services(
            settings=settings,
            auth=authenticator,
            account=account,
            conversations=conversations,
            terminals=Terminals(conversations=conversations, audit=audit, allowed=settings.terminals == "on"),
            files=Files(store=store, runners=runners, upload_bytes=settings.upload_mb * 2**20),
            **_people(authenticator, settings, store=store, runners=runners, audit=audit),
            announcements=announcements,
            isolation=spawner.isolation,
            **told | {"model": model},
            **_use_cases(conversations, loops, store=store, vault=vault, runners=runners, audit=audit),
        )
        _install(app, services, store=store, gate=gate, draining=draining)
        yield authenticator


def _use_cases(
    conversations: Conversations,
    loops: BackgroundLoops,
    *,
    store: Store,
    vault: Vault,
    runners: RunnerPool,
    audit: Audit,
) -> dict[str, Any]:
    """Build the use cases of agents and their work, by the fields of Services."""
    agents = Agents(store=store, runners=runners, forget=conversations.forget, audit=audit)
    schedules = Schedules(store, audit=audit, wake=loops.wake)
    secrets = Secrets(vault=vault, store=store, runners=runners, audit=audit)
    versions = AgentVersions(store=store, runners=runners, agents=agents, audit=audit)
    return {
        "audit": audit,
        "agents": agents,
        "controls": SessionControls(store=store, runners=runners, conversations=conversations, audit=audit),
        "definitions": AgentDefinitions(agents),
        "versions": versions,
        "search": Search(store),
        "transfer": AgentTransfer(store=store, runners=runners, agents=agents, versions=versions, audit=audit),
        "runs": Runs(store, audit=audit, wake=loops.wake),
        "schedules": schedules,
        "tests": AgentTests(store, audit=audit, wake=loops.wake),
        "secrets": secrets,
        "platform_requests": PlatformRequests(
            store=store, conversations=conversations, secrets=secrets, schedules=schedules, versions=versions
        ),
        "export": Export(store=store, runners=runners),
        "outbound": ConnectionHistory(store),
    }


def _people(
    authenticator: auth.AuthService, settings: Settings, *, store: Store, runners: RunnerPool, audit: Audit
) -> dict[str, Any]:
    """Build the administration of users and what they may spend; a changed right takes effect in open pages."""
    people = UserAdmin(
        store=store, runners=runners, audit=audit, named=settings.admins, changed=authenticator.logins.refresh
    )
    return {"people": people, "spending": Spending(store, audit=audit, people=people)}


def _account(
    authenticator: auth.AuthService,
    conversations: Conversations,
    *,
    store: Store,
    vault: Vault,
    runners: RunnerPool,
    audit: Audit,
) -> Account:
    """Build the deletion of accounts, which ends their logins and forgets their conversations in this process."""
    return Account(
        store=store,
        vault=vault,
        runners=runners,
        audit=audit,
        locked_out=authenticator.logins.revoke_all,
        forget=conversations.forget_user,
    )


def _background_loops(
    settings: Settings, conversations: Conversations, *, store: Store, runners: RunnerPool
) -> BackgroundLoops:
    """Build the loops of this web for unattended work. Raises: Misconfigured."""
    per_user, platform = settings.run_bounds

    def is_held(user: UserId) -> bool:
        return runners.running(user) is not None

    worker = RunWorker(store, messenger=conversations, is_held=is_held, per_user=per_user, platform=platform)
    loops = BackgroundLoops(Scheduler(store), worker)
    judge = Judge(store, runners=runners, messenger=conversations)
    loops.tests = AgentTestWorker(store, runners=runners, judge=judge, wake=loops.wake)
    return loops


def _install(
    app: FastAPI, services: Services, *, store: Store, gate: GatewayLink, draining: Callable[[], bool]
) -> None:
    """Install the API and the pages."""
    api.install(app, services=services, store=store, gate=gate, draining=draining)
    pages.install(services)
    mount(app)


def mount(app: FastAPI) -> None:
    """Mount NiceGUI below our routes, with WebSockets only, and count requests outside of all guards."""
    app.add_middleware(RequestMetrics)
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
