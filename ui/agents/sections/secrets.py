"""The section with the secrets that an agent gets, by name."""

from functools import partial

from nicegui.events import GenericEventArguments

from ui.agents.sections.section import CHECKED, Section
from ui.agents.view import AgentView
from ui.layout.html import icon, tag


class SecretsSection(Section):
    """No value is shown here. A name without a value is wanted by the agent and has to be saved first."""

    key = "secrets"

    def summary(self, view: AgentView) -> str:
        names = view.definition.secrets
        missing = [name for name in names if name not in view.secret_names]
        if not names:
            return self.words.t("agent.no_secrets")
        return self.words.t("agent.secrets_missing", n=len(missing)) if missing else ", ".join(names)

    def body(self, view: AgentView) -> None:
        words = self.words
        if not view.definition.secrets:
            tag("p", words.t("agent.no_secrets"), classes="meta")
        with tag("ul", classes="rows"):
            for name in view.definition.secrets:
                kept = name in view.secret_names
                with tag("li", classes="line", testid="agent-secret", data_kept=str(kept).lower()):
                    icon("key")
                    tag("code", name, classes="grow cut")
                    tag("span", words.t("agent.secret_kept" if kept else "agent.secret_missing"), classes="meta")
        tag("a", words.t("agent.secrets_open"), classes="more", href="/settings/secrets")

    def form(self, view: AgentView) -> None:
        self._names = set(view.definition.secrets)
        names = sorted({*view.secret_names, *view.definition.secrets})
        with tag("div", classes="opts"):
            for name in names:
                with tag("label", classes="opt"):
                    box = tag("input", type="checkbox").attributes(checked="checked" if name in self._names else None)
                    box.on("change", partial(self._set, name), js_handler=CHECKED)
                    tag("code", name)
        if not names:
            tag("a", self.words.t("agent.secrets_open"), classes="more", href="/settings/secrets")

    def _set(self, name: str, event: GenericEventArguments) -> None:
        (self._names.add if event.args else self._names.discard)(name)

    async def submit(self) -> None:
        await self.save(secrets=sorted(self._names))
