"""Our reader of rules against the real CLI: what a rule allows with us it allows there, and what we offer works."""

import json
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.domain.permission_rules import ToolUse, allowing, offer, parse_rules
from tests.core.runner.plain_cli import asked_by

RULES = [
    "Bash(curl:*)", "Bash(npm test:*)", "Bash(npm run *)", "Bash(make)", "Bash(touch 'a b')", "Bash(git commit -m:*)",
    "Bash(cp * x)", "Bash(for i in 1 2; do echo $i; done)", "Bash(A=1 rm x)", "Bash(node x.js && touch y)",
    "Bash(mv a b)",
]  # fmt: skip
WORDS = st.sampled_from(
    ["curl", "npm", "test", "run", "make", "touch", "'a b'", "git", "commit", "-m", "cp", "x", "a", "b", "mv", "&&",
     ";", "|", "||", "2>&1", "2>/dev/null", "> f", "$X", "`id`", "$(id)", "&", "\n", '"q r"', "tests", "tail", "-5",
     "A=1", "rm", "./x"]
)  # fmt: skip
OFFERED = [
    "npm test -- --watch", "./run.sh --fast", "curl x", "A=1 rm x", "uv run pytest -q", "npm -s exec x",
    "git commit -m x",
    "for i in 1 2; do touch $i; done", "touch a && touch b", "make 2>&1 | tail -5", "python3 -V; rm x", "mv 'a b' c",
    "git -c a.b=c status", "touch $X", "rm a.txt", "timeout 5 rm x", "sed -n 1p a.txt | sort", "if rm x; then ls; fi",
]  # fmt: skip
NONE = [
    "echo hi > f",
    "touch $(date)",
    "l\\s; rm x",
    "cat <<E > f\nx\nE",
    "x),Bash,Read(y",
    "(rm x)",
    "rm " + "x" * 500,
]


def use(command: str) -> ToolUse:
    return ToolUse("Bash", {"command": command})


def script(commands: list[str]) -> str:
    return " ".join(f"TOOL((({command})))" for command in commands)


async def test_what_our_rules_allow_the_cli_allows(tmp_path: Path) -> None:
    found: list[str] = []

    @settings(max_examples=4_000, deadline=None, phases=[Phase.generate], derandomize=True, database=None)
    @given(st.lists(WORDS, min_size=1, max_size=6).map(" ".join))
    def collect(command: str) -> None:
        if command not in found and allowing(tuple(RULES), use(command)):
            found.append(command)

    collect()
    assert len(found) >= 60
    chosen = found[:150]
    asked = [one["command"] for one in await asked_by(tmp_path, script(chosen), RULES)]
    assert asked == []


async def test_what_is_offered_is_not_asked_again(tmp_path: Path) -> None:
    rules: list[str] = []
    for command in OFFERED:
        offered = offer(use(command))
        assert offered.rules, command
        assert allowing(parse_rules(offered.rules), use(command)), command
        rules += parse_rules(offered.rules)
    assert await asked_by(tmp_path, script(OFFERED), list(dict.fromkeys(rules))) == []


@pytest.mark.parametrize("command", NONE)
def test_where_no_rule_can_say_it_none_is_offered_and_why(command: str) -> None:
    assert offer(use(command))[0] == "" and offer(use(command)).why_none in ("signs", "long")


async def test_rules_for_files_and_hosts_mean_the_same_in_the_cli(tmp_path: Path) -> None:
    outside = tmp_path / "out"
    outside.mkdir()
    (outside / "r.txt").write_text("r")
    uses = [
        ToolUse("Write", {"file_path": f"{outside}/n.txt", "content": "x"}, f"{outside}/n.txt"),
        ToolUse("Read", {"file_path": f"{outside}/r.txt"}, f"{outside}/r.txt"),
        ToolUse("WebFetch", {"url": "https://example.com/x", "prompt": "p"}),
    ]
    suggested = [(), (f"Read(/{outside}/**)",), ("WebFetch(domain:example.com)",)]
    rules = [offer(use, rule).rules for use, rule in zip(uses, suggested, strict=True)]
    assert rules == [f"Edit(/{outside}/**)", f"Read(/{outside}/**)", "WebFetch(domain:example.com)"]
    said = " ".join(f"USE((({one.tool})))((({json.dumps(one.input)})))" for one in uses)
    assert len(await asked_by(tmp_path, said, [])) == 3
    assert await asked_by(tmp_path, said, rules) == []
