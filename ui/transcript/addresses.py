"""Addresses in a model's words: which of them may be links, where a bare one ends, and files, which lead nowhere."""

import re
from html import escape
from typing import Final
from urllib.parse import unquote, urlsplit

from ui.transcript.tool_labels import near_path, visible

# A bare address. Other scripts count where a part of it begins; after a Latin letter, or alone, they are a particle.
LETTERS: Final = r"[^\W\d_a-zA-Z]"
ADDRESS: Final = re.compile(
    rf"https?://(?:(?<=//){LETTERS}[\w.-]*|[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?"
    rf"(?:[/?#](?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]|(?<![A-Za-z0-9%)\]])(?!(?<=/){LETTERS}(?!\w)){LETTERS}[^\W_a-zA-Z]*)*)?"
)
SCHEMES: Final = frozenset({"http", "https", "mailto"})
FILE: Final = re.compile(r"(?!//)[^\s:\\]{1,500}")  # a path, or a place on the page: nothing with a scheme or a host


def safe_address(address: str) -> bool:
    """Whether a link may lead there."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in SCHEMES and (parts.scheme.lower() == "mailto" or bool(parts.hostname))


def linkable(address: str) -> bool:
    """What Markdown may take for a link; one to a file is drawn as its name."""
    return safe_address(address) or bool(FILE.fullmatch(address))


def file_name(address: str) -> str:
    """The name of a file of the agent's folder, as code; nothing for a place on the same page."""
    name = "" if address.startswith("#") else near_path(unquote(address))
    return f"<code>{escape(visible(name), quote=False)}</code>" if name else ""


def link_start(address: str) -> str:
    """An opening tag that says on hover where it leads."""
    shown = escape(address)
    return f'<a href="{shown}" title="{shown}" target="_blank" rel="noopener noreferrer nofollow">'


def bare_link(address: str) -> str:
    """An address that stands alone, as a link if it may be one."""
    shown = escape(visible(address), quote=False)
    return f"{link_start(address)}{shown}</a>" if safe_address(address) else shown


def linked(words: str) -> str:
    """Escaped text with its bare addresses as links, each without the punctuation of the sentence around it."""
    parts, done = [], 0
    for found in ADDRESS.finditer(words):
        address = _trimmed(found[0])
        if safe_address(address):
            parts += [escape(words[done : found.start()]), f"{link_start(address)}{escape(address)}</a>"]
            done = found.start() + len(address)
    return "".join([*parts, escape(words[done:])])


def _trimmed(address: str) -> str:
    """Without closing marks that belong to the sentence: its point, or a bracket that was opened before."""
    address = address[: _unopened(address)]
    end = len(address)
    open_ = {mark: address.count(left) - address.count(mark) for left, mark in ("()", "[]")}
    while end and (address[end - 1] in ".,;:!?'*" or open_.get(address[end - 1], 0) < 0):
        if address[end - 1] in open_:
            open_[address[end - 1]] += 1
        end -= 1
    return address[:end]


def _unopened(address: str) -> int:
    """Where a closing bracket stands that was opened before the address, which ends there; else its length."""
    depth = {")": 0, "]": 0}
    for at, mark in enumerate(address):
        if mark in "([":
            depth[")" if mark == "(" else "]"] += 1
        elif mark in depth:
            depth[mark] -= 1
            if depth[mark] < 0:
                return at
    return len(address)
