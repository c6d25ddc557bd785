"""Our three cookies: who is signed in, which anonymous browser this is, and a sign-in under way."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import cookie_parser

LOGIN_S = 7 * 24 * 3600
FLOW_S = 600


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure` where people reach us by https: then browsers also keep neighbours' hosts from setting them."""

    secure: bool

    @property
    def login(self) -> str:
        """Holds a signed random id, and nothing about the user."""
        return self._name("oma")

    @property
    def visit(self) -> str:
        """Holds a random value that ties the sockets of anonymous pages to this browser."""
        return self._name("oma-visit")

    @property
    def flow(self) -> str:
        """Holds what a sign-in under way must find again."""
        return self._name("oma-flow")

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name

    def set(self, name: str, value: str, *, max_age_s: int | None) -> tuple[bytes, bytes]:
        """The header that sets a cookie; without `max_age_s` it ends with the browser."""
        parts = [f"{name}={value}", "HttpOnly", "SameSite=Lax", "Path=/"]
        if max_age_s is not None:
            parts.append(f"Max-Age={max_age_s}")
        if self.secure:
            parts.append("Secure")
        return b"set-cookie", "; ".join(parts).encode("latin-1")

    def clear(self, name: str) -> tuple[bytes, bytes]:
        """The header that removes a cookie."""
        return self.set(name, "", max_age_s=0)


def read(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The cookies of a request, parted at `;` alone, as browsers part them.

    For http.cookies a space ends a value too, so that a neighbour's `x=y __Host-oma=…` would be ours; and it reads
    nothing behind a cookie that it does not understand.
    """
    return cookie_parser(headers.get(b"cookie", b"").decode("latin-1"))
