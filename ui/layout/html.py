"""Plain HTML elements as NiceGUI elements: our own classes on them, nothing of Quasar."""

from html import escape
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement


class Tag(TextElement):
    """An HTML element with text or children. Attributes are set one by one: text in them can never become another."""

    def __init__(self, name: str, text: str = "", *, classes: str = "", **attributes: Any) -> None:
        super().__init__(tag=name, text=text)
        if classes:
            self.classes(classes)
        self.attributes(**attributes)

    def attributes(self, **attributes: Any) -> "Tag":
        """Set (or with None remove) attributes: `testid` is data-testid, `aria_label` is aria-label, `for_` is for."""
        for key, value in attributes.items():
            name = "data-testid" if key == "testid" else key.rstrip("_").replace("_", "-")
            if value is None:
                self.props.pop(name, None)
            else:
                self.props[name] = value
        self.update()
        return self


def tag(name: str, text: str = "", *, classes: str = "", **attributes: Any) -> Tag:
    """`tag("h1", words.t("dashboard.title"), classes="sr")`; children go into `with tag("div"):`."""
    return Tag(name, text, classes=classes, **attributes)


def icon(name: str, classes: str = "") -> Tag:
    """An icon of ui/theme/icons.svg, for the eye only: what it says stands beside it or in aria-label."""
    return tag("i", classes=f"ic ic-{name} {classes}".strip(), aria_hidden="true")


def markup(name: str, text: str = "", *, inner: str = "", classes: str = "", **attributes: Any) -> str:
    """Return an element as a string for `fragment`, its text and attributes escaped; `inner` is made by `markup` too.

    It is for lists of hundreds of elements that never change one by one: as elements of NiceGUI each would cost the
    server half a millisecond.
    """
    names = {"class": classes or None} | {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    shown = "".join(f' {key}="{escape(str(value))}"' for key, value in names.items() if value is not None)
    return f"<{name}{shown}>{escape(text, quote=False)}{inner}</{name}>"


def icon_markup(name: str, classes: str = "") -> str:
    """Return the icon that `icon` draws, for `markup`."""
    return markup("i", classes=f"ic ic-{name} {classes}".strip(), aria_hidden="true")


def fragment(inner: str, *, name: str = "div", classes: str = "") -> ui.html:
    """Draw what `markup` returned into one element."""
    # nosemgrep: raw-html  # `markup` has escaped all texts and attributes
    return ui.html(inner, sanitize=False, tag=name).classes(classes)
