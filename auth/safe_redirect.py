"""The safe targets of a redirect after signing in: only paths of this site."""

from urllib.parse import unquote, urlsplit

LONGEST = 2000
HOME = "/"


def safe_next(text: str | None) -> str:
    """Return `text` if it is a path of this site that is worth returning to, else `/`.

    It is looked at as browsers see it: they drop control characters, take a backslash for a slash, and may decode.
    """
    if not text or len(text) > LONGEST or not text.startswith("/") or " " in text:
        return HOME
    seen = text
    for _ in range(3):  # encoded twice is decoded twice somewhere
        if _leads_away(seen):
            return HOME
        seen = unquote(seen)
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or parts.path == "/login" or parts.path.startswith("/auth/"):
        return HOME
    return text


def _leads_away(text: str) -> bool:
    path = text.partition("?")[0].partition("#")[0]
    return "//" in path or "\\" in text or any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in text)
