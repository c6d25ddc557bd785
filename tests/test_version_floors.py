"""Versions below which a hole is known: neither locked nor installed. Offline, so that no advisory can be missed later.

Newer advisories are `make audit`'s business, which asks the network.
"""

import re
from importlib.metadata import version as installed
from pathlib import Path

import pytest
from claude_agent_sdk._cli_version import __cli_version__ as cli_version

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "nicegui": "3.14",  # CVE-2026-39844, GHSA-78qv-3mpx-9cqq, GHSA-9ffm-fxg3-xrhh and others, the last fixed in 3.14
    "authlib": "1.6.9",  # CVE-2025-59420, -61920, -68158, CVE-2026-28498, -28802
    "starlette": "1.0.1",  # CVE-2025-62727 (Range), CVE-2026-48710 (Host)
    "python-engineio": "4.13.2",  # CVE-2026-48802, GHSA-cgwc-pv48-fhj5
    "python-multipart": "0.0.22",  # CVE-2026-24486
}
CLI_FLOOR = "2.1.128"  # CVE-2025-59536, CVE-2026-21852, -24052, -25724, -25725, -39861, -46406


def numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release; empty for anything else (a pre-release, a local build), which we do not lock."""
    assert re.fullmatch(r"\d+(\.\d+)*", version), version
    return tuple(map(int, version.split(".")))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-security.lock"])
@pytest.mark.parametrize(("package", "floor"), FLOORS.items())
def test_no_lock_goes_below_a_floor(lock: str, package: str, floor: str) -> None:
    found = re.findall(rf"^{package}==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    assert found or lock == "requirements-security.lock"
    assert all(numbers(version) >= numbers(floor) for version in found)


@pytest.mark.parametrize(("package", "floor"), FLOORS.items())
def test_what_runs_is_not_below_a_floor(package: str, floor: str) -> None:
    assert numbers(installed(package)) >= numbers(floor)


def test_the_cli_that_the_sdk_brings_is_not_below_its_floor() -> None:
    assert numbers(cli_version) >= numbers(CLI_FLOOR)


def test_versions_are_compared_as_numbers() -> None:
    assert numbers("1.10.0") > numbers("1.9.9")
    assert numbers("3.14") <= numbers("3.14.0")
