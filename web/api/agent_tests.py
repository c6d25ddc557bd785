"""Tests of an agent: run them, and read what came of them."""

import msgspec

from core.domain.agent_tests import AgentTestRun
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller, IdempotencyKey


class NewTestRun(msgspec.Struct, frozen=True, kw_only=True):
    """The test cases to run: the one with the name `only`, or all that are in the agent's folder."""

    only: str = ""


class TestRuns(msgspec.Struct, frozen=True, kw_only=True):
    """Test runs of an agent, newest first."""

    test_runs: list[AgentTestRun]


def router(services: Services) -> ApiRouter:
    """Routes under `/agents/{agent}/tests`."""
    api = ApiRouter("agent tests")

    @api.endpoint("POST", "/agents/{agent}/tests/run", status=202, problems=(404,))
    async def run_tests(agent: str, body: NewTestRun, user: Caller, key: IdempotencyKey = "") -> AgentTestRun:
        """Run test cases of an agent in a copy of its folder; nobody is asked during the run."""
        return await services.tests.start(agent, user=user.user_id, only=body.only, key=key)

    @api.endpoint("GET", "/agents/{agent}/tests", problems=(404,))
    async def list_test_runs(agent: str, user: Caller) -> TestRuns:
        """Read the newest test runs of an agent, with the verdicts of those that have ended."""
        await services.agents.get(agent, user=user.user_id)
        return TestRuns(test_runs=await services.tests.newest(agent, user=user.user_id))

    return api
