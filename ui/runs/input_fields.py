"""The fields of an agent's inputs, for a run that starts now and for a schedule; without inputs one box of text."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from nicegui.events import GenericEventArguments

from core.domain.agent_inputs import AgentInput, InputKind
from core.domain.run_inputs import BadValue, checked_values
from ui.layout.html import Tag, tag
from ui.layout.i18n import Translations

VALUE = "event => emit(event.target.value)"
TEXT_CHARS = 20_000
TYPES = {InputKind.NUMBER: "number", InputKind.DATE: "date"}


class InputFields:
    """Draws the fields into the element that is open, and keeps what is typed. `id` tells several of a page apart."""

    def __init__(
        self,
        words: Translations,
        inputs: Sequence[AgentInput],
        *,
        id: str,
        testid: str,
        given: dict[str, Any] | str = "",
    ) -> None:
        self._words, self._inputs, self._id = words, inputs, id
        self._typed = {name: str(value) for name, value in given.items()} if isinstance(given, dict) else {}
        self._text = given if isinstance(given, str) else ""
        self._errors: dict[str, Tag] = {}
        if not inputs:
            text = tag("textarea", self._text, classes="input full", id=id, rows="2", maxlength=str(TEXT_CHARS))
            text.attributes(testid=testid, placeholder=words.t("schedules.input_hint"))
            text.on("input", self._on_text, js_handler=VALUE)
            return
        with tag("div", classes="inputs", testid=testid):
            for one in inputs:
                self._field(one)

    def value(self) -> dict[str, Any] | str:
        """Return what a run would be given, and mark the field that is wrong. Raises: BadValue."""
        for error in self._errors.values():
            error.set_text("")
        try:
            return checked_values(self._inputs, self._typed if self._inputs else self._text)
        except BadValue as error:
            if error.name in self._errors:
                self._errors[error.name].set_text(self._words.code("error", error.code, "input_wrong"))
            raise

    def _field(self, one: AgentInput) -> None:
        words, id = self._words, f"{self._id}-{one.name}"
        with tag("div", classes="field"):
            with tag("label", for_=id):
                tag("span", one.label or one.name)
                if one.required:
                    tag("span", words.t("schedules.required"), classes="tiny")
            box = self._box(one, id)
            box.attributes(testid=f"input-{one.name}", aria_describedby=f"{id}-about")
            box.on("input", partial(self._on_value, one.name), js_handler=VALUE)
            with tag("div", id=f"{id}-about"):
                if one.description:
                    tag("p", one.description, classes="meta")
                self._errors[one.name] = tag("p", classes="meta bad", role="status")

    def _box(self, one: AgentInput, id: str) -> Tag:
        value = self._typed.get(one.name, one.default)
        if one.kind is InputKind.CHOICE:
            with tag("select", classes="input", id=id) as select:
                for choice in ("", *one.choices) if not (one.required and one.default) else one.choices:
                    option = tag("option", choice or "–", value=choice)
                    option.attributes(selected="selected" if choice == value else None)
            return select
        box = tag("input", classes="input full", id=id, type=TYPES.get(one.kind, "text"), value=value)
        if one.kind is InputKind.NUMBER:
            box.attributes(step="any")
        if one.kind is InputKind.FILE:
            box.attributes(placeholder=self._words.t("schedules.file_hint"))
        return box.attributes(maxlength=str(TEXT_CHARS), autocomplete="off")

    def _on_text(self, event: GenericEventArguments) -> None:
        self._text = str(event.args)[:TEXT_CHARS]

    def _on_value(self, name: str, event: GenericEventArguments) -> None:
        self._typed[name] = str(event.args)[:TEXT_CHARS]
