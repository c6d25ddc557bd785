"""The form that starts a run of an agent now, and the page `/agents/{agent}/run` that has nothing else."""

from urllib.parse import quote

from nicegui import ui

from core.domain.errors import BadInput
from core.domain.records import Agent, UserId
from core.domain.run_inputs import BadValue
from core.domain.runs import DRAFT
from ui.layout.html import icon, tag
from ui.layout.page_frame import PageFrame, frame, screen
from ui.layout.services import Services
from ui.runs.input_fields import InputFields


class RunForm:
    """Draws the form into the element that is open. A run that has started is shown on its own page."""

    def __init__(self, page: PageFrame, agent: Agent) -> None:
        self._page, self._agent = page, agent
        words = page.words
        if not agent.inputs:
            tag("label", words.t("schedules.field_input"), classes="meta", for_="run-input")
        self._fields = InputFields(words, agent.inputs, id="run-input", testid="run-input")
        label = words.t("schedules.run_draft" if agent.draft else "schedules.run_now")
        with tag("button", classes="btn primary", type="button", testid="run-now") as start:
            icon("play")
            tag("span", label)
        start.on("click", self._start, args=[])

    async def _start(self) -> None:
        try:
            given = self._fields.value()
        except BadValue as error:
            self._page.fail(error)
            return
        version = DRAFT if self._agent.draft else 0
        run = await self._page.services.runs.start(
            self._agent.id, user=self._page.user_id, input=given, version=version
        )
        ui.navigate.to(f"/runs/{run.id}")


async def run_now(services: Services, agent: Agent, *, user: UserId) -> str:
    """Start a run of an agent that needs no input, and return the address of its page; else that of the form.

    Drafts and agents with inputs have a form first. Raises: PlatformError: the run cannot start.
    """
    if agent.inputs or agent.draft:
        return address(agent.id)
    try:
        return f"/runs/{(await services.runs.start(agent.id, user=user)).id}"
    except BadInput:
        return address(agent.id)  # its inputs have changed meanwhile


def address(agent: str) -> str:
    """The address of the page with the form."""
    return f"/agents/{quote(agent)}/run"


def install(services: Services) -> None:
    """Serve the page."""

    @screen("/agents/{agent_id}/run")
    async def run(agent_id: str) -> None:
        """Raises: NotFound: the agent is not there, or not this user's."""
        user = services.auth.current()
        agent = await services.agents.get(agent_id, user=user.id)
        with frame(services, title="schedules.run_now") as page:
            words = page.words
            name = agent.name or words.t("dashboard.untitled")
            page.retitle(f"{words.t('schedules.run_now')} · {name}")
            with tag("div", classes="page narrow settings runs operate"):
                with tag("a", classes="row back", href=f"/workspace/{quote(agent.id)}"):
                    icon("back")
                    tag("span", name, classes="cut")
                tag("h1", words.t("schedules.run_now"))
                if agent.description:
                    tag("p", agent.description, classes="meta")
                with tag("section", classes="part"):
                    RunForm(page, agent)
