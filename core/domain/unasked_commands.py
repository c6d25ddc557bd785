"""The one list of commands that an agent may run without asking: commands that only read, inside its own folder.

docs/permissions.md shows this list as a table, made by `table()`. A command is on it if core.domain.shell understands
it whole, every program in it is named here, each option is allowed, and no path leads out of the folder. Programs that
run others or are led by files of the folder (git, xargs, sed, awk, env, find -exec) are not on it.
"""

import re
from typing import Final, NamedTuple

from core.domain import shell
from core.domain.shell import ShellWord, SimpleCommand


class AllowedProgram(NamedTuple):
    """The limits of a program on the list. `options` has to match each word that begins with `-`; None allows all."""

    options: re.Pattern[str] | None = None
    operands: int = 1_000  # words that are no options
    shown: str = ""  # what the table says of it


def _only(pattern: str, shown: str, *, operands: int = 1_000) -> AllowedProgram:
    return AllowedProgram(re.compile(pattern), operands, shown)


_ANY: Final = AllowedProgram()
_PLAIN: Final = (
    "ls cat head tail wc nl od stat du df diff cmp comm cut tr paste join fold fmt tac rev expand column basename"
    " dirname realpath readlink seq md5sum sha1sum sha256sum sha512sum cksum b2sum grep egrep fgrep jq echo true false"
    " pwd whoami id uname which"
).split()
_FIND: Final = (
    r"-(name|iname|path|ipath|type|maxdepth|mindepth|size|mtime|mmin|newer|print0?|not|o|or|a|and|empty|i?regex|perm"
    r"|user|group|prune|ls|true|L|P|H|\d+)"
)
PROGRAMS: Final[dict[str, AllowedProgram]] = {
    **dict.fromkeys(_PLAIN, _ANY),
    "cd": _only(r"(?!)", "into a folder below", operands=1),
    "date": _only(r"-u|-I\w*|--iso-8601|--utc", "only to show it: +format, -u, -I", operands=1),
    "file": _only(r"-[bihkLNnprs0]+|--mime[\w-]*|--brief", "not -C, -z"),
    "find": _only(_FIND, "tests and -print only: not -exec, -ok, -delete, -fprint"),
    "printf": _only(r"(?!)", "without options"),
    "rg": _only(r"-[acFHhIilLNnoPpqSsUuvwx0]+|-[ABCdegmtT]\w*|--(count|files|files-with-matches|glob|hidden|ignore-case"
                r"|line-number|type|max-count|no-ignore|json|stats|multiline|fixed-strings)(=.*)?", "not --pre, -z"),
    "sort": _only(r"-[bcdfghiMnrRVuzC]+|-k[\d.,bdfghiMnrRV]*|-t.?", "not -o, -T, --compress-program"),
    "tree": _only(r"-[adfpughsDFtrcvCnNAiLIP]+", "not -o, -R"),
    "uniq": _only(r"-[cdDiuz]+|-[fsw]\d+", "reads only: no second file", operands=1),
}  # fmt: skip
_BARE_ONLY: Final = {"date": re.compile(r"\+"), "cd": re.compile(r"[^-]")}
# Option values may hang on the option: -f/etc/x, --file=/etc/x.
_LEADS_OUT: Final = re.compile(r"(?:-+[\w-]*=?)?(?:/|~)|(?:.*/)?(?:-+[\w-]*=?)?\.\.(?:/|$)")
_HIDDEN_GLOB: Final = re.compile(r"(?:^|/)\.[*?\[]")  # `.*` means `..`, too


def runs_unasked(command: str, *, folder: str = "") -> bool:
    """True if this command only reads, and only inside `folder` (absolute), where it is run. In doubt False."""
    return (commands := shell.read(command)) is not None and all(is_reading(one, folder=folder) for one in commands)


def is_reading(command: SimpleCommand, *, folder: str = "") -> bool:
    """True if this simple command is on the list."""
    name, *words = command.words
    program = PROGRAMS.get(name.raw)
    if program is None:
        return False
    options = [word for word in words if word.text.startswith("-")]
    operands = [word for word in words if not word.text.startswith("-")]
    return (
        len(operands) <= program.operands
        and all(program.options is None or program.options.fullmatch(word.text) for word in options)
        and all(_BARE_ONLY[name.raw].match(word.text) for word in operands if name.raw in _BARE_ONLY)
        and not any(_is_doubtful(word, program, folder) for word in words)
    )


def _is_doubtful(word: ShellWord, program: AllowedProgram, folder: str) -> bool:
    """True if the word may lead out of the folder, or if the shell may turn it into an option."""
    if word.pattern and (_HIDDEN_GLOB.search(word.text) or (program.options and word.text[:1] in "*?[")):
        return True
    inside = folder and (word.text == folder or word.text.startswith(f"{folder}/"))
    text = word.text[len(folder) :].lstrip("/") if inside else word.text
    return bool(_LEADS_OUT.match(text)) or "/../" in text or text.endswith("/..")


def table() -> list[tuple[str, str]]:
    """Return the list as rows of (programs, limits): first the programs without limits, then each with its own."""
    free = sorted(name for name, program in PROGRAMS.items() if not program.shown)
    limited = sorted((name, program.shown) for name, program in PROGRAMS.items() if program.shown)
    return [(" ".join(free), ""), *limited]


def page() -> str:
    """Build the whole text of docs/permissions.md, in Markdown."""
    rows = "\n".join(f"| {' '.join(f'`{name}`' for name in names.split())} | {limits} |" for names, limits in table())
    return f"{_INTRODUCTION}\n| commands | of them |\n|---|---|\n{rows}\n{_LIMITS}"


_INTRODUCTION: Final = """# What runs without asking

Generated by `python -m core.domain.unasked_commands > docs/permissions.md`. A test holds it.

The platform decides, not the mode of the Claude Code CLI: the CLI asks it about every command and every edit, also in
sub-agents, in the background and in skills. What an agent may do unasked depends on its mode:

| mode | `permission_mode` | commands that only read | edits inside the agent's folder | everything else |
|---|---|---|---|---|
| ask for everything | `default` | ask | ask | asks |
| edits pass (the default) | `acceptEdits` | pass | pass | asks |
| plan only | `plan` | pass | ask | asks |
| allow list | `dontAsk` | pass | refused | refused, nobody is asked |

A rule that a person wrote (`Bash(npm test:*)`) lets pass in all modes what it names. Whatever passes is marked in the
transcript with what let it pass. Claude's own tools for reading (Read, Glob, Grep) ask outside the agent's folder only.

Edits are those by Edit, Write and NotebookEdit. A file asks all the same if a part of its path begins with a
dot (`.git`, `.claude`, `.mcp.json`), or if it lies outside the folder, also through a link.

## Commands that only read
"""
_LIMITS: Final = """
A command passes only if all of this holds; otherwise it asks:

- Each program of the chain (`|`, `&&`, `||`, `;`, new lines) is in the table, by its bare name.
- It has no variables, substitutions, escapes, here-documents, groups, loops, background jobs, comments or assignments,
  and no redirection but to `/dev/null` (`2>/dev/null`, `2>&1`).
- No word leads out of the agent's folder: no `/…`, `~`, `..`. No pattern can become an option (`find *`).
- It has at most 10,000 characters, all of them visible.
- The home has no shell start files (`.bashrc`, `.profile` …) and the folder's `.claude/settings.json` sets no
variables:   either may give `ls` another meaning.

`git` is not in the table: it runs programs that a repository's configuration names. A rule can allow it:
`Bash(git status:*)`.
"""

if __name__ == "__main__":
    print(page(), end="")  # its only purpose
