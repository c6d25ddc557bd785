"""A gateway's digest is another one whenever the gateway would be, and gives nothing away."""

from dataclasses import replace
from typing import Any

import pytest

from core.config.settings import Secret, Settings
from core.gateway.fingerprint import PARTS, gateway_digest
from tests.imports import imports_of, reached

IN_MAIN = [name for name in imports_of("main") if name.startswith(("core.config", "core.observability", "core.store"))]
SETTINGS = Settings(model="anthropic", anthropic_api_key=Secret("sk-one"), session_secret=(Secret("a" * 40),))


@pytest.mark.parametrize(
    "change",
    [
        {"model": "practice"},
        {"anthropic_api_key": Secret("sk-two")},
        {"anthropic_base_url": "http://127.0.0.1:1"},
        {"session_secret": (Secret("b" * 40), Secret("a" * 40))},
        {"session_secret": ()},
        {"vault": "google"},
        {"gcp_region": "europe-west1"},
        {"secret_manager_emulator": "127.0.0.1:1"},
        {"model": "vertex"},
        {"vertex_project": "another"},
        {"vertex_region": "global"},
        {"vertex_base_url": "http://127.0.0.1:1"},
    ],
)
def test_it_changes_with_what_the_gateway_keeps(change: dict[str, Any]) -> None:
    assert gateway_digest(replace(SETTINGS, **change)) != gateway_digest(SETTINGS)


def test_it_is_the_same_for_what_auto_stands_for_and_for_what_only_the_web_uses() -> None:
    assert gateway_digest(replace(SETTINGS, model="auto")) == gateway_digest(SETTINGS)
    assert gateway_digest(replace(SETTINGS, host="0.0.0.0", port=1)) == gateway_digest(SETTINGS)


def test_nothing_can_be_read_from_it() -> None:
    digest = gateway_digest(SETTINGS)
    assert len(digest) == 32 and set(digest) <= set("0123456789abcdef")


def test_it_covers_the_sources_that_a_gateway_runs_and_no_others() -> None:
    run = reached("core.config.checks", "core.gateway.local_server", "core.gateway.cluster_server", *IN_MAIN)
    assert {name.split(".")[1] for name in run if "." in name} == set(PARTS)
