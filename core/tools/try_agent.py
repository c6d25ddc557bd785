"""`try_agent`: test cases are run in a copy of the agent's folder, and the model learns what came of them."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from core.agents.test_runs import enter_test_run
from core.domain.agent_tests import CASES, AgentTestRun, Case, CaseResult, check_cases
from core.domain.records import derived_session_id, now
from core.protocol.gateway_api import ToolAnswer
from core.tools.tool import PlatformTool, ToolContext

BRIEF: Final = 300  # characters of a text in the report
GUIDE: Final = (
    "Test cases, kept as files tests/<name>.toml and run again on every later change. Kinds of checks: contains, lacks "
    "(text in the answer, or in the file `path`), matches (a regular expression), file_exists (path), exit_code (code "
    "of the last command), judged (a model decides by the rubric in `text`). That it ends well and keeps to its hosts "
    "is always checked. Leave empty to run the cases that are in the folder."
)


class TryAgent(Struct, frozen=True, kw_only=True):
    """Arguments of `try_agent`."""

    cases: Annotated[tuple[Case, ...], Meta(max_length=CASES, description=GUIDE)] = ()
    only: Annotated[str, Meta(max_length=60, description="Run only the case of this name.")] = ""


class TryReport(Struct, frozen=True, kw_only=True):
    """The answer to the model, as JSON, so that a page can draw it too."""

    passed: int
    of: int
    results: tuple[CaseResult, ...]
    problem: str = ""


async def _handle(context: ToolContext, given: TryAgent) -> ToolAnswer:
    id = derived_session_id(context.user, context.agent.id, f"test {context.session.id} {context.call}")
    begun = AgentTestRun(
        id=id, agent=context.agent.id, cases=check_cases(given.cases), only=given.only, created_at=now()
    )
    run = await enter_test_run(context.store, begun, owner=context.user)
    if run.finished_at is None:
        return ToolAnswer(unfinished=True)
    report = TryReport(
        passed=run.passed,
        of=len(run.results),
        results=tuple(map(_brief, run.results)),
        problem=f"{run.problem}: {run.detail}" if run.problem else "",
    )
    return ToolAnswer(text=msgspec.json.encode(report).decode(), is_error=bool(run.problem))


def _brief(result: CaseResult) -> CaseResult:
    """The result short enough that ten of them fit into one answer of a tool."""
    case = result.case
    shown = replace(case, input=case.input[:BRIEF], expect=case.expect[:BRIEF], never=case.never[:BRIEF], checks=())
    checks = tuple(replace(one, text=one.text[:BRIEF]) for one in result.checks)
    return replace(result, case=shown, checks=checks)


TOOL: Final = PlatformTool(
    name="try_agent",
    description="Run test cases of the agent in a copy of its folder, as an unattended run: nobody is asked, and what "
    "its permissions do not allow is denied. Use it before you propose to publish, and after every change.",
    arguments=TryAgent,
    handle=_handle,
)
