"""What the real CLI runs without asking is what the platform's list says, and nothing else."""

import json
from pathlib import Path

import pytest

from core.domain.events import Asked, Decided, ToolReturned, TurnFinished
from tests.core.runner.box import Box, Talker, Watch

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
    "ls \\\n; touch x", "./ls", "/bin/ls", "ls\u00a0-l", "ls \u202e", "l\u0455", "cat a.txt #\ntouch x", "cat *",
    "sort *",
    "find *",
    # outside the folder
    "cat /etc/hostname", "ls ..", "cat out/../../x", "ls ~", "cat ~/.claude.json", "cd / && ls",
    "grep -f/etc/hostname a.txt",
    "cat --files0-from=/etc/hostname", "ls .*", "cd out && cat ../a.txt",
]  # fmt: skip
FREE_STARS = {"cat *"}  # no option of cat changes anything


async def commands(talker: Talker, watch: Watch, said: list[str]) -> tuple[list[str], list[str]]:
    """The commands that were asked about (each is denied), and those that ran on the platform's own word."""
    await talker.say(" ".join(f"TOOL((({command})))" for command in said))
    while isinstance(event := await watch.until(lambda one: isinstance(one, Asked | TurnFinished)), Asked):
        await talker.answer(event.request_id, "deny")
    assert len(watch.of(ToolReturned)) == len(said)
    return [one.input["command"] for one in watch.of(Asked)], [one.by for one in watch.of(Decided)]


async def folder(box: Box, **agent: str) -> Talker:
    session = await box.session(**agent)
    (session.folder / "out").mkdir(parents=True)
    (session.folder / "a.txt").write_text("hello\nworld\n")
    (session.folder / "out" / "b.txt").write_text("b\n")
    (session.folder / "한글.txt").write_text("가\n")
    return session


def contents(path: Path) -> dict[str, str]:
    return {str(one.relative_to(path)): one.read_text() if one.is_file() else "" for one in path.rglob("*")}


async def test_only_commands_that_read_inside_the_folder_run_without_asking(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await folder(box)
        before = contents(session.folder)
        async with session.watch() as watch:
            asked, decided = await commands(session, watch, READING)
        assert not asked and decided == ["reading"] * len(READING)
        changing = [command for command in CHANGING if command not in FREE_STARS]
        other = await folder(box)
        async with other.watch() as watch:
            asked, decided = await commands(other, watch, changing)
        assert asked == changing and not decided
        assert contents(session.folder) == contents(other.folder) == before


@pytest.mark.parametrize(
    ("mode", "asks"), [("default", True), ("acceptEdits", False), ("plan", False), ("no such", True)]
)
async def test_reading_asks_only_where_everything_is_asked(tmp_path: Path, mode: str, asks: bool) -> None:
    async with Box(tmp_path) as box:
        session = await folder(box, permission_mode=mode)
        async with session.watch() as watch:
            asked, _ = await commands(session, watch, ["ls", "touch x"])
    assert asked == (["ls", "touch x"] if asks else ["touch x"])


async def test_an_allow_list_refuses_the_rest_and_asks_nobody(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        session = await folder(box, permission_mode="dontAsk", rules=["Bash(touch:*)"])
        async with session.watch() as watch:
            asked, decided = await commands(session, watch, ["ls", "touch x", "rm a.txt"])
    assert not asked and decided == ["reading", "rule", "mode"]
    assert (session.folder / "x").exists() and (session.folder / "a.txt").exists()
    assert watch.of(Decided)[1].rule == "Bash(touch:*)"


@pytest.mark.parametrize(
    ("mode", "path", "asks"),
    [
        ("acceptEdits", "n.txt", False),
        ("acceptEdits", "new/n.txt", False),
        ("acceptEdits", "link/n.txt", True),
        ("acceptEdits", "../n.txt", True),
        ("acceptEdits", ".git/config", True),
        ("acceptEdits", ".claude/settings.json", True),
        ("acceptEdits", "sub/.mcp.json", True),
        ("default", "n.txt", True),
        ("plan", "n.txt", True),
    ],
)
async def test_edits_pass_only_inside_the_folder_and_only_in_that_mode(
    tmp_path: Path, mode: str, path: str, asks: bool
) -> None:
    async with Box(tmp_path) as box:
        session = await folder(box, permission_mode=mode)
        (session.folder / "link").symlink_to(tmp_path)
        async with session.watch() as watch:
            await session.say(f"WRITE((({path})))(((x)))")
            event = await watch.until(lambda one: isinstance(one, Asked | TurnFinished))
            if isinstance(event, Asked):
                await session.answer(event.request_id, "deny")
                await watch.until(TurnFinished)
    assert bool(watch.of(Asked)) is asks
    assert [one.by for one in watch.of(Decided)] == ([] if asks else ["edits"])


async def test_sub_agents_and_the_background_and_skills_ask_as_well(tmp_path: Path) -> None:
    task = json.dumps({"description": "d", "prompt": "TOOL[touch sub]", "subagent_type": "helper"})
    background = json.dumps({"command": "touch later", "run_in_background": True})
    async with Box(tmp_path) as box:
        session = await folder(box)
        claude = session.folder / ".claude"
        for path, text in (
            ("agents/helper.md", "---\nname: helper\ndescription: d\npermissionMode: acceptEdits\n---\nHelp.\n"),
            ("skills/s/SKILL.md", "---\nname: s\ndescription: d\nallowed-tools: Bash\n---\nTOOL(((touch skill)))\n"),
            ("commands/c.md", "---\nallowed-tools: Bash\n---\nSAY(((done))) !`touch inline`\n"),
            ("settings.json", json.dumps({"permissions": {"allow": ["Bash"], "defaultMode": "bypassPermissions"}})),
        ):
            (claude / path).parent.mkdir(parents=True, exist_ok=True)
            (claude / path).write_text(text)
        async with session.watch() as watch:
            for said in ("/s", "/c", f"USE(((Bash)))((({background})))", f"USE(((Task)))((({task})))"):
                await session.say(said)
                while isinstance(event := await watch.until(lambda e: isinstance(e, Asked | TurnFinished)), Asked):
                    await session.answer(event.request_id, "deny")
        assert sorted(contents(session.folder).keys() & {"sub", "later", "skill", "inline"}) == []
    assert {"touch skill", "touch later"} <= {one.input.get("command") for one in watch.of(Asked)}


async def test_a_name_that_may_mean_another_program_asks(tmp_path: Path) -> None:
    async with Box(tmp_path) as box:
        (box.home / ".bashrc").write_text("alias ls='touch x'\n")
        session = await folder(box)
        async with session.watch() as watch:
            asked, _ = await commands(session, watch, ["ls"])
        (box.home / ".bashrc").unlink()
        other = await folder(box)
        (other.folder / ".claude").mkdir()
        (other.folder / ".claude" / "settings.json").write_text(
            json.dumps({"env": {"BASH_FUNC_ls%%": "() { touch x; }"}})
        )
        async with other.watch() as watch:
            again, _ = await commands(other, watch, ["ls"])
    assert asked == again == ["ls"]
