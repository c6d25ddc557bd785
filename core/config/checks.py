"""Refuses unsafe configurations. Each refusal is one line that names the setting and how to correct it.

A warning would not be enough: two thirds of the public servers of a well-known product ran for years with the secret of
its documentation, warning at every start.
"""

import platform
import re
import stat
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from core.config.proxies import too_trusting
from core.config.settings import Part, Settings, variable
from core.config.values import HOST_NAME
from core.domain.errors import Misconfigured

NAME_AT_GOOGLE = {"vertex_project": re.compile(r"[a-z0-9:.-]{1,100}"), "vertex_region": re.compile(r"[a-z0-9-]{1,40}")}
EVERYBODY = "*"  # a deliberate choice, unlike an empty list
SECRET_CHARS, DIFFERENT_CHARS = 32, 10
# Words of documentation and keyboard patterns; a random secret has one of them once in a billion.
WELL_KNOWN = re.compile(r"change|example|secret|password|default|for.?test|qwerty|012345|abcdef.?ghij", re.IGNORECASE)
DIFFERENT_PART = 0.7  # of all groups of three characters; in random text nearly all are different
STEPS_PART = 0.4  # of all neighbours that are equal or consecutive ("abcdef…"); random text has about 5 %
# Providers at which anybody can create an account.
PUBLIC_PROVIDERS = frozenset(
    {
        *("accounts.google.com", "appleid.apple.com", "login.live.com", "gitlab.com", "slack.com", "discord.com"),
        *("www.facebook.com", "www.linkedin.com", "login.yahoo.com", "api.login.yahoo.com", "id.twitch.tv"),
        *("kauth.kakao.com", "nid.naver.com", "access.line.me", "www.paypal.com", "salesforce.com"),
    }
)
MICROSOFT = "login.microsoftonline.com"  # a company's own, unless the path names everybody's
PERSONAL = re.compile(r"^/(common|consumers|organizations|9188040d-6c67-4c5b-b112-36a304b66dad)(/|$)", re.IGNORECASE)
PUBLIC_MAIL = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com"),
        *("naver.com", "daum.net", "hanmail.net", "kakao.com", "nate.com", "proton.me", "qq.com", "163.com"),
    }
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def check(settings: Settings, part: Part = "web") -> None:
    """Refuse to start with an incomplete or unsafe configuration (G10). In a cluster each part is checked for what it
    needs;

    on one machine the gateway inherits all settings from the web. Raises: Misconfigured: one clear line.
    """
    apart = settings.spawner == "kubernetes"
    _check_google(settings)
    if settings.gateway_port and not apart:
        raise Misconfigured("OMA_GATEWAY_PORT is for boxes in a cluster: remove it, or set OMA_SPAWNER=kubernetes")
    if part == "gateway" and apart and not settings.gateway_port:
        raise Misconfigured("OMA_SPAWNER=kubernetes needs OMA_GATEWAY_PORT, where boxes find the gateway")
    has_the_key = part == "gateway" or not apart
    if has_the_key and settings.provider == "anthropic" and not settings.anthropic_api_key:
        raise Misconfigured("no model credential: set ANTHROPIC_API_KEY (or OMA_MODEL=practice to try without one)")
    for line in problems(settings, people=part == "web" or not apart):
        raise Misconfigured(f"refusing to start with OMA_ENV={settings.env}: {line}")
    if settings.production and platform.system() != "Linux":
        raise Misconfigured("refusing to start with OMA_ENV=production: production runs on Linux only")


def _check_google(settings: Settings) -> None:
    for value, line in (
        (settings.store == "firestore", "OMA_STORE=firestore"),
        (settings.vault == "google", "OMA_VAULT=google"),
    ):
        if value and not settings.gcp_project:
            raise Misconfigured(f"{line} needs OMA_GCP_PROJECT, the Google Cloud project it is in")
    if settings.provider == "vertex":
        for word, line in ((settings.vertex_project, "vertex_project"), (settings.vertex_region, "vertex_region")):
            if not NAME_AT_GOOGLE[line].fullmatch(word):
                raise Misconfigured(f"OMA_MODEL=vertex needs {variable(line)}, as Google spells it; it is {word!r}")


def problems(settings: Settings, *, people: bool = True) -> Iterator[str]:
    """Yield everything that has to be corrected before others than the owner may reach the platform. `people`: this
    part serves pages.
    """
    yield from _everywhere(settings)
    if settings.production:
        yield from _production(settings)
    if settings.production and people:
        yield from _sign_in(settings)


def _everywhere(settings: Settings) -> Iterator[str]:
    if not settings.production and settings.host not in LOOPBACK:
        yield f"OMA_HOST is {settings.host}: local mode listens on 127.0.0.1 only; for others set OMA_ENV=production"
    for line in too_trusting(settings.trusted_proxies):
        yield f"OMA_TRUSTED_PROXIES: {line}; name the proxy's own address"
    ports = [port for port in (settings.port, settings.gateway_port, settings.metrics_port) if port]
    ports += [settings.metrics_port + 1] if settings.metrics_port and settings.spawner == "local" else []
    if len(set(ports)) < len(ports):
        yield "OMA_PORT, OMA_GATEWAY_PORT, OMA_METRICS_PORT and the port after that must be different ones"
    if bool(settings.smtp_url) != bool(settings.mail_from):
        yield "OMA_SMTP_URL and OMA_MAIL_FROM belong together: set both for notifications by e-mail, or none"
    if settings.kubernetes_url and urlsplit(settings.kubernetes_url).hostname not in LOOPBACK:
        yield "OMA_KUBERNETES_URL is for trying on this machine: remove it, then it is the cluster we run in"
    if (issuer := urlsplit(settings.oidc_issuer)).scheme != "https" and issuer.hostname not in LOOPBACK:
        yield "OMA_OIDC_ISSUER must begin with https://"


def _production(settings: Settings) -> Iterator[str]:
    upstream = urlsplit(settings.anthropic_base_url)
    for bad, line in (
        (settings.provider == "practice", "the practice model is for trying out: set ANTHROPIC_API_KEY"),
        (
            settings.sandbox in ("none", "landlock"),
            f"OMA_SANDBOX={settings.sandbox} is for one person on one machine: remove it",
        ),
        (settings.firestore_emulator, "FIRESTORE_EMULATOR_HOST is set, and the emulator forgets everything: remove it"),
        (settings.secret_manager_emulator,
         "SECRET_MANAGER_EMULATOR_HOST is set, and the emulator keeps secrets in the clear: remove it"),
        (settings.vertex_base_url,
         "ANTHROPIC_VERTEX_BASE_URL is set, and whoever is there is given the platform's access token: remove it"),
        (settings.kubernetes_url, "OMA_KUBERNETES_URL is for trying: remove it, then it is the cluster we run in"),
        (not settings.session_secret, "set OMA_SESSION_SECRET to at least 32 random characters"),
        (any(weak(secret) for secret in settings.session_secret),
         "OMA_SESSION_SECRET is too short or too simple: take what openssl rand -hex 32 prints"),
        (any(WELL_KNOWN.search(secret) for secret in settings.session_secret),
         "OMA_SESSION_SECRET is a well-known one: take what openssl rand -hex 32 prints"),
        (_alike(settings), "OMA_SESSION_SECRET, OMA_OIDC_CLIENT_SECRET and ANTHROPIC_API_KEY must differ"),
        (_writable_by_others(settings.data_dir),
         f"others can write to OMA_DATA_DIR: type chmod 700 {settings.data_dir}"),
        (_in_the_clear(settings.otlp_endpoint),
         "OTEL_EXPORTER_OTLP_ENDPOINT must begin with https://, or traces travel in the clear"),
        (upstream.scheme != "https" and upstream.hostname not in LOOPBACK,
         "ANTHROPIC_BASE_URL must begin with https://, or the key travels in the clear"),
    ):  # fmt: skip
        if bad:
            yield line


def _sign_in(settings: Settings) -> Iterator[str]:
    public = urlsplit(settings.public_url)
    for bad, line in (
        (not settings.oidc_client_id, "set OMA_OIDC_CLIENT_ID and OMA_OIDC_CLIENT_SECRET"),
        (not settings.oidc_client_secret, "set OMA_OIDC_CLIENT_SECRET"),
        (_admits_all(settings), "set OMA_ALLOWED_DOMAINS or OMA_ALLOWED_EMAILS, or everybody with an account at this"
         " public provider is let in; if that is meant, set OMA_ALLOWED_DOMAINS=*"),
        (PUBLIC_MAIL & {domain.lower() for domain in settings.allowed_domains},
         "OMA_ALLOWED_DOMAINS names a public mail service: name people with OMA_ALLOWED_EMAILS"),
        (public.scheme != "https", "set OMA_PUBLIC_URL to the https address people use"),
        (not settings.trusted_proxies, "set OMA_TRUSTED_PROXIES to the address of what speaks https in front of us, or"
         " all strangers count as one, and one of them can keep everybody from signing in"),
        (not _names_one_host(public), "OMA_PUBLIC_URL must be https://, one host, and nothing else"),
    ):  # fmt: skip
        if bad:
            yield line


def weak(secret: str) -> bool:
    """True if a secret has less than 32 characters, less than 10 different ones, or a repeated or
    consecutive pattern.
    """
    triples = [secret[at : at + 3] for at in range(len(secret) - 2)]
    steps = sum(ord(after) - ord(before) in (1, -1, 0) for before, after in pairwise(secret))
    return (
        len(secret) < SECRET_CHARS
        or len(set(secret)) < DIFFERENT_CHARS
        or len(set(triples)) < DIFFERENT_PART * len(triples)
        or steps > len(secret) * STEPS_PART
    )


def _alike(settings: Settings) -> bool:
    """True if two of the secrets are equal: a person who may know one would know the other."""
    secrets = [*settings.session_secret, settings.oidc_client_secret, settings.anthropic_api_key]
    given = [secret for secret in secrets if secret]
    return len(set(given)) < len(given)


def _writable_by_others(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IWOTH)
    except OSError:
        return False  # not there yet: it is made with mode 0700


def _in_the_clear(address: str) -> bool:
    """True if data for this address leaves the machine or the cluster unencrypted."""
    url = urlsplit(address)
    host = url.hostname or ""
    inside = host in LOOPBACK or "." not in host or host.endswith((".svc", ".svc.cluster.local"))
    return url.scheme == "http" and not inside


def _admits_all(settings: Settings) -> bool:
    """True if anybody may sign in: the OIDC provider is a public one, and no domain or address is set as allowed."""
    issuer = urlsplit(settings.oidc_issuer)
    public = issuer.hostname in PUBLIC_PROVIDERS or (issuer.hostname == MICROSOFT and PERSONAL.search(issuer.path))
    return bool(public) and not settings.allowed_domains and not settings.allowed_emails


def _names_one_host(url: SplitResult) -> bool:
    """True if the address is one plain host, without wildcard, user or path: it becomes our only Host and Origin."""
    plain = not (url.username or url.password or url.query or url.fragment) and url.path in ("", "/")
    return plain and HOST_NAME.fullmatch(url.hostname or "") is not None
