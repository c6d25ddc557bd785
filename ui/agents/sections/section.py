"""A section of an agent's page: one line while it is folded, its values when open, a form when somebody edits it.

A section that somebody else changed glows once. What is being typed is never drawn over: if the same values change
meanwhile, saving shows both, and the person chooses.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.events import GenericEventArguments

from core.agents.changes import DefinitionChanged
from core.domain.agent_definition import AgentDefinition
from ui.agents.view import AgentView
from ui.layout.html import Tag, icon, tag
from ui.layout.page_frame import PageFrame

VALUE = "event => emit(event.target.value)"
CHECKED = "event => emit(event.target.checked)"
TEXT_CHARS = 100_000
GLOW = "(element => {{element.classList.remove('glow'); void element.offsetWidth; element.classList.add('glow')}})({})"


class Section:
    """The base of all sections. A section overrides `summary`, `body` and, if it can be edited here, `form`."""

    key = ""
    editable = True
    open_at_first = False

    def __init__(self, page: PageFrame, agent: str, changed: Callable[[], Awaitable[None]]) -> None:
        self.page, self.words, self.agent = page, page.words, agent
        self._changed = changed
        self._seen: AgentView | None = None
        self._base: AgentDefinition | None = None  # the definition that the open form was filled from
        self._saving = False  # what changes now, this page has changed itself: no glow for it
        self.typed: dict[str, Any] = {}
        self.root = tag("section", classes="sec", id=self.key, testid="draft-field", data_field=self.key)
        with self.root:
            self._details = tag("details", open=self.open_at_first or None)
            with self._details, tag("summary"):
                icon("down", "chev")
                tag("h2", self.words.t(f"agent.{self.key}"))
                self._chip = tag("span", self.words.t("agent.changed"), classes="chip accent")
                self._sum = tag("span", classes="sum cut")
            with self._details:
                self._body = tag("div", classes="in")
            if self.editable:
                self._edit = tag("button", self.words.t("agent.edit"), classes="btn ghost sm edit", type="button")
                label = self.words.t("agent.edit_one", name=self.words.t(f"agent.{self.key}"))
                self._edit.attributes(testid=f"edit-{self.key}", aria_label=label).on("click", self.edit, args=[])

    # --- what a section overrides -------------------------------------------------------------------------------------

    def summary(self, view: AgentView) -> str:
        """The section in one line."""
        raise NotImplementedError

    def body(self, view: AgentView) -> None:
        """Draw the values into the open element."""
        raise NotImplementedError

    def form(self, view: AgentView) -> None:
        """Draw the form into the open element; what is typed goes into `typed`."""

    # --- what happens -------------------------------------------------------------------------------------------------

    @property
    def view(self) -> AgentView:
        """The agent as it was last read."""
        if self._seen is None:
            raise RuntimeError("nothing has been read yet")
        return self._seen

    @property
    def editing(self) -> bool:
        """True while the form is open."""
        return self._base is not None

    def show(self, view: AgentView) -> None:
        """Take over what was read, and draw what reads otherwise."""
        before, self._seen = self._seen, view
        self._chip.set_visibility(self.key in view.changed)
        value = view.value(self.key)
        if before is not None and before.value(self.key) == value:
            return
        self._sum.set_text(self.summary(view))
        if self.editing:
            return
        self._draw(self.body)
        if before is not None and not self._saving:
            self.page.client.run_javascript(GLOW.format(f"document.getElementById('{self.key}')"))

    def edit(self) -> None:
        """Open the form, filled with what is there now."""
        self._base = self.view.definition
        self.typed = {}
        self._details.attributes(open=True)
        self._draw(self._draw_form)

    def close(self) -> None:
        """Close the form and show what is there."""
        self._base = None
        self._draw(self.body)

    async def save(self, **fields: Any) -> None:
        """Change these fields, if nobody else has changed one of them since the form was opened."""
        try:
            await self.page.services.definitions.change_since(
                self.agent, self._base or self.view.definition, user=self.page.user_id, **fields
            )
        except DefinitionChanged as conflict:
            self._conflict(conflict.current, fields)
            return
        await self.saved()

    async def saved(self) -> None:
        """Close the form, because its values are kept, and read again."""
        self._base = None
        await self._changed()
        self._draw(self.body)

    def _draw(self, what: Callable[[AgentView], None]) -> None:
        self._body.clear()
        with self._body:
            what(self.view)

    def _draw_form(self, view: AgentView) -> None:
        self.form(view)
        with tag("div", classes="row acts"):
            save = tag("button", self.words.t("agent.save"), classes="btn primary", type="button")
            save.attributes(testid=f"save-{self.key}").on("click", self._submit, args=[])
            cancel = tag("button", self.words.t("agent.cancel"), classes="btn ghost", type="button")
            cancel.on("click", self.close, args=[])

    async def submit(self) -> None:
        """Save what was typed."""
        if self.typed:
            await self.save(**self.typed)
        else:
            self.close()

    async def _submit(self) -> None:
        self._saving = True
        try:
            await self.submit()
        finally:
            self._saving = False

    def _conflict(self, current: AgentDefinition, fields: dict[str, Any]) -> None:
        """Show what stands there now beside what was typed, and let the person choose."""
        theirs = "\n".join(self.told(name, getattr(current, name)) for name in fields)
        mine = "\n".join(self.told(name, value) for name, value in fields.items())

        async def use_mine() -> None:
            self._base = current
            await self.save(**fields)

        self.show_conflict(theirs, mine, use_mine=use_mine)

    def told(self, name: str, value: object) -> str:
        """A value of a field in words, for the comparison of a conflict."""
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    def show_conflict(self, theirs: str, mine: str, *, use_mine: Callable[[], Awaitable[None]]) -> None:
        """Draw both texts with a button each; nothing is written before one is pressed."""

        async def keep_theirs() -> None:
            await self.saved()

        self._body.clear()
        with self._body, tag("div", classes="conflict", role="alert", testid="conflict"):
            tag("p", self.words.t("agent.conflict"), classes="b")
            with tag("div", classes="both"):
                for which, text, act in (("theirs", theirs, keep_theirs), ("mine", mine, use_mine)):
                    with tag("div"):
                        tag("h3", self.words.t(f"agent.{which}"))
                        tag("pre", text, classes="plain", testid=f"conflict-{which}")
                        button = tag("button", self.words.t(f"agent.use_{which}"), classes="btn", type="button")
                        button.attributes(testid=f"use-{which}").on("click", act, args=[])

    # --- parts of forms -----------------------------------------------------------------------------------------------

    def text(self, name: str, value: str, *, area: bool = False, rows: int = 3, most: int = 2000) -> Tag:
        """A labelled text field whose value goes into `typed[name]`."""
        id = f"f-{self.key}-{name}"
        with tag("div", classes="field"):
            tag("label", self.words.t(f"agent_field.{name}"), for_=id)
            kind = "textarea" if area else "input"
            field = tag(
                kind, classes="input full area" if area else "input full", id=id, testid=id, maxlength=str(most)
            )
            if area:
                field.attributes(rows=str(rows)).set_text(value)
            else:
                field.attributes(value=value)
            field.on("input", lambda event: self._keep(name, str(event.args)[:most]), js_handler=VALUE)
        return field

    def choice(self, name: str, value: str, options: dict[str, str]) -> None:
        """A labelled list of which one is chosen."""
        id = f"f-{self.key}-{name}"
        with tag("div", classes="field"):
            tag("label", self.words.t(f"agent_field.{name}"), for_=id)
            with tag("select", classes="input full", id=id, testid=id) as select:
                for option, label in options.items():
                    chosen = "selected" if option == value else None
                    tag("option", label, value=option).attributes(selected=chosen)
            select.on("change", lambda event: self._keep(name, _one_of(event, options, value)), js_handler=VALUE)

    def _keep(self, name: str, value: Any) -> None:
        self.typed[name] = value


def _one_of(event: GenericEventArguments, options: dict[str, str], otherwise: str) -> str:
    return str(event.args) if str(event.args) in options else otherwise
