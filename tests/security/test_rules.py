"""Exceptions from the rules have reasons, and each rule has samples that show what it finds and what it does not.

The rules themselves run in `make security`: their tool is too heavy for every environment of tests.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = re.findall(r"^  - id: (\S+)$", (ROOT / "security" / "semgrep.yml").read_text(), re.MULTILINE)
SAMPLES = [(ROOT / "security" / name).read_text() for name in ("semgrep.py", "semgrep.js")]
SOURCES = [ROOT / "main.py"]
SOURCES += [
    path
    for folder in ("core", "auth", "ui", "web")
    for end in ("py", "js")
    for path in (ROOT / folder).rglob(f"*.{end}")
]


def test_there_are_rules() -> None:
    assert len(RULES) == len(set(RULES)) >= 15


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_sample_that_it_finds(rule: str) -> None:
    assert any(re.search(rf"ruleid: {rule}$", sample, re.MULTILINE) for sample in SAMPLES)


def test_a_sample_is_of_a_rule_that_exists() -> None:
    named = {name for sample in SAMPLES for name in re.findall(r"(?:ruleid|ok): (\S+)", sample)}
    assert named == set(RULES)


def test_whoever_is_excepted_from_a_rule_says_why() -> None:
    silent = []
    for path in SOURCES:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            linter = re.search(r"# noqa(?P<rest>.*)", line)
            if linter and not re.fullmatch(r": [A-Z]+\d+(, ?[A-Z]+\d+)*\s+# \S.{3,}", linter["rest"]):
                silent.append(f"{path.relative_to(ROOT)}:{number}: {linter[0]}")
            rule = re.search(r"(?:#|//) nosem(?P<rest>.*)", line)
            if rule and not re.fullmatch(rf"grep: ({'|'.join(RULES)})\s+(#|//) \S.{{3,}}", rule["rest"]):
                silent.append(f"{path.relative_to(ROOT)}:{number}: {rule[0]}")
    assert silent == []
