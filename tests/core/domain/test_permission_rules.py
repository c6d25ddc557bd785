"""Tests of "always allow" rules: the CLI's rule syntax and nothing else."""

import pytest

from core.domain.errors import BadInput
from core.domain.permission_rules import Offer, ToolUse, allowing, offer, parse_rules


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("Bash(npm test:*)", ("Bash(npm test:*)",)),
        (" Bash(a *), Bash(b, c) ,Read,Read", ("Bash(a *)", "Bash(b, c)", "Read")),
        ("mcp__oma__draft_agent", ("mcp__oma__draft_agent",)),
        ("Edit(~/agents/**)", ("Edit(~/agents/**)",)),
    ],
)
def test_rules_are_read_from_a_comma_list(text: str, rules: tuple[str, ...]) -> None:
    assert parse_rules(text) == rules


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "totally bogus ((",
        "Bash(",
        "Bash)(",
        "Bash()",
        'Bash(echo "(a) Bash b")',  # three rules for the CLI, one of them Bash
        "Bash(echo (1))",
        "Bash(a)\nBash(b)",
        "Nothing",
        "rm -rf /",
        "*",
        "Bash(a),",
        "--x",
        "Bash(a)" * 100,
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_rules(text)
    assert refused.value.code == "bad_rule"


def bash(command: str, folder: str = "") -> ToolUse:
    return ToolUse("Bash", {"command": command}, folder=folder)


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("npm test -- --watch", "Bash(npm test:*)"),
        ("./run.sh --fast", "Bash(./run.sh:*)"),
        ("curl --version", "Bash(curl:*)"),
        ("make; touch b", "Bash(make:*), Bash(touch b:*)"),
        ("ls && make", "Bash(make:*)"),
        ("make all 2>&1 | tail -5", "Bash(make all:*)"),
        ("bash -c 'echo x'", "Bash(bash -c 'echo x')"),
        ("/usr/bin/python3.11 -c 'x'", "Bash(/usr/bin/python3.11 -c 'x')"),
        ("A=1 rm x", "Bash(A=1 rm x)"),
        ("uv run pytest -q", "Bash(uv run pytest -q)"),
        ("busybox sh -c x", "Bash(busybox sh -c x)"),
        ("flock /tmp/l bash", "Bash(flock /tmp/l bash)"),
        ("stdbuf -o0 bash", "Bash(stdbuf -o0 bash)"),
        ("npm -s exec x", "Bash(npm -s exec x)"),
        ("git -c alias.x=!id x", "Bash(git -c alias.x=!id x)"),
        ("git commit -m x", "Bash(git commit:*)"),
        ("'bash' -c x", "Bash('bash' -c x)"),
        ("for i in 1 2; do touch $i; done", "Bash(for i in 1 2; do touch $i; done)"),
        ("rm build/*", "Bash(rm:*)"),
        ("rm old && rm *", "Bash(rm old:*), Bash(rm:*)"),
    ],
)
def test_what_is_offered_allows_the_very_command(command: str, rule: str) -> None:
    assert offer(bash(command)) == Offer(rule)
    assert allowing(parse_rules(rule), bash(command))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("x),Bash,Read(y", "signs"),
        ("(cd x && make)", "signs"),
        ("\\bash -c x", "signs"),
        ("sudo rm -r /tmp/*", "signs"),
        ("python3 - <<E\nprint(1)\nE", "signs"),
        ("touch $(date)", "signs"),
        ("rm \u202ex", "signs"),
        ("sh -c '" + "x" * 500 + "'", "long"),
        (" ", "signs"),
    ],
)
def test_where_no_rule_allows_the_very_command_none_is_offered(command: str, why: str) -> None:
    assert offer(bash(command), ("Bash", "Bash(x:*)")) == Offer("", why)  # type: ignore[arg-type]  # a code


@pytest.mark.parametrize(
    ("rules", "command", "allowed"),
    [
        (("Bash",), "rm -rf /", True),
        (("Bash(npm test:*)",), "npm test", True),
        (("Bash(npm test:*)",), "npm tests", False),
        (("Bash(npm test:*)",), "npm test && rm x", False),
        (("Bash(npm test:*)", "Bash(rm x)"), "npm test && rm x", True),
        (("Bash(npm test:*)",), "npm test > f", False),
        (("Bash(npm test:*)",), "npm test $(rm x)", False),
        (("Bash(npm test:*)",), "A=1 npm test", False),
        (("Bash(npm test:*)",), "npm test\nrm x", False),
        (("Bash(rm x)",), "rm x y", False),
        (("Bash(cp * x)",), "cp a x", True),
        (("Bash(cp * x)",), "cp a x; rm x", False),
        (("Edit", "Read"), "rm x", False),
    ],
)
def test_a_rule_allows_no_more_than_it_says(rules: tuple[str, ...], command: str, allowed: bool) -> None:
    assert bool(allowing(rules, bash(command))) is allowed


@pytest.mark.parametrize(
    ("rules", "tool", "path", "allowed"),
    [
        (("Edit(//a/b/**)",), "Write", "/a/b/c/d", True),
        (("Edit(//a/b/**)",), "Write", "/a/bc", False),
        (("Edit(//a/b)",), "Edit", "/a/b", True),
        (("Edit(//a/**)",), "Read", "/a/b", False),
        (("Edit(src/**)",), "Edit", "/a/src/x", False),
        (("Edit(//a/**)",), "Edit", "", False),
        (("Write(//a/**)",), "Write", "/a/b", False),
    ],
)
def test_a_rule_for_files_is_for_that_folder(rules: tuple[str, ...], tool: str, path: str, allowed: bool) -> None:
    assert bool(allowing(rules, ToolUse(tool, {}, path))) is allowed


def test_other_tools_are_allowed_by_name_by_server_and_by_host() -> None:
    assert allowing(("mcp__github",), ToolUse("mcp__github__search", {}))
    assert not allowing(("mcp__git",), ToolUse("mcp__github__search", {}))
    fetch = ToolUse("WebFetch", {"url": "https://example.com/x"})
    assert allowing(("WebFetch(domain:example.com)",), fetch)
    assert not allowing(("WebFetch(domain:example.com)",), ToolUse("WebFetch", {"url": "https://example.com.evil/x"}))
    assert offer(fetch, ("WebFetch(domain:other.com)",)) == Offer("WebFetch")
    assert offer(ToolUse("Elsewhere", {})) == Offer("", "tool")
