"""The section with the times at which an agent works by itself."""

from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import tag
from ui.runs.sentences import spoken


class ScheduleSection(Section):
    """Schedules are changed on the page about the agent's operation."""

    key = "schedule"
    editable = False

    def summary(self, view: AgentView) -> str:
        spoken_ = [spoken(one.schedule, self.words) for one in view.triggers if one.enabled]
        return ", ".join(spoken_) or self.words.t("schedules.none")

    def body(self, view: AgentView) -> None:
        words = self.words
        with tag("ul", classes="rows"):
            for one in view.triggers:
                with tag("li", classes="line", testid="agent-schedule"):
                    tag("span", spoken(one.schedule, words), classes="grow cut")
                    times = self.page.services.schedules.upcoming(one, count=1) if one.enabled else []
                    tag("span", words.full(times[0]) if times else words.t("agent.paused"), classes="meta nowrap")
        tag("a", words.t("agent.schedule_open"), classes="more", href=f"/agents/{self.agent}/operate")
