"""What the platform decides in the box before anybody is asked, without a CLI."""

from pathlib import Path

from core.domain.permission_policy import Decision, Mode
from core.runner.permission_judge import PermissionJudge
from core.runner.permissions import ToolRequest
from core.runner.truncation import INPUT_CHARS


def judge(root: Path, mode: Mode = Mode.EDITS, *rules: str) -> PermissionJudge:
    folder = root / "agents" / "a"
    folder.mkdir(parents=True, exist_ok=True)
    return PermissionJudge(mode, rules, folder=folder, home=root)


def test_what_is_too_long_to_be_read_is_refused_with_a_reason(tmp_path: Path) -> None:
    for tool, field in (("Bash", "command"), ("Write", "content")):
        wish = ToolRequest(tool, {field: "x" * (INPUT_CHARS + 1), "file_path": "n"}, "t", "", ())
        assert judge(tmp_path, Mode.EDITS, tool).judge(wish) == Decision("deny", "size")


def test_a_file_that_the_cli_calls_sensitive_is_asked_about(tmp_path: Path) -> None:
    for reason, outcome in (
        ("rule", "allow"),
        ("", "allow"),
        ("safetyCheck", "ask"),
        ("mode", "ask"),
        ("unknown", "ask"),
    ):
        wish = ToolRequest("Write", {"file_path": "n", "content": "x"}, "t", "", (), reason)
        assert judge(tmp_path).judge(wish).outcome == outcome


def test_questions_and_plans_are_for_a_person_in_every_mode(tmp_path: Path) -> None:
    for tool in ("AskUserQuestion", "ExitPlanMode"):
        assert judge(tmp_path, Mode.LISTED).judge(ToolRequest(tool, {}, "t", "", ())).outcome == "ask"
