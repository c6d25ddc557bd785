"""What "always allow" means: rules in the CLI's own syntax, `Tool` or `Tool(pattern)`, checked before they are kept."""

import re

from core.domain.errors import BadInput

RULE_CHARS = 500
RULES = 20  # in one answer
TOOLS = frozenset(
    "Bash Read Write Edit NotebookEdit Glob Grep WebFetch WebSearch Task Skill KillShell BashOutput TaskStop".split()
)
# No parentheses in a pattern: the CLI splits its list of rules at the first blank or comma after any that closes.
_RULE = re.compile(r"(?P<tool>[A-Za-z_][\w-]*)(?P<pattern>\([^()]+\))?")


def parse_rules(text: str) -> tuple[str, ...]:
    """The rules of a comma list (commas inside parentheses belong to a pattern), each once.

    Raises: BadInput: code `bad_rule`: empty, too long, more than one line, or not of the syntax.
    """
    if not text.strip() or len(text) > RULE_CHARS or not text.isprintable():
        raise BadInput(f"a rule is one line of at most {RULE_CHARS} characters", code="bad_rule")
    rules = tuple(dict.fromkeys(part.strip() for part in _split(text)))
    if len(rules) > RULES or not all(map(is_rule, rules)):
        raise BadInput("a rule is a tool, or a tool and a pattern in parentheses: Bash(npm test:*)", code="bad_rule")
    return rules


def _split(text: str) -> list[str]:
    """At commas outside parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def is_rule(rule: str) -> bool:
    """Whether this is one rule, for the CLI as for us."""
    found = _RULE.fullmatch(rule)
    known = found and (found["tool"] in TOOLS or found["tool"].startswith("mcp__"))
    return bool(known)
