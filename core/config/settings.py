"""The only reader of the environment: all settings with their units and meanings.

docs/settings.md documents them; tests/core/config/test_settings.py compares that table with this file.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

import platformdirs

from core.config.values import FORMS, RANGES, number
from core.domain.errors import Misconfigured
from core.domain.records import GOOGLE


class Secret(str):
    """A string whose value does not appear in a repr, a log or a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('…')" if self else "Secret('')"


Names = tuple[str, ...]
Part = Literal["web", "gateway"]
NONE = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. The variable of a field is `OMA_<FIELD>`, unless `STANDARD` has another name."""

    env: Literal["local", "production"] = "local"
    host: str = "127.0.0.1"
    port: int = 8080
    gateway_port: int = 0  # the gateway's port for boxes of a cluster; 0: unix sockets only
    boot_key_file: Path = Path("/run/secrets/oma/boot-key")  # the key that opens spare boxes of a cluster
    metrics_port: int = 0  # 0: off; never reachable from a box. On one machine the gateway uses the next port
    public_url: str = ""  # the address that people use; empty: http://host:port
    aliases: Names = ()  # other host names of this server: requests for them are redirected to public_url
    data_dir: Path = field(default_factory=lambda: Path(platformdirs.user_data_dir("oh-my-agent")))
    orphan_s: float = 900  # a runner without any connected web ends an open turn after this
    max_live_sessions: int = 4  # CLI processes per runner; the least recently used stops first
    max_runs: Names = ("3", "20")  # runs that may work at once: of one user, of the platform
    session_secret: tuple[Secret, ...] = ()  # the first signs, all verify
    oidc_issuer: str = GOOGLE
    oidc_client_id: str = ""
    oidc_client_secret: Secret = NONE
    allowed_domains: Names = ()
    allowed_emails: Names = ()
    admins: Names = ()
    store: Literal["sqlite", "firestore"] = "sqlite"
    vault: Literal["local", "google"] = "local"
    spawner: Literal["local", "kubernetes"] = "local"
    kubernetes_url: str = ""  # an API server for trials; empty: that of the cluster we run in
    gcp_project: str = ""
    gcp_region: str = "asia-northeast3"  # where Secret Manager keeps the secrets
    sandbox: Literal["auto", "bubblewrap", "landlock", "none"] = "auto"
    box_memory_mb: int = 4096  # of one user's box, including its files in /tmp; 0: no limit, here and below
    box_pids: int = 1024  # processes and threads of a box; a CLI has about 20
    box_cpus: float = 2.0  # processors that a box may keep busy
    box_disk_mb: int = 10_240  # of a user's home
    box_files: int = 500_000  # in a user's home
    upload_mb: int = 2048  # of one file that a person or a client sends; it also has to fit into the home
    terminals: Literal["on", "off"] = "on"  # may people open a shell in their own box
    model: Literal["auto", "anthropic", "vertex", "practice"] = "auto"
    idle_cli_s: float = 600  # a CLI without a turn is stopped after this and resumed on demand
    idle_runner_s: float = 1800  # a runner without a turn is stopped after this
    trusted_proxies: Names = ()
    log_format: Literal["text", "json"] = "text"
    anthropic_api_key: Secret = NONE
    anthropic_base_url: str = "https://api.anthropic.com"
    vertex_project: str = ""
    vertex_region: str = ""
    vertex_base_url: str = ""  # instead of Google's own, for trials; never in production
    firestore_emulator: str = ""
    secret_manager_emulator: str = ""
    smtp_url: Secret = NONE  # smtp://USER:PASSWORD@HOST:PORT or smtps://…; empty: no notifications by e-mail
    mail_from: str = ""  # the sender of notifications by e-mail
    vapid_key: Secret = NONE  # signs Web Push; empty: one is made and kept in the vault
    otlp_endpoint: str = ""  # a collector of traces, OTLP over HTTP; empty: none

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def url(self) -> str:
        """The address that people use, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def provider(self) -> Literal["anthropic", "vertex", "practice"]:
        """The model provider; `auto` means a real one if there is a key, else the practice model (local mode only)."""
        if self.model != "auto":
            return self.model
        return "anthropic" if self.anthropic_api_key or self.production else "practice"

    @property
    def run_bounds(self) -> tuple[int, int]:
        """The numbers of runs that may work at once: of one user, of the platform. Raises: Misconfigured."""
        if len(self.max_runs) != 2 or not all(part.isdigit() and int(part) > 0 for part in self.max_runs):
            raise Misconfigured(f"OMA_MAX_RUNS is {','.join(self.max_runs)!r}; it must be two numbers, as in 3,20")
        return int(self.max_runs[0]), int(self.max_runs[1])

    @property
    def runtime_dir(self) -> Path:
        """The runtime directory: one per data directory, mode 0700 and short, because socket paths have at most 108
        bytes. core.config.runtime_dir creates it.
        """
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108  # 0700 and owner-checked when made
        digest = sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:8]
        return base / f"oma-{os.getuid()}-{digest}"


STANDARD = {
    "anthropic_api_key": "ANTHROPIC_API_KEY",
    "anthropic_base_url": "ANTHROPIC_BASE_URL",
    "vertex_project": "ANTHROPIC_VERTEX_PROJECT_ID",
    "vertex_region": "CLOUD_ML_REGION",
    "vertex_base_url": "ANTHROPIC_VERTEX_BASE_URL",
    "firestore_emulator": "FIRESTORE_EMULATOR_HOST",
    "secret_manager_emulator": "SECRET_MANAGER_EMULATOR_HOST",
    "otlp_endpoint": "OTEL_EXPORTER_OTLP_ENDPOINT",
}


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return STANDARD.get(name, f"OMA_{name.upper()}")


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment; unset and empty variables leave the default.

    Raises: Misconfigured: a value cannot be read, or an `OMA_` variable is unknown, because a typing error in a name
    must not silently mean the default.
    """
    hints = get_type_hints(Settings)
    known = {variable(name): name for name in hints}
    unknown = sorted(key for key in environ if key.startswith("OMA_") and key not in known)
    if unknown:
        raise Misconfigured(f"unknown setting {', '.join(unknown)}; docs/settings.md lists all of them")
    given: dict[str, Any] = {
        name: _parse(name, key, environ[key], hints[name]) for key, name in known.items() if environ.get(key)
    }
    for name, value in given.items():
        if said := FORMS[name](value) if name in FORMS else "":
            shown = "set" if hints[name] is Secret else repr(environ[variable(name)])
            raise Misconfigured(f"{variable(name)} is {shown}; {said}")
    return replace(Settings(), **given)


def overridden(words: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment with the fields given on the command line put over it."""
    return dict(environ) | {variable(name): word for name, word in words.items()}


def _parse(name: str, key: str, text: str, kind: object) -> Any:
    choices = get_args(kind)
    if choices and all(isinstance(choice, str) for choice in choices):
        if text not in choices:
            raise Misconfigured(f"{key} is {text!r}; it must be one of {', '.join(choices)}")
        return text
    if kind in (int, float):
        value = number(text, whole=kind is int)
        if value is None or not RANGES[name].holds(value):
            raise Misconfigured(f"{key} is {text!r}; it must be {RANGES[name]}")
        return value
    if kind is Path:
        return Path(text).expanduser()
    if kind is Secret:
        return Secret(text)
    parts = (part.strip() for part in text.split(","))
    if kind == Names:
        return tuple(part for part in parts if part)
    if kind == tuple[Secret, ...]:
        return tuple(Secret(part) for part in parts if part)
    return text


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return every value that must never be seen: all secret fields, and the passwords inside URLs."""
    return tuple(secret for one in fields(settings) for secret in _secrets_in(getattr(settings, one.name)))


def _secrets_in(value: object) -> Iterator[str]:
    match value:
        case Secret() if value:
            yield value
        case tuple():
            yield from (secret for part in value for secret in _secrets_in(part))
        case str() if "://" in value and (password := urlsplit(value).password):
            yield password
