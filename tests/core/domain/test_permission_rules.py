"""What may be always allowed: the CLI's rule syntax and nothing else."""

import pytest

from core.domain.errors import BadInput
from core.domain.permission_rules import parse_rules


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
