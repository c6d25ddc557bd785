"""The reader of shell commands, held against bash itself: whatever it accepts, bash reads in the same way."""

import shlex
import subprocess

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.domain.shell import read

# The words are printed by functions of these names; nothing else can be run, and no file can be made.
NAMES = ("ls", "cat", "echo", "head")
HARNESS = "PATH=/nonexistent; set -f; cd /nonexistent 2>/dev/null; " + "".join(
    f"{name}() {{ local s; printf -v s '<%s>' {name} \"$@\"; printf '%s\\n' \"$s\"; }} >&9; " for name in NAMES
)
PIECES = st.sampled_from(
    [*NAMES, " ", "  ", "\t", "\n", ";", "|", "||", "&&", "&", "'", '"', "\\", "$", "`", "(", ")", "{", "}", "<", ">",
     ">/dev/null", "2>&1", "2>/dev/null", "&>/dev/null", "#", "!", "~x", "*", "a", "1", "2", "-n", "=", ",", "한", "é",
     "'a b'", '"c d"', "''", "$x", "$'x'", "\r", "\u00a0", "\u202e", "\u3000", "%", "^", "[", "]", "<<E", "E"]
)  # fmt: skip


def as_bash_reads(commands: list[str]) -> list[list[str]]:
    """Return for each command the programs that bash runs, each as its words."""
    lines = "\n".join(f"eval {shlex.quote(command)}\nprintf '#\\n' >&9" for command in commands)
    done = subprocess.run(
        ["/bin/bash", "--norc", "--noprofile", "-c", f"exec 9>&1 >/dev/null 2>&1; {HARNESS}\n{lines}\n"],
        capture_output=True, timeout=20, check=False, env={"LANG": "C.UTF-8"},
    )  # fmt: skip
    return [sorted(part.splitlines()) for part in done.stdout.decode().split("#\n")[:-1]]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(PIECES, min_size=2, max_size=9).map("".join), min_size=40, max_size=40))
@example(
    [
        "ls 'a b' \"c d\"e | cat -n && echo x; head 2>/dev/null\nls",
        "ls a'b'\"c\" '' 한글 a=b ~x *.py 2>&1 >/dev/null | cat",
        "ls\u00a0a",
        "ls a1 2 1>/dev/null",
        "echo 'a;b|c&&d' ;",
    ]
)
def test_what_is_accepted_is_read_as_bash_reads_it(commands: list[str]) -> None:
    # Each command of a chain runs, and no `~` is replaced, so that all words are seen as they are.
    tame = [command.replace("||", ";").replace("~", "x~") for command in commands]
    known = [(one, found) for one in tame if (found := read(one)) and all(c.words[0].raw in NAMES for c in found)]
    ours = [sorted("".join(f"<{word.text}>" for word in one.words) for one in found) for _, found in known]
    assert as_bash_reads([command for command, _ in known]) == ours


@pytest.mark.parametrize(
    "command",
    [
        "", " ", "ls > f", "ls >> f", "ls >f", "cat < f", "cat << E\nx\nE", "cat <<< x", "ls $X", 'ls "$X"', "ls $(x)",
        "ls `x`", "ls &", "ls & rm x", "(ls)", "{ ls; }", "ls {a,b}", "ls \\\nrm", "l\\s", "ls # x", "ls |& cat",
        "ls ;; cat",
        "&& ls", "ls &&", "ls |", "ls 2>&1x", "ls >/dev/nullx", "ls >/dev/tcp/h/1", "ls 3>/dev/null", "ls\rrm",
        "ls\x00",
        "ls \u202e", "ls\u200bx", "ls\u00a0x", "ls 'a\nb'", 'ls "a\\"', "ls $'a'", "!ls", "2>/dev/null ls",
        "ls 2>/dev/null x", "ls 'a", "x" * 10_001,
    ],
)  # fmt: skip
def test_what_is_more_than_plain_commands_is_refused(command: str) -> None:
    assert read(command) is None
