"""The list of commands that run without asking. tests/core/runner/test_unasked_commands.py holds it in the real CLI."""

import pytest

from core.domain.unasked_commands import runs_unasked

READING = [
    "ls -la", "cat a.txt", "head -n 1 a.txt | wc -l", "find . -name '*.txt' -print", "grep -rn hello .", "pwd",
    "wc -l a.txt",
    "sort -r a.txt | uniq -c", "echo 'rm -rf out; touch x'", 'echo "a > b" && cat a.txt', "ls out; pwd",
    "cat a.txt 2>/dev/null",
    "ls missing 2>&1 || echo none", "cd out && ls", "du -sh .", "date +%F", "cut -d: -f1 a.txt", "diff a.txt a.txt",
    "ls *.txt", "cat 한글.txt", "stat a.txt", "tail -n +1 a.txt\nwc a.txt", "printf '%s' x", "basename out/b.txt",
    "grep -c 'a;b|c&&d' a.txt", "realpath a.txt", "tr a b", "sha256sum a.txt",
]  # fmt: skip
CHANGING = [
    # what the CLI's own mode `acceptEdits` runs unasked
    "rm -rf out", "mv a.txt b.txt", "cp a.txt c.txt", "sed -i s/hello/bye/ a.txt", "touch x", "mkdir d",
    "echo x > x", "mkdir d && printf x > d/x", "rmdir out",
    # chains
    "ls; touch x", "ls && touch x", "false || touch x", "ls | touch x", "ls & touch x", "ls\ntouch x", "ls |& tee x",
    "if true; then touch x; fi", "for i in 1 2; do touch x; done", "(touch x)", "{ touch x; }", "! touch x",
    # redirections and here-documents
    "cat a.txt >> x", "ls >| x", "ls 1>x", "ls &> x", "cat <<E > x\nhi\nE", "cat <<'E' | tee x\nhi\nE",
    "cat <<< hi > x",
    "ls 2>/dev/null >x", "> x", "exec 3>x", "echo x >/dev/tcp/127.0.0.1/1",
    # substitutions
    "ls $(touch x)", "ls `touch x`", 'echo "$(touch x)"', "cat <(touch x)", "ls ${X:=`touch x`}",
    "echo $((a[$(touch x)]))",
    # programs that change, by an option or by running others
    "find . -delete", "find . -name a.txt -exec rm {} +", "find . -fprint x", "find . -ok rm {} ;", "git clean -fdx",
    "git status",
    "echo x | tee x", "dd if=a.txt of=x", "sort -o x a.txt", "sort -ox a.txt", "sort --output=x a.txt", "uniq a.txt x",
    "ls | xargs touch", "tree -o x", "date -s 2020-01-01", "rg --pre touch hello", "awk 'BEGIN{system(\"touch x\")}'",
    "sed -n 'w x' a.txt", "env touch x", "command touch x", "timeout 5 touch x", "nohup touch x", "bash -c 'touch x'",
    "python3 -c 'open(\"x\",\"w\")'", "eval touch x", "printf -v 'a[$(touch x)]' y", "test -v 'a[$(touch x)]'",
    "[ -v 'a[$(touch x)]' ]", "curl -o x http://127.0.0.1:1", "ln -s / x", "truncate -s 0 a.txt", "install a.txt x",
    # prefixes, aliases, functions, quotes, escapes, other scripts
    "A=1 touch x", "PATH=. ls", "alias ls='touch x'\nls", "ls() { touch x; }; ls", "l\\s", "'touch' x", "t''ouch x",
    "$'touch' x",
    "ls \\\n; touch x", "./ls", "/bin/ls", "ls\u00a0-l", "ls \u202e", "l\u0455", "cat a.txt #\ntouch x",
    "sort *",
    "find *",
    # outside the folder
    "cat /etc/hostname", "ls ..", "cat out/../../x", "ls ~", "cat ~/.claude.json", "cd / && ls",
    "grep -f/etc/hostname a.txt",
    "cat --files0-from=/etc/hostname", "ls .*", "cd out && cat ../a.txt",
]  # fmt: skip


@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_inside_the_folder_passes(command: str) -> None:
    assert runs_unasked(command)


@pytest.mark.parametrize("command", CHANGING)
def test_a_command_that_changes_something_or_reads_elsewhere_asks(command: str) -> None:
    assert not runs_unasked(command)


def test_a_path_is_inside_by_its_full_name_as_well() -> None:
    assert runs_unasked("cat /home/agents/a/x", folder="/home/agents/a")
    for path in ("/home/agents/ab/x", "/home/agents/a/../b/x", "/home/agents/b/x", "/home/agents/a/.."):
        assert not runs_unasked(f"cat {path}", folder="/home/agents/a")
