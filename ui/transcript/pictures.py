"""Pictures that tools return, as data inside the page: nothing is loaded, and anything but a picture is dropped."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from html import escape
from typing import Final

from core.domain.events import Picture

MOST_CHARS: Final = 4_000_000  # of all pictures on one page; then the oldest are removed
# The first bytes of each kind of file. SVG is not among them, because it may contain scripts.
BEGINNINGS: Final = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}


def html(pictures: Iterable[Picture], label: str) -> str:
    """Return the HTML of all pictures that really are of the kind that they name."""
    return "".join(
        f'<img class="picture" src="{address}" alt="{escape(label)}">' for one in pictures if (address := data_url(one))
    )


def data_url(picture: Picture) -> str:
    """Return the picture as a data URL; empty if it is not of the kind that it names."""
    try:
        data = b64decode(picture.data, validate=True)
    except (binascii.Error, ValueError):
        return ""
    if not data.startswith(BEGINNINGS.get(picture.media_type, ())):
        return ""
    return f"data:{picture.media_type};base64,{b64encode(data).decode()}"
