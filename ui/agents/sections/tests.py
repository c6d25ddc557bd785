"""The section with an agent's test cases: what each wants, what came of it, and how that was in earlier test runs."""

import asyncio
from typing import Final

from nicegui import background_tasks

from core.domain.agent_tests import AgentTestRun, CaseResult, CheckKind, CheckResult
from core.domain.errors import PlatformError
from core.domain.visible_text import visible
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import icon, tag
from ui.transcript import verdict

COLUMNS: Final = 5  # test runs side by side
LOOK_S: Final = 1.0
LOOKS: Final = 1800  # of one page at one test run
MARKS: Final = {"passed": ("check", "ok"), "failed": ("x", "bad")}


class TestsSection(Section):
    """A test run goes on without the page; the page looks until it has ended."""

    key = "tests"
    editable = False
    __test__ = False  # it is no test of pytest's

    def summary(self, view: AgentView) -> str:
        newest = view.tests[0] if view.tests else None
        if newest is None:
            return self.words.t("tests.never_run")
        if newest.finished_at is None:
            return self.words.t("tests.running")
        if newest.problem:
            return self._problem(newest)
        told = self.words.t("tests.passed_of", passed=str(newest.passed), all=str(len(newest.results)))
        return f"{told} · {self.words.when(newest.finished_at)}"

    def body(self, view: AgentView) -> None:
        newest = view.tests[0] if view.tests else None
        running = newest if newest and newest.finished_at is None else None
        tag("p", self.words.t("tests.about"), classes="meta")
        with tag("div", classes="row acts"):
            label = self.words.t("tests.running" if running else "tests.run")
            button = tag("button", label, classes="btn", type="button", testid="try")
            if running:
                button.attributes(disabled=True)
                background_tasks.create(self._follow(running.id), name="test run", context=self.page.client)
            else:
                button.on("click", self._run, args=[])
        if newest and newest.problem:
            tag("p", self._problem(newest), classes="bad", role="alert", testid="test-problem")
        ended = [run for run in view.tests if run.finished_at and run.results][:COLUMNS]
        if ended:
            for result in sorted(ended[0].results, key=lambda one: one.state == "passed"):
                self._verdict(result)
        if len(ended) > 1:
            self._side_by_side(ended)

    async def _run(self) -> None:
        await self.page.services.tests.start(self.agent, user=self.page.user_id)
        await self._changed()

    async def _follow(self, id: str) -> None:
        """Read again once the test run has ended."""
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_S)
            if self.root.is_deleted:
                return
            try:
                if (await self.page.services.tests.get(id, user=self.page.user_id)).finished_at:
                    await self._changed()
                    return
            except PlatformError:
                return

    def _problem(self, run: AgentTestRun) -> str:
        return self.words.code("test_problem", run.problem, "bad_case", detail=visible(run.detail))

    def _verdict(self, result: CaseResult) -> None:
        words, passed = self.words, result.state == "passed"
        sign, colour = MARKS[result.state]
        card = tag(
            "details", classes="card verdict", testid="verdict", data_state=result.state, open=not passed or None
        )
        with card:
            with tag("summary"):
                icon("right", "chev")
                icon(sign, colour)
                tag("span", visible(result.case.title or result.case.name), classes="b cut")
                tag("span", f"{words.t(f'tests.{result.state}')} · {words.lasting(result.seconds)}", classes="meta")
            with tag("div", classes="two"):
                self._side("wanted", verdict.wanted(result, words))
                self._side("happened", verdict.happened(result, words))
            with tag("ul", classes="checks"):
                for check in sorted(result.checks, key=lambda one: one.passed):
                    self._check(check)
            if result.run:
                tag("a", words.t("tests.whole"), classes="more", href=f"/runs/{result.run}")

    def _side(self, name: str, text: str) -> None:
        with tag("div"):
            tag("p", self.words.t(f"tests.{name}"), classes="tiny")
            tag("p", text)

    def _check(self, check: CheckResult) -> None:
        sign, colour = MARKS["passed" if check.passed else "failed"]
        with tag("li", classes="" if check.passed else "bad"):
            icon(sign, colour)
            with tag("span", classes="grow"):
                if check.kind is CheckKind.JUDGED:
                    tag("span", self.words.t("tests.by_model") + " ", classes="muted")
                    tag("span", visible(check.text))
                else:
                    tag("span", verdict.sentence(check, self.words))
                if (evidence := verdict.evidence(check, self.words)) and not check.passed:
                    tag("div", evidence, classes="tried")
            if check.passed and evidence:
                tag("span", evidence, classes="end tiny")

    def _side_by_side(self, runs: list[AgentTestRun]) -> None:
        """A table of cases and test runs, the newest one first."""
        words = self.words
        names = list(dict.fromkeys(result.case.name for run in runs for result in run.results))
        with tag("div", classes="scroll-x"), tag("table", classes="tests", testid="tests-by-version"):
            with tag("tr"):
                tag("th", words.t("tests.case"), scope="col")
                for run in runs:
                    label = words.t("runs.draft") if run.version == "draft" else f"v{run.version}"
                    tag("th", f"{label} · {words.when(run.created_at)}", scope="col")
            for name in names:
                with tag("tr"):
                    tag("th", name, scope="row")
                    for run in runs:
                        self._cell(next((one for one in run.results if one.case.name == name), None))

    def _cell(self, result: CaseResult | None) -> None:
        with tag("td"):
            if result is None:
                tag("span", "–", classes="muted")
                return
            sign, colour = MARKS[result.state]
            icon(sign, colour)
            tag("span", self.words.t(f"tests.{result.state}"), classes=colour)
