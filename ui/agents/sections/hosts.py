"""The section with the hosts that an agent may reach."""

from core.domain.host_patterns import ANYWHERE
from ui.agents.host_list import HostList
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import tag


class HostsSection(Section):
    """The list itself is the one of the page about connections, which says what was reached."""

    key = "hosts"

    def summary(self, view: AgentView) -> str:
        hosts = view.definition.egress
        if ANYWHERE in hosts:
            return self.words.t("connections.anywhere")
        return ", ".join(hosts) or self.words.t("connections.nowhere")

    def body(self, view: AgentView) -> None:
        tag("p", self.summary(view), classes="mono wrap")
        tag("a", self.words.t("agent.hosts_open"), classes="more", href=f"/agents/{self.agent}/connections")

    def form(self, view: AgentView) -> None:
        HostList(self.page, view.agent)
