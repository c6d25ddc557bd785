"""Which gateway this would be: a word that changes with everything a gateway keeps from its start to its end.

The web compares the word of the gateway it finds with its own, so that a rotated key or a new version never goes on
being served by the old process. It is a hash: nothing can be read from it.
"""

import json
from hashlib import sha256
from pathlib import Path

from core.config.settings import Settings

CORE = Path(__file__).resolve().parents[1]


def gateway_digest(settings: Settings) -> str:
    """The same in web and gateway if they mean the same: by `provider`, because the web settles what `auto` is."""
    secret = (settings.anthropic_api_key, *settings.session_secret)
    store = [settings.store, settings.gcp_project, settings.firestore_emulator, settings.vault]
    store += [settings.gcp_region, settings.secret_manager_emulator]
    store += [settings.vertex_project, settings.vertex_region, settings.vertex_base_url]
    kept = [*store, str(settings.metrics_port), settings.otlp_endpoint, settings.provider, settings.anthropic_base_url]
    kept += [*(_hash(word.encode()) for word in secret), _program()]
    return _hash(json.dumps(kept).encode())[:32]


def _program() -> str:
    """Of what the files say, not of when they were written: a copy of the same version is the same."""
    files = sorted(path for kind in ("*.py", "*.toml") for path in CORE.rglob(kind))
    return _hash(b"".join(_hash(bytes(path.relative_to(CORE)) + b"\0" + path.read_bytes()).encode() for path in files))


def _hash(text: bytes) -> str:
    return sha256(text).hexdigest()
