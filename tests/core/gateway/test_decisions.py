"""Denials, failures, interruptions and late answers: the practice model takes them as a person would expect."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.gateway.practice.conversation import DRAFT
from core.gateway.practice.phrasebook import sentences
from core.gateway.practice.tool_uses import ToolUseBlock
from tests.core.gateway.test_builder import ALL, ANSWER, WISH
from tests.core.gateway.tool_loop import ToolLoop

ALLOWED = (
    "[You were interrupted while waiting for the user's decision. The user has now allowed it: the use of Bash with "
    '{"command": "python3 main.py", "description": "예시 자료로 스크립트를 한 번 실행해요"}. '
    "Do exactly that now, then go on.]"
)
REFUSED = (
    "[You were interrupted while waiting for the user's decision. The user has decided against it: the use of "
    'Bash with {"command": "python3 main.py"}. Do not do it.]'
)


def not_bash(message: str) -> Callable[[ToolUseBlock], str]:
    return lambda use: message if use.name == "Bash" else ""


@pytest.mark.parametrize(
    ("message", "quoted"),
    [
        ("The user does not want this. Do not try it another way; ask, or go on without it.", ""),
        ("The user doesn't want to proceed with this tool use. The tool use was rejected.", ""),
        ("네트워크는 쓰지 마세요", "네트워크는 쓰지 마세요"),
        (
            "The user doesn't want to proceed. To tell you how to proceed, the user said:\nfirst show me",
            "first show me",
        ),
    ],
)
def test_a_denied_run_is_not_tried_again_and_the_note_is_read(tmp_path: Path, message: str, quoted: str) -> None:
    talking = ToolLoop(tmp_path, deny=not_bash(message))
    talking.say(WISH)
    answer = talking.say(ANSWER)
    assert talking.names == ALL
    assert "실행하지 않을게요" in answer
    assert (f"“{quoted}”" in answer) if quoted else ("“The" not in answer)


@pytest.mark.parametrize("words", ["그래", "다시 실행해 줘", "계속해 줘", "run it again", "ok"])
def test_after_a_denial_it_runs_when_it_is_told_to(tmp_path: Path, words: str) -> None:
    talking = ToolLoop(tmp_path, deny=not_bash("no"))
    talking.say(WISH)
    talking.say(ANSWER)
    talking.deny = lambda use: ""
    report = talking.say(words)
    assert talking.names == [*ALL, "Bash"]
    assert "```" in report


def test_a_denied_file_stops_the_work_until_it_is_told_to_go_on(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path, deny=lambda use: "no" if "CLAUDE" in str(use.input) else "")
    talking.say(WISH)
    assert "쓰지 않을게요" in talking.say(ANSWER)
    talking.deny = lambda use: ""
    talking.say("계속")
    assert talking.names == [DRAFT, "CLAUDE.md", "CLAUDE.md", "main.py", "Bash"]


def test_a_run_that_fails_is_reported_with_its_words_and_not_repeated(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking._bash = lambda command: ("Exit code 127\nbash: python3: command not found", True)  # type: ignore[method-assign]
    answer = talking.say(ANSWER)
    assert talking.names == ALL
    assert "python3: command not found" in answer


def test_a_file_that_was_not_read_is_read_first_and_only_once(tmp_path: Path) -> None:
    unread = "<tool_use_error>File has not been read yet. Read it first before writing to it.</tool_use_error>"
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    talking.used.clear()
    talking.deny = lambda use: unread if use.name == "Write" and "Read" not in talking.names else ""
    talking.say("주말은 빼 줘")
    assert [use.name for use in talking.used] == ["Write", "Read", "Write"]
    talking.used.clear()
    talking.deny = lambda use: unread if use.name == "Write" else ""
    assert "쓰지 못했어요" in talking.say("공휴일도 빼 줘")
    assert [use.name for use in talking.used] == ["Write", "Read", "Write"]


def test_an_interrupted_turn_is_gone_on_with_where_it_stopped(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    cut = next(
        n
        for n, message in enumerate(talking.messages)
        if "main.py" in str(message.get("content")) and message["role"] == "assistant" and "Write" in str(message)
    )
    talking.messages[cut + 1 :] = [
        {"role": "user", "content": [{"type": "text", "text": "[Request interrupted by user for tool use]"}]}
    ]
    talking.used.clear()
    talking.say("계속")
    assert talking.names[-1] == "Bash"


@pytest.mark.parametrize("kept", [True, False], ids=["the call is still there", "the CLI dropped it"])
def test_a_parked_request_that_was_allowed_is_made_again_exactly(tmp_path: Path, kept: bool) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    asked = talking.used[-1]
    end = next(n for n, message in enumerate(talking.messages) if "'name': 'Bash'" in str(message))
    talking.messages[end + 1 if kept else end :] = []
    talking.used.clear()
    report = talking.say(ALLOWED)
    assert talking.used == [asked]
    assert "미국 달러" in report and "실행이 끝났고" in report, "in the language of the person, not of the note"


def test_a_parked_request_that_was_refused_is_not_made(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    talking.messages[-3:] = []
    talking.used.clear()
    assert talking.say(REFUSED) == sentences("ko").denied_run
    assert talking.say(REFUSED.replace("]", " They add: 나중에 할게요]")).startswith(
        "남겨 주신 말씀은 확인했어요: “나중에 할게요”"
    )
    assert talking.say(REFUSED.replace("Bash", "Write")) == sentences("ko").denied_write
    assert talking.used == []
