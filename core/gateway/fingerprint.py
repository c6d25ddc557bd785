"""The fingerprint of a gateway: it changes with every setting and source that a gateway keeps from start to end.

The web compares the fingerprint of the gateway it finds with the one it expects, so that a rotated key or a new version
is never served by the old process. It is a hash: nothing can be read from it.
"""

import json
from hashlib import sha256
from pathlib import Path

from core.config.settings import Settings

CORE = Path(__file__).resolve().parents[1]
PARTS = (
    "agents",
    "config",
    "domain",
    "gateway",
    "google",
    "lib",
    "notifications",
    "observability",
    "protocol",
    "runs",
    "store",
    "tools",
    "vault",
)


def gateway_digest(settings: Settings) -> str:
    """Return the fingerprint. It is equal in web and gateway if both mean the same gateway. `model` counts as its
    provider.
    """
    secret = (settings.anthropic_api_key, *settings.session_secret)
    store = [settings.store, settings.gcp_project, settings.firestore_emulator, settings.vault]
    store += [settings.gcp_region, settings.secret_manager_emulator]
    store += [settings.vertex_project, settings.vertex_region, settings.vertex_base_url]
    kept = [*store, str(settings.metrics_port), settings.otlp_endpoint, settings.provider, settings.anthropic_base_url]
    kept += [*(_hash(word.encode()) for word in secret), _program()]
    return _hash(json.dumps(kept).encode())[:32]


def _program() -> str:
    """Return a hash of the sources and data that `main.py gateway` uses. Only their text counts: a copy has the same
    hash.
    """
    files = sorted(path for part in PARTS for kind in ("*.py", "*.toml", "*.md") for path in (CORE / part).rglob(kind))
    return _hash(b"".join(_hash(bytes(path.relative_to(CORE)) + b"\0" + path.read_bytes()).encode() for path in files))


def _hash(text: bytes) -> str:
    return sha256(text).hexdigest()
