"""The JSON API under `/api/v1`, one router per resource, and the health checks.

To add a resource, write `web/api/<resource>.py` with one function `router(services, …) -> ApiRouter` and put it into
`_routers` below. Inside it, endpoints are plain FastAPI functions whose body and result are msgspec structs:

    class StartRun(msgspec.Struct, frozen=True, kw_only=True):
        '''What a run is started with.'''
        text: str = ""

    def router(services: Services) -> ApiRouter:
        api = ApiRouter("runs")

        @api.endpoint("POST", "/agents/{agent}/runs", status=202, problems=(404, 409))
        async def start_run(agent: str, body: StartRun, user: Caller, key: IdempotencyKey = "") -> Run:
            '''Start a run of an agent.'''
            return await services.runs.start(agent, user=user.user_id, text=body.text, key=key)

        return api

- The parameter that is a struct is the request's body. It is decoded strictly: a wrong type is 400 with a sentence.
  If all its fields have defaults, the body may be left out.
- The return annotation is the answer's schema. `problems` lists what this endpoint answers beyond `COMMON` errors.
- Raise children of `PlatformError`; they become `application/problem+json`.
- A list takes `page: PageQuery` and returns a struct with `next` (web/api/paging.py).
- A POST that starts something takes `key: IdempotencyKey` and derives the ids of what it makes from it
  (`core.domain.records.derived_agent_id`), so that a repeated request finds what the first one made.
- Add the route to `TABLE` of tests/test_authorisation.py; tests/web/test_openapi.py walks it by itself.
"""

from collections.abc import Callable

from fastapi import FastAPI

from core.fleet.gateway_link import GatewayLink
from core.services.connections import ConnectionHistory
from core.store import Store
from ui.layout.services import Services
from web.api import (
    agent_definitions,
    agent_tests,
    agent_transfer,
    agents,
    connections,
    error_answers,
    files,
    health,
    notifications,
    openapi,
    runs,
    search,
    sessions,
    triggers,
    usage,
)
from web.api.routing import ApiRouter

PREFIX = "/api/v1"


def install(app: FastAPI, *, services: Services, store: Store, gate: GatewayLink, draining: Callable[[], bool]) -> None:
    """Mount the API and the health checks onto `app`."""
    error_answers.install_for_platform_errors(app)
    app.router.routes += health.router(store=store, gate=gate, draining=draining).routes
    app.mount(PREFIX, application(services, store))


def application(services: Services, store: Store) -> FastAPI:
    """Return the API alone, with its OpenAPI document at `/openapi.json`."""
    api = FastAPI(title="Oh My Agent", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    error_answers.install(api)
    for router in _routers(services, store):
        api.router.routes += router.routes  # not `include_router`: it hides the routes from those who walk them
    openapi.install(api, prefix=PREFIX)
    return api


def _routers(services: Services, store: Store) -> tuple[ApiRouter, ...]:
    """Every resource of the API."""
    return (
        agents.router(services),
        agent_definitions.router(services),
        agent_tests.router(services),
        agent_transfer.router(services),
        sessions.router(services, store),
        connections.router(ConnectionHistory(store)),
        files.router(services),
        search.router(services),
        runs.router(services, store),
        triggers.router(services),
        usage.router(services),
        notifications.router(services),
    )
