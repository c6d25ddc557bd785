"""Plain HTML elements as NiceGUI elements: our own classes on them, nothing of Quasar."""

from typing import Any

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
