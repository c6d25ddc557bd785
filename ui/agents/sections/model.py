"""The section with an agent's model, its effort, and its limits."""

from core.domain.agent_definition import EFFORTS
from core.gateway.metering.prices import offered_models
from ui.agents.sections.section import Section
from ui.agents.view import AgentView
from ui.layout.html import tag


class ModelSection(Section):
    """Offered are the models whose prices are known; a model that is set stays in the list."""

    key = "model"

    def summary(self, view: AgentView) -> str:
        definition, limits = view.definition, view.definition.limits
        parts = [definition.model or self.words.t("agent.model_default")]
        if definition.effort:
            parts.append(self.words.t(f"agent.effort_{definition.effort}"))
        if limits.run_usd:
            parts.append(self.words.t("agent.limit_run", usd=self.words.money(limits.run_usd)))
        if limits.month_usd:
            parts.append(self.words.t("agent.limit_month", usd=self.words.money(limits.month_usd)))
        return " · ".join(parts)

    def body(self, view: AgentView) -> None:
        definition, limits, words = view.definition, view.definition.limits, self.words
        with tag("dl", classes="profile"):
            for name, value in (
                ("model", definition.model or words.t("agent.model_default")),
                ("effort", words.t(f"agent.effort_{definition.effort or 'default'}")),
                ("limit_run", words.money(limits.run_usd) if limits.run_usd else words.t("agent.no_limit")),
                ("limit_month", words.money(limits.month_usd) if limits.month_usd else words.t("agent.no_limit")),
                ("limit_time", words.lasting(limits.duration_s) if limits.duration_s else words.t("agent.no_limit")),
            ):
                tag("dt", words.t(f"agent_field.{name}"))
                tag("dd", value)
        tag("a", words.t("agent.limits_edit"), classes="more", href=f"/agents/{self.agent}/operate#limits")

    def form(self, view: AgentView) -> None:
        words, definition = self.words, view.definition
        names = dict.fromkeys((*offered_models(), *filter(None, (definition.model,))))
        models = {"": words.t("agent.model_default")} | {name: name for name in names}
        self.choice("model", definition.model, models)
        efforts = {effort: words.t(f"agent.effort_{effort or 'default'}") for effort in EFFORTS}
        self.choice("effort", definition.effort, efforts)
        tag("p", words.t("agent.model_text"), classes="meta")
