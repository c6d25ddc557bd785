"""Addresses in a model's text: safe links, the ends of bare addresses, and names of files, which are not links."""

import re
from html import escape
from typing import Final
from urllib.parse import unquote, urlsplit

from ui.transcript.tool_labels import near_path, visible

# A bare address. Letters of other scripts belong to it at the beginning of a part; elsewhere they are a particle.
LETTERS: Final = r"[^\W\d_a-zA-Z]"
ADDRESS: Final = re.compile(
    rf"https?://(?:(?<=//){LETTERS}[\w.-]*|[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?"
    rf"(?:[/?#](?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]|(?<![A-Za-z0-9%)\]])(?!(?<=/){LETTERS}(?!\w)){LETTERS}[^\W_a-zA-Z]*)*)?"
)
SCHEMES: Final = frozenset({"http", "https", "mailto"})
FILE: Final = re.compile(r"(?!//)[^\s:\\]{1,500}")  # a path, or a place on the page: nothing with a scheme or a host


def safe_address(address: str) -> bool:
    """True if a link to this address is allowed."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in SCHEMES and (parts.scheme.lower() == "mailto" or bool(parts.hostname))


def linkable(address: str) -> bool:
    """True if Markdown may read this as a link. A link to a file is drawn as the file's name."""
    return safe_address(address) or bool(FILE.fullmatch(address))


def file_name(address: str) -> str:
    """Return the name of a file of the agent's folder as code; empty for a place on the same page."""
    name = "" if address.startswith("#") else near_path(unquote(address))
    return f'<code class="file">{escape(visible(name), quote=False)}</code>' if name else ""


def link_start(address: str) -> str:
    """Return an opening tag that shows its target on hover."""
    shown = escape(address)
    return f'<a href="{shown}" title="{shown}" target="_blank" rel="noopener noreferrer nofollow">'


def bare_link(address: str) -> str:
    """Return a bare address, as a link if that is allowed."""
    shown = escape(visible(address), quote=False)
    return f"{link_start(address)}{shown}</a>" if safe_address(address) else shown


def linked(words: str) -> str:
    """Return escaped text with its bare addresses as links, without the punctuation of the sentence around them."""
    parts, done = [], 0
    for found in ADDRESS.finditer(words):
        address = _trimmed(found[0])
        if safe_address(address):
            parts += [escape(words[done : found.start()]), f"{link_start(address)}{escape(address)}</a>"]
            done = found.start() + len(address)
    return "".join([*parts, escape(words[done:])])


def _trimmed(address: str) -> str:
    """Return the address without punctuation of its sentence: a point, or a bracket that was opened before it."""
    address = address[: _unopened(address)]
    end = len(address)
    open_ = {mark: address.count(left) - address.count(mark) for left, mark in ("()", "[]")}
    while end and (address[end - 1] in ".,;:!?'*" or open_.get(address[end - 1], 0) < 0):
        if address[end - 1] in open_:
            open_[address[end - 1]] += 1
        end -= 1
    return address[:end]


def _unopened(address: str) -> int:
    """Return the position of a closing bracket that was opened before the address, which ends it; else its length."""
    depth = {")": 0, "]": 0}
    for at, mark in enumerate(address):
        if mark in "([":
            depth[")" if mark == "(" else "]"] += 1
        elif mark in depth:
            depth[mark] -= 1
            if depth[mark] < 0:
                return at
    return len(address)
