"""The API over the real guards, with the real store and a scripted runner."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest_asyncio
from fastapi import FastAPI

import auth
from core.config.settings import Settings
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_pool import RunnerPool
from core.services.agent_definitions import AgentDefinitions
from core.services.agent_tests import AgentTests
from core.services.agent_transfer import AgentTransfer
from core.services.agent_versions import AgentVersions
from core.services.agents import Agents
from core.services.audit import Audit
from core.services.conversations import Conversations
from core.services.files import Files
from core.services.runs import Runs
from core.services.schedules import Schedules
from core.services.search import Search
from core.services.spending import Spending
from core.services.users import UserAdmin
from core.spawner import Isolation
from core.store.sqlite import SqliteStore
from core.vault.local import LocalVault
from tests.fakes import OpenGate, ScriptedSpawner
from tests.ui.fakes import rest_of_services
from ui.layout.services import Services
from web import api
from web.notifications import notifications

ORIGIN = "http://127.0.0.1:8080"


class Served:
    """The API with two people in front of it: the owner, signed in by the link, and nobody."""

    def __init__(self, app: FastAPI, store: SqliteStore, spawner: ScriptedSpawner) -> None:
        self.store, self.spawner = store, spawner
        self.gate, self.draining = OpenGate(), False
        self.gate.up = True  # type: ignore[attr-defined]
        transport = httpx.ASGITransport(app)
        self.owner = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})
        self.nobody = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"origin": ORIGIN})

    async def new(self) -> dict[str, Any]:
        return (await self.owner.post("/api/v1/agents")).json()


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    app = FastAPI()
    with TemporaryDirectory(prefix="oma") as short:
        spawner = ScriptedSpawner(Path(short))
        async with await SqliteStore.open(tmp_path / "oma.db") as store:
            served = Served(app, store, spawner)
            runners = RunnerPool(store=store, spawner=spawner, gateway_link=served.gate, limits=IdleLimits())  # type: ignore[arg-type]
            settings, audit = Settings(data_dir=tmp_path, upload_mb=3), Audit(store)
            told = notifications(settings, store=store, vault=LocalVault(tmp_path), audit=audit)
            async with runners, told as notifying:
                auth_service = auth.install(app, settings, store, ["k" * 40])
                conversations = Conversations(store=store, runners=runners, audit=audit)
                agents = Agents(store=store, runners=runners, forget=conversations.forget, audit=audit)
                people = UserAdmin(store=store, runners=runners, audit=audit, named=(), changed=lambda user: None)
                versions = AgentVersions(store=store, runners=runners, agents=agents, audit=audit)
                services = Services(
                    settings=settings,
                    agents=agents,
                    conversations=conversations,
                    auth=auth_service,
                    **rest_of_services()
                    | {
                        **notifying,
                        "definitions": AgentDefinitions(agents),
                        "files": Files(store=store, runners=runners, upload_bytes=3 * 2**20),
                        "search": Search(store),
                        "versions": versions,
                        "transfer": AgentTransfer(
                            store=store, runners=runners, agents=agents, versions=versions, audit=audit
                        ),
                        "tests": AgentTests(store, audit=audit, wake=lambda: None),
                        "runs": Runs(store, audit=audit, wake=lambda: None),
                        "schedules": Schedules(store, audit=audit, wake=lambda: None),
                        "spending": Spending(store, audit=audit, people=people),
                    },
                    isolation=lambda: Isolation(name="none"),
                )
                api.install(app, services=services, store=store, gate=served.gate, draining=lambda: served.draining)  # type: ignore[arg-type]
                link = httpx.URL(auth_service.local_link())
                await served.owner.get(link.raw_path.decode())
                yield served
            for runner in spawner.alive.values():
                await runner.die()
