"""The section with the inputs that a run of the agent asks for."""

from functools import partial
from typing import Any

import msgspec
from nicegui.events import GenericEventArguments

from core.domain.agent_inputs import AgentInput, InputKind
from ui.agents.sections.section import CHECKED, VALUE, Section
from ui.agents.view import AgentView
from ui.layout.html import tag


class InputsSection(Section):
    """Each input is a row of the form; rows are added and removed before all of them are saved at once."""

    key = "inputs"

    def summary(self, view: AgentView) -> str:
        named = [one.label or one.name for one in view.definition.inputs]
        return ", ".join(named) or self.words.t("agent.no_inputs")

    def body(self, view: AgentView) -> None:
        words = self.words
        if not view.definition.inputs:
            tag("p", words.t("agent.inputs_text"), classes="meta")
        with tag("ul", classes="rows"):
            for one in view.definition.inputs:
                with tag("li", classes="line", testid="input-row"):
                    tag("span", one.label or one.name, classes="grow cut")
                    tag("code", one.name)
                    kind = words.t(f"agent.kind_{one.kind}")
                    tag("span", f"{kind} · {words.t('agent.required')}" if one.required else kind, classes="meta")

    def form(self, view: AgentView) -> None:
        self._rows = [msgspec.to_builtins(one) for one in view.definition.inputs]
        self._list = tag("div")
        self._draw_rows()
        add = tag("button", self.words.t("agent.input_add"), classes="btn sm", type="button", testid="input-add")
        add.on("click", self._add, args=[])

    def _draw_rows(self) -> None:
        self._list.clear()
        with self._list:
            for n, row in enumerate(self._rows):
                self._row(n, row)

    def _row(self, n: int, row: dict[str, Any]) -> None:
        words = self.words
        with tag("fieldset", classes="input-form", testid="input-form"):
            tag("legend", words.t("agent.input_n", number=n + 1), classes="sr")
            for name in ("name", "label", "default"):
                field = tag("input", classes="input", value=row.get(name, ""), maxlength="500")
                field.attributes(aria_label=words.t(f"agent.input_{name}"), placeholder=words.t(f"agent.input_{name}"))
                field.attributes(testid=f"input-{name}").on("input", partial(self._set, n, name), js_handler=VALUE)
            with tag("select", classes="input", aria_label=words.t("agent.input_kind"), testid="input-kind") as select:
                for kind in InputKind:
                    chosen = "selected" if kind == row.get("kind") else None
                    tag("option", words.t(f"agent.kind_{kind}"), value=str(kind)).attributes(selected=chosen)
            select.on("change", partial(self._set, n, "kind"), js_handler=VALUE)
            choices = tag("input", classes="input", value=", ".join(row.get("choices", ())), maxlength="2000")
            choices.attributes(aria_label=words.t("agent.input_choices"), placeholder=words.t("agent.input_choices"))
            choices.on("input", partial(self._set, n, "choices"), js_handler=VALUE)
            with tag("label", classes="opt"):
                must = tag("input", type="checkbox").attributes(checked="checked" if row.get("required") else None)
                must.on("change", partial(self._set, n, "required"), js_handler=CHECKED)
                tag("span", words.t("agent.required"))
            remove = tag("button", words.t("agent.input_remove"), classes="btn ghost sm", type="button")
            remove.attributes(aria_label=words.t("agent.input_remove_n", number=n + 1))
            remove.on("click", partial(self._drop, n), args=[])

    def _add(self) -> None:
        self._rows.append({"name": f"input{len(self._rows) + 1}", "kind": "text"})
        self._draw_rows()

    def _drop(self, n: int) -> None:
        del self._rows[n : n + 1]
        self._draw_rows()

    def _set(self, n: int, name: str, event: GenericEventArguments) -> None:
        value: Any = bool(event.args) if name == "required" else str(event.args)[:2000]
        if name == "choices":
            value = [part.strip() for part in value.split(",") if part.strip()]
        if n < len(self._rows):
            self._rows[n][name] = value

    async def submit(self) -> None:
        await self.save(inputs=self._rows)

    def told(self, name: str, value: object) -> str:
        rows = msgspec.convert(value, tuple[AgentInput, ...], from_attributes=True)
        return "\n".join(f"{one.name} ({one.kind}) {one.label}" for one in rows)
