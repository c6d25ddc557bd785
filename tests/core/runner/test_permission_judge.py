"""Tests of the platform's decisions in the box before a person is asked, without a CLI."""

from pathlib import Path

import pytest

from core.domain.permission_policy import Mode, PolicyDecision
from core.runner.pending_requests import ToolRequest
from core.runner.permission_judge import PermissionJudge
from core.runner.truncation import INPUT_CHARS


def judge(root: Path, mode: Mode = Mode.EDITS, *rules: str) -> PermissionJudge:
    folder = root / "agents" / "a"
    folder.mkdir(parents=True, exist_ok=True)
    return PermissionJudge(mode, rules, folder=folder, home=root)


def test_what_is_too_long_to_be_read_is_refused_with_a_reason(tmp_path: Path) -> None:
    for tool, field in (("Bash", "command"), ("Write", "content")):
        request = ToolRequest(tool, {field: "x" * (INPUT_CHARS + 1), "file_path": "n"}, "t", "", ())
        assert judge(tmp_path, Mode.EDITS, tool).judge(request) == PolicyDecision("deny", "size")


def test_a_file_that_the_cli_calls_sensitive_is_asked_about(tmp_path: Path) -> None:
    for reason, outcome in (
        ("rule", "allow"),
        ("", "allow"),
        ("safetyCheck", "ask"),
        ("mode", "ask"),
        ("unknown", "ask"),
    ):
        request = ToolRequest("Write", {"file_path": "n", "content": "x"}, "t", "", (), reason)
        assert judge(tmp_path).judge(request).outcome == outcome


def test_questions_and_plans_are_for_a_person_in_every_mode(tmp_path: Path) -> None:
    for tool in ("AskUserQuestion", "ExitPlanMode"):
        assert judge(tmp_path, Mode.LISTED).judge(ToolRequest(tool, {}, "t", "", ())).outcome == "ask"


@pytest.mark.parametrize(
    ("mode", "outcome"), [("default", "ask"), ("acceptEdits", "allow"), ("plan", "allow"), ("dontAsk", "allow")]
)
def test_reading_passes_in_all_modes_but_the_one_that_asks_for_everything(
    tmp_path: Path, mode: str, outcome: str
) -> None:
    assert judge(tmp_path, Mode(mode)).judge(ToolRequest("Bash", {"command": "ls"}, "t", "", ())).outcome == outcome


@pytest.mark.parametrize(
    ("mode", "outcome"), [("default", "ask"), ("acceptEdits", "ask"), ("plan", "ask"), ("dontAsk", "deny")]
)
def test_what_changes_something_asks_or_is_refused(tmp_path: Path, mode: str, outcome: str) -> None:
    assert judge(tmp_path, Mode(mode)).judge(ToolRequest("Bash", {"command": "rm x"}, "t", "", ())).outcome == outcome


@pytest.mark.parametrize(
    ("mode", "path", "outcome"),
    [
        ("acceptEdits", "n", "allow"),
        ("acceptEdits", "new/n", "allow"),
        ("acceptEdits", "link/n", "ask"),
        ("acceptEdits", "../n", "ask"),
        ("acceptEdits", ".git/config", "ask"),
        ("acceptEdits", "sub/.mcp.json", "ask"),
        ("acceptEdits", "", "ask"),
        ("acceptEdits", "a\0b", "ask"),
        ("default", "n", "ask"),
        ("plan", "n", "ask"),
        ("dontAsk", "n", "deny"),
    ],
)
def test_edits_pass_inside_the_folder_in_one_mode(tmp_path: Path, mode: str, path: str, outcome: str) -> None:
    asked = judge(tmp_path, Mode(mode))
    (tmp_path / "agents" / "a" / "link").symlink_to(tmp_path)
    assert (
        asked.judge(ToolRequest("Write", {"file_path": path, "content": "x"}, "t", "", (), "rule")).outcome == outcome
    )


def test_a_shell_in_which_names_may_mean_something_else_lets_nothing_pass(tmp_path: Path) -> None:
    ls = ToolRequest("Bash", {"command": "ls"}, "t", "", ())
    asked = judge(tmp_path)
    (tmp_path / ".bashrc").write_text("alias ls=x")
    assert asked.judge(ls).outcome == "ask"
    (tmp_path / ".bashrc").unlink()
    assert asked.judge(ls).outcome == "allow"
    (tmp_path / "agents" / "a" / ".claude").mkdir()
    (tmp_path / "agents" / "a" / ".claude" / "settings.json").write_text('{"env": {"BASH_FUNC_ls%%": "() { x; }"}}')
    assert asked.judge(ls).outcome == "ask"
