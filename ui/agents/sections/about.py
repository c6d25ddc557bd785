"""The section with an agent's name, description and icon."""

from core.domain.agent_definition import ICONS, NAME_CHARS, TEXT_CHARS
from ui.agents.sections.section import VALUE, Section
from ui.agents.view import AgentView
from ui.layout.html import icon, tag


class AboutSection(Section):
    """Name, description, icon."""

    key = "about"

    def summary(self, view: AgentView) -> str:
        return view.definition.description or self.words.t("agent.no_description")

    def body(self, view: AgentView) -> None:
        with tag("div", classes="row"):
            with tag("span", classes="tile"):
                icon(view.definition.icon)
            with tag("div", classes="grow"):
                tag("p", view.definition.name or self.words.t("dashboard.untitled"), classes="b cut")
                tag("p", view.definition.description or self.words.t("agent.no_description"), classes="meta wrap")

    def form(self, view: AgentView) -> None:
        self.text("name", view.definition.name, most=NAME_CHARS)
        self.text("description", view.definition.description, area=True, rows=2, most=TEXT_CHARS)
        with tag("fieldset", classes="field icons"):
            tag("legend", self.words.t("agent_field.icon"))
            for name in ICONS:
                with tag("label", classes="pick", title=name):
                    one = tag("input", type="radio", value=name, aria_label=name)
                    one.props["name"] = "icon"
                    one.attributes(checked="checked" if name == view.definition.icon else None)
                    one.on("change", lambda event: self._keep("icon", str(event.args)), js_handler=VALUE)
                    icon(name)
