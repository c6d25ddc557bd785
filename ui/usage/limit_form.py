"""The form of limits: of a user, of one agent, of the platform. A field that is empty is no limit."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from nicegui.events import GenericEventArguments

from core.domain.errors import BadInput
from ui.layout.html import tag
from ui.layout.page_frame import PageFrame

VALUE = "event => emit(event.target.value)"
MINUTE_S = 60
USER = ("user_month_usd", "agent_month_usd", "run_usd", "duration_s", "turns")
AGENT = ("month_usd", "run_usd", "duration_s", "turns")
PLATFORM = ("platform_month_usd", "user_month_usd")

Save = Callable[[dict[str, float]], Awaitable[object]]


class LimitForm:
    """Keeps what is typed, and saves all fields together. `about` tells the forms of one page apart."""

    def __init__(
        self, page: PageFrame, *, about: str, fields: tuple[str, ...], values: Mapping[str, float], save: Save
    ) -> None:
        self._page, self._about, self._save = page, about, save
        self._typed = {name: _shown(name, values.get(name, 0)) for name in fields}
        words = page.words
        with tag("div", classes="limit-form", testid="limit-form", data_about=about):
            with tag("div", classes="limits"):
                for name in fields:
                    self._field(name)
            with tag("div", classes="row"):
                button = tag("button", words.t("limits.save"), classes="btn", type="button", testid="limit-save")
                button.on("click", self._submit, args=[])
                self._error = tag("p", classes="meta bad", role="status", testid="limit-error")

    def _field(self, name: str) -> None:
        words, id = self._page.words, f"limit-{self._about}-{name}"
        platform = self._about == "platform"
        label = words.t(f"limits.platform_{name}") if platform else words.t(f"limits.{name}")
        with tag("div", classes="field"):
            tag("label", label, for_=id)
            with tag("div", classes="input unit"):
                if name.endswith("_usd"):
                    tag("span", "US$", classes="muted", aria_hidden="true")
                box = tag("input", id=id, type="text", inputmode="decimal", value=self._typed[name], maxlength="12")
                box.attributes(placeholder=words.t("limits.none"), autocomplete="off", testid=f"limit-{name}")
                box.on("input", partial(self._on_typed, name), js_handler=VALUE)
                if name in ("duration_s", "turns"):
                    tag("span", words.t(f"limits.unit_{name}"), classes="muted nowrap", aria_hidden="true")

    def _on_typed(self, name: str, event: GenericEventArguments) -> None:
        self._typed[name] = str(event.args)[:12]

    async def _submit(self) -> None:
        try:
            await self._save({name: _read(name, text) for name, text in self._typed.items()})
        except BadInput as error:
            self._error.set_text(self._page.words.code("error", error.code, "bad_limit"))
            return
        self._error.set_text("")
        self._page.toasts.show(self._page.words.t("limits.saved"), "ok")


def _shown(name: str, value: float) -> str:
    if not value:
        return ""
    return f"{value / MINUTE_S:g}" if name == "duration_s" else f"{value:g}"


def _read(name: str, text: str) -> float:
    """The value that a field stands for; 0 if it is empty. Raises: BadInput: it is no number."""
    typed = text.strip().replace(",", "")
    try:
        number = float(typed) if typed else 0.0
    except ValueError as error:
        raise BadInput(f"{text!r} is no number", code="bad_limit") from error
    if name == "duration_s":
        return round(number * MINUTE_S) if number == number and abs(number) < 1e9 else -1
    if name == "turns":
        return int(number) if number == number and abs(number) < 1e9 else -1
    return number
