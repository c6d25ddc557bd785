"""The only reader of permission rules, in the CLI's own grammar: `Tool` or `Tool(pattern)`, separated by commas.

It also says whether a rule allows a request, and which rule could allow a request from now on. Our answer is the one
that counts (core.domain.permission_policy). It is never wider than the CLI's: what a rule allows here it allows in a
plain `claude` as well, which tests/core/runner/test_rules_in_the_cli.py holds against the real one.
"""

import re
from fnmatch import translate
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from core.domain import shell
from core.domain.errors import BadInput
from core.domain.shell import SimpleCommand
from core.domain.unasked_commands import is_reading
from core.domain.visible_text import has_hidden

RULE_CHARS = 500
RULES = 20  # in one answer
PATTERN_CHARS = 400
TOOLS = frozenset(
    "Bash Read Write Edit NotebookEdit Glob Grep WebFetch WebSearch Task Skill KillShell BashOutput TaskStop".split()
)
EDITING: Final = frozenset({"Edit", "Write", "NotebookEdit"})  # a rule for Edit counts for all of them
# No parentheses in a pattern: the CLI splits its list at the first blank or comma after a closing one.
_RULE = re.compile(r"(?P<tool>[A-Za-z_][\w-]*)(?:\((?P<pattern>[^()]+)\))?")
# These programs run what comes after them: `bash:*` would be a rule for every command there is.
_RUNNERS = frozenset(
    "bash sh dash ash zsh ksh mksh csh tcsh fish rbash hush busybox toybox pwsh powershell python pypy ipython node"
    " nodejs deno bun bunx tsx ts-node npx pnpx uvx perl ruby php lua tclsh expect Rscript julia awk gawk find xargs"
    " parallel env sudo doas su runuser pkexec eval exec command builtin noglob coproc trap source . nohup setsid"
    " setpriv nice ionice chrt taskset stdbuf timeout time watch flock script strace ltrace gdb chroot unshare nsenter"
    " systemd-run xvfb-run tmux screen ssh rsh docker podman if then else elif while until for do case function".split()
)
_RUNNING = frozenset({"run", "exec", "dlx", "x"})  # uv run, npm exec, bundle exec: their second word says it
# With these programs an option can hide the second word: `npm -s exec`, `git -c alias.x='!rm -r ~' x`.
_LEADERS = frozenset("npm pnpm yarn uv poetry pipenv pdm hatch conda mise bundle cargo go git kubectl make".split())
_NAME = re.compile(r"[\w@+./-]+", re.ASCII)  # of a program: nothing quoted, set, expanded or grouped

NoRule = Literal["", "long", "signs", "tool"]


class Rule(NamedTuple):
    """A permission rule; without a `pattern` it allows every use of the tool."""

    tool: str
    pattern: str = ""

    def __str__(self) -> str:
        return f"{self.tool}({self.pattern})" if self.pattern else self.tool


class ToolUse(NamedTuple):
    """A use of a tool that is to be judged. `path` is the file that it reads or writes, absolute and with links
    resolved, or empty.
    """

    tool: str
    input: dict[str, Any]
    path: str = ""
    folder: str = ""  # the agent's, absolute

    @property
    def command(self) -> str:
        """The shell command; empty if the tool is not Bash."""
        command = self.input.get("command") if self.tool == "Bash" else ""
        return command if isinstance(command, str) else ""


class Offer(NamedTuple):
    """The rules that "always allow" would add, as text; if there are none, `why_none` gives the reason."""

    rules: str
    why_none: NoRule = ""


# --- reading -------------------------------------------------------------------------------------------------------


def parse_rules(text: str) -> tuple[str, ...]:
    """Return the rules of a list, each once. Commas inside parentheses belong to a pattern.

    Raises: BadInput: code `bad_rule`: empty, too long, more than one line, or not of the syntax.
    """
    if not text.strip() or len(text) > RULE_CHARS or not text.isprintable():
        raise BadInput(f"a rule is one line of at most {RULE_CHARS} characters", code="bad_rule")
    rules = tuple(dict.fromkeys(part.strip() for part in _split(text)))
    if len(rules) > RULES or not all(map(parse_rule, rules)):
        raise BadInput("a rule is a tool, or a tool and a pattern in parentheses: Bash(npm test:*)", code="bad_rule")
    return rules


def parse_rule(text: str) -> Rule | None:
    """Parse one rule as the CLI does; None if the text is not a rule."""
    found = _RULE.fullmatch(text)
    if not found or has_hidden(text) or not (found["tool"] in TOOLS or found["tool"].startswith("mcp__")):
        return None
    return Rule(found["tool"], found["pattern"] or "")


def _split(text: str) -> list[str]:
    """Split a text of several rules at its commas; a comma inside parentheses belongs to a rule's pattern."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


# --- judging -------------------------------------------------------------------------------------------------------


def allowing(rules: tuple[str, ...], use: ToolUse) -> tuple[str, ...]:
    """Return those of the rules that together allow this use; an empty tuple if they do not."""
    parsed = [rule for rule in map(parse_rule, rules) if rule]
    if use.tool == "Bash":
        return _allowing_command([rule for rule in parsed if rule.tool == "Bash"], use)
    return next(((str(rule),) for rule in parsed if _allows(rule, use)), ())


def _allows(rule: Rule, use: ToolUse) -> bool:
    if rule.tool == "Edit" and use.tool in EDITING:
        return not rule.pattern or _is_below(use.path, rule.pattern)
    if rule.tool != use.tool:
        server = rule.tool.startswith("mcp__") and rule.tool.count("__") == 1 and not rule.pattern
        return server and use.tool.startswith(f"{rule.tool}__")
    if not rule.pattern:
        return True
    if use.tool == "WebFetch":
        return rule.pattern == f"domain:{_host(use.input.get('url'))}"
    return use.tool == "Read" and _is_below(use.path, rule.pattern)


def _is_below(path: str, pattern: str) -> bool:
    """True if the pattern is `//folder/**` and the path lies in it, or the pattern is `/` and the path itself. All
    other patterns match nothing.
    """
    if not path or not pattern.startswith("//") or has_hidden(path):
        return False
    folder, star, rest = pattern[1:].partition("/**")
    if set("*?[!\\") & set(folder) or rest:
        return False
    return path.startswith(f"{folder}/") if star else path == folder


def _host(url: object) -> str:
    try:
        return urlsplit(url).hostname or "" if isinstance(url, str) else ""
    except ValueError:
        return ""


def _allowing_command(rules: list[Rule], use: ToolUse) -> tuple[str, ...]:
    """Return the rules that allow a command: one for all commands or for this exact text, or one for each command of
    the chain that does not only read.
    """
    command = use.command.strip()
    for rule in rules:
        if not rule.pattern or ("*" not in rule.pattern and rule.pattern == command):
            return (str(rule),)
    if not (commands := shell.read(command)):
        return ()
    used: dict[str, None] = {}
    for one in commands:
        if found := next((str(rule) for rule in rules if _allows_simple(rule.pattern, one)), ""):
            used[found] = None
        elif not is_reading(one, folder=use.folder):
            return ()
    return tuple(used)


def _allows_simple(pattern: str, command: SimpleCommand) -> bool:
    """True if the pattern allows the command. `npm test:*` and `npm test *` allow these words and any after them; a
    star elsewhere stands for any text.
    """
    prefix = pattern.removesuffix(":*") if pattern.endswith(":*") else pattern.removesuffix(" *")
    if "*" not in prefix:
        words = prefix.split()
        raw = [word.raw for word in command.words]
        return bool(words) and (raw[: len(words)] == words if prefix != pattern else raw == words)
    if ":*" in pattern or set("?[") & set(pattern):
        return False
    return bool(re.match(translate(pattern), command.raw))


# --- offering ------------------------------------------------------------------------------------------------------


def offer(use: ToolUse, suggested: tuple[str, ...] = ()) -> Offer:
    """Return rules that provably allow this very use, for "always allow". The CLI proposed the `suggested` ones."""
    if use.tool == "Bash":
        return _offer_command(use)
    candidates = [", ".join(suggested)] if suggested else []
    if use.tool in EDITING and use.path:
        candidates.append(f"Edit(/{use.path.rpartition('/')[0]}/**)")
    elif use.tool not in EDITING:
        candidates.append(use.tool)
    return next((Offer(text) for text in candidates if _proves(text, use)), Offer("", "tool"))


def _proves(text: str, use: ToolUse) -> bool:
    try:
        return bool(allowing(parse_rules(text), use))
    except BadInput:
        return False


def _offer_command(use: ToolUse) -> Offer:
    command = use.command.strip()
    commands = [one for one in shell.read(command) or () if not is_reading(one, folder=use.folder)]
    parts = list(dict.fromkeys(_suggestion(one) for one in commands))
    if parts and all(parts) and _proves(text := ", ".join(parts), use):
        return Offer(text)
    if len(command) > PATTERN_CHARS:
        return Offer("", "long")
    if command and command.isprintable() and not set("*()<>\\") & set(command) and _proves(f"Bash({command})", use):
        return Offer(f"Bash({command})")
    return Offer("", "signs")


def _suggestion(command: SimpleCommand) -> str:
    """Propose a rule for a command: by its first words, or for the exact text if the first word runs other programs;
    empty if there is none.
    """
    name, *rest = (word.raw for word in command.words)
    if _runs_others(name.rpartition("/")[2], rest[0] if rest else "") or not _NAME.fullmatch(name):
        return "" if set("*()\\,") & set(command.raw) else f"Bash({command.raw})"
    first = [name, rest[0]] if rest and rest[0].isascii() and rest[0].isalpha() else [name]
    return f"Bash({' '.join(first)}:*)"


def _runs_others(name: str, second: str) -> bool:
    """True if a command that begins with these two words may run any other program."""
    known = {name, name.rstrip("0123456789.")}  # python3.11
    return bool(known & _RUNNERS) or second in _RUNNING or (name in _LEADERS and second.startswith("-"))
