"""Shows a file other than as its source: Markdown, a table, a picture, a page without scripts. Nothing is loaded."""

import csv
from contextlib import suppress
from html import escape
from itertools import islice
from typing import Final
from urllib.parse import quote

from nicegui import ui

from ui.files.kinds import end_of
from ui.layout.html import tag
from ui.layout.i18n import Translations
from ui.transcript import markdown

ROWS: Final = 500
COLUMNS: Final = 50
CELL_CHARS: Final = 500
# Before the page's own head: no scripts (the frame has none anyway), nothing from anywhere.
LOCK: Final = (
    "<!doctype html><meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; font-src data:\">"
)


def show_markdown(text: str) -> None:
    """The text by our own renderer, which lets no HTML through; cleaned once more in the browser."""
    # nosemgrep: raw-html  # the renderer's output, sanitised
    ui.html(markdown.render(text), sanitize=True).classes("prose file-prose")


def show_page(text: str, words: Translations) -> None:
    """An HTML file in a frame that may do nothing: no scripts, no forms, no links out, no origin."""
    tag("iframe", classes="file-frame", sandbox="", srcdoc=LOCK + text, title=words.t("files.preview"), testid="frame")


def show_picture(address: str, name: str) -> None:
    """A picture; as an image even an SVG runs no scripts."""
    with tag("div", classes="file-picture"):
        tag("img", src=address, alt=name)


def show_table(name: str, text: str, words: Translations) -> None:
    """The first rows of comma- or tab-separated values, as one element: a page of so many would be slow."""
    rows = table_rows(text, delimiter="\t" if end_of(name) == "tsv" else _delimiter(text))
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0]) if rows else ""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[1:ROWS])
    with tag("div", classes="file-table", tabindex="0", role="region", aria_label=name):
        # nosemgrep: raw-html  # every cell is escaped, and the browser sanitises
        ui.html(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>", sanitize=True)
    if len(rows) > ROWS:
        tag("p", words.t("files.first_rows", count=ROWS), classes="tiny file-note")


def table_rows(text: str, *, delimiter: str) -> list[list[str]]:
    """Up to one row more than is shown, each cut to what is shown; a row that cannot be read ends the table."""
    found: list[list[str]] = []
    with suppress(csv.Error):
        rows = islice(csv.reader(text.splitlines(), delimiter=delimiter), ROWS + 1)
        found.extend([cell[:CELL_CHARS] for cell in row[:COLUMNS]] for row in rows)
    return found


def _delimiter(text: str) -> str:
    line = text.partition("\n")[0]
    return max(",;\t|", key=line.count)


def _cell(text: str) -> str:
    number = text.strip().replace(",", "").replace(".", "", 1).lstrip("-").isdigit()
    return f'<td class="right">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"


def address_of(door: str, path: str, revision: str) -> str:
    """The address of a file's bytes; with its revision, so that a new version is loaded anew."""
    return f"{door}/{quote(path)}?v={quote(revision, safe='')}"
