"""The valid values of a single setting: the range of a number, the form of an address, a domain or an
e-mail address.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parseaddr
from urllib.parse import urlsplit

DAY_S = 24 * 3600
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+")
ALIAS = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])", re.IGNORECASE)
EMAIL = re.compile(r"[^\s@*]+@(?P<domain>[^\s@*]+)")
WHOLE = re.compile(r"-?[0-9]{1,12}")
DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value of a number, and its unit. `off`: 0 is allowed and means no limit."""

    low: float
    high: float
    what: str
    off: bool = False

    def holds(self, value: float) -> bool:
        """True if `value` is in the range; NaN is not."""
        return self.low <= value <= self.high or (self.off and value == 0)

    def __str__(self) -> str:
        none = ", or 0 for no bound" if self.off else ""
        return f"{self.what}, from {self.low:g} to {self.high:g}{none}"


RANGES: dict[str, Range] = {
    "port": Range(0, 65_535, "a port"),
    "gateway_port": Range(0, 65_535, "a port, or 0 for unix sockets only"),
    "metrics_port": Range(0, 65_534, "a port whose next one is free too, or 0 for none"),
    "orphan_s": Range(0, 30 * DAY_S, "seconds"),
    "max_live_sessions": Range(1, 1000, "processes"),
    "box_memory_mb": Range(256, 4_194_304, "megabytes", off=True),
    "box_pids": Range(64, 4_194_304, "processes and threads", off=True),
    "box_cpus": Range(0.1, 1024, "processors", off=True),
    "box_disk_mb": Range(16, 1_073_741_824, "megabytes", off=True),
    "box_files": Range(1000, 4_294_967_295, "files", off=True),
    "upload_mb": Range(1, 65_536, "megabytes"),
    "idle_cli_s": Range(0.1, 30 * DAY_S, "seconds"),
    "idle_runner_s": Range(0.1, 30 * DAY_S, "seconds"),
}


def number(text: str, *, whole: bool) -> float | int | None:
    """Parse a number; None if it is not plain ASCII digits: no other scripts' digits, no `nan`, no `1_000`."""
    if not (WHOLE if whole else DECIMAL).fullmatch(text):
        return None
    return int(text) if whole else float(text)


def _url(text: str) -> str:
    try:
        url = urlsplit(text)
        url.port  # noqa: B018  # raises ValueError if it is no port
    except ValueError:
        return "it must be an address such as https://example.com"
    if url.scheme not in ("http", "https") or not HOST_NAME.fullmatch(url.hostname or ""):
        return "it must be an address such as https://example.com"
    return "it must have neither a query nor a fragment" if url.query or url.fragment else ""


def _host(text: str) -> str:
    return "" if HOST_NAME.fullmatch(text.lower()) else "it must be an address or the name of a host"


def _host_and_port(text: str) -> str:
    name, _, port = text.rpartition(":")
    good = HOST_NAME.fullmatch(name.lower().strip("[]")) and (number(port, whole=True) or 0) in range(1, 65_536)
    return "" if good else "it must be HOST:PORT"


def _domains(texts: tuple[str, ...]) -> str:
    wrong = next((text for text in texts if text != "*" and not DOMAIN.fullmatch(text)), "")
    return f"{wrong} is no domain such as example.com" if wrong else ""


def _addresses(texts: tuple[str, ...]) -> str:
    for text in texts:
        match = EMAIL.fullmatch(text)
        if match is None or not DOMAIN.fullmatch(match["domain"]):
            return f"{text} is no e-mail address; name each person by theirs"
    return ""


def _hosts(texts: tuple[str, ...]) -> str:
    wrong = next((text for text in texts if not ALIAS.fullmatch(text.lower())), "")
    return f"{wrong} is no name of a host" if wrong else ""


def _smtp(text: str) -> str:
    try:
        url = urlsplit(text)
        url.port  # noqa: B018  # raises ValueError if it is no port
    except ValueError:
        return "it must be an address such as smtp://user:password@mail.example.com:587"
    if url.scheme not in ("smtp", "smtps") or not HOST_NAME.fullmatch(url.hostname or ""):
        return "it must be an address such as smtp://user:password@mail.example.com:587"
    return "" if url.path in ("", "/") and not url.query and not url.fragment else "it has nothing behind the port"


def _sender(text: str) -> str:
    name, address = parseaddr(text)
    match = EMAIL.fullmatch(address)
    good = match and DOMAIN.fullmatch(match["domain"]) and name.isprintable() and text.isprintable()
    return "" if good else "it must be an e-mail address such as agents@example.com"


# Functions that say what is wrong with the value of a setting; empty if nothing is.
FORMS: dict[str, Callable[..., str]] = {
    "host": _host,
    "public_url": _url,
    "aliases": _hosts,
    "oidc_issuer": _url,
    "allowed_domains": _domains,
    "allowed_emails": _addresses,
    "admins": _addresses,
    "kubernetes_url": _url,
    "anthropic_base_url": _url,
    "vertex_base_url": _url,
    "otlp_endpoint": _url,
    "smtp_url": _smtp,
    "mail_from": _sender,
    "firestore_emulator": _host_and_port,
    "secret_manager_emulator": _host_and_port,
}
