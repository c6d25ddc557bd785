"""The style sheet: whole, versioned by its content, and with every icon that is asked for."""

import re
from pathlib import Path

from ui import theme

UI = Path(theme.__file__).parents[1]


def test_every_icon_that_a_page_names_is_drawn() -> None:
    drawn = set(re.findall(r"\.ic-([a-z]+)\{", theme.sheet()))
    named: set[str] = set()
    for path in (*UI.rglob("*.py"), *UI.rglob("*.js")):
        text = path.read_text("utf-8")
        named |= set(re.findall(r"\bic-([a-z]+)\b", text)) | set(re.findall(r'\bicon\("([a-z]+)"', text))
    assert named - drawn == set()


def test_the_path_changes_with_the_content() -> None:
    style, script = theme.files()
    assert re.fullmatch(r"/theme/[0-9a-f]{12}\.css", style) and re.fullmatch(r"/theme/[0-9a-f]{12}\.js", script)


def test_the_sheet_asks_no_other_host_and_balances_its_braces() -> None:
    sheet = theme.sheet()
    assert not re.search(r"@import|url\((?!\"data:)", sheet)
    assert sheet.count("{") == sheet.count("}")


def test_light_and_dark_define_the_same_colours() -> None:
    light, dark = re.findall(r"(?::root|\[data-theme=dark\])\{(.*?)\n\}", theme.sheet(), re.DOTALL)[:2]
    names = [set(re.findall(r"(--[a-z0-9-]+):", block)) for block in (light, dark)]
    assert names[0] - names[1] == {"--r", "--r-s", "--sans", "--mono"}


def test_values_for_the_first_script_cannot_leave_their_attribute() -> None:
    assert "<b>" not in theme.head({"locale": '"><b>'})
