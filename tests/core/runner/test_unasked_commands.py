"""Tests that the real CLI runs without asking exactly what the platform's list allows."""

import json
from pathlib import Path

import pytest

from core.domain.events import Asked, Decided, ToolReturned, TurnFinished
from tests.core.domain.test_unasked_commands import CHANGING, READING
from tests.core.runner.box import Box, Talker, Watch

AT_ONCE = 6  # commands of one turn


async def commands(talker: Talker, watch: Watch, said: list[str]) -> tuple[list[str], list[str]]:
    """The commands that were asked about (each is denied), and those that ran on the platform's own word."""
    for at in range(0, len(said), AT_ONCE):
        await talker.say(" ".join(f"TOOL((({command})))" for command in said[at : at + AT_ONCE]))
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
        other = await folder(box)
        async with other.watch() as watch:
            asked, decided = await commands(other, watch, CHANGING)
        assert asked == CHANGING and not decided
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
