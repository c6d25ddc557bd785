"""Tests of the practice builder in a later conversation: it knows the existing agent and changes it as told."""

from pathlib import Path

import pytest

from core.gateway.practice.conversation import DRAFT, read_conversation
from core.gateway.practice.phrasebook import sentences
from tests.core.gateway.test_builder import ALL, ANSWER, GREETING, WISH
from tests.core.gateway.tool_loop import ToolLoop


class Later(ToolLoop):
    """Files are read as the CLI shows them, and CLAUDE.md is part of every request, as it is when a CLI starts."""

    def __init__(self, folder: Path, *, shown: bool = True) -> None:
        path = folder / "CLAUDE.md"
        text = path.read_text() if shown and path.is_file() else ""
        shows = f"<system-reminder>\nContents of {path} (project instructions, checked into the codebase):\n\n{text}\n"
        super().__init__(folder)
        self._shows = f"{shows}\n</system-reminder>" if text else ""

    def say(self, text: str) -> str:
        if self._shows and not self.messages:
            self.messages.append({"role": "user", "content": self._shows})
        return super().say(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    return tmp_path


@pytest.mark.parametrize("shown", [True, False], ids=["the request shows CLAUDE.md", "it does not"])
@pytest.mark.parametrize("words", ["다시 실행해 줘", "실행해 줘", "run it again", "Run it."])
def test_told_to_run_it_again_it_runs_what_is_there(folder: Path, words: str, shown: bool) -> None:
    talking = Later(folder, shown=shown)
    report = talking.say(words)
    assert [use.name for use in talking.used] == (["Bash"] if shown else ["Read", "Bash"])
    assert "미국 달러: 1,382.5" in report
    assert report.startswith("다시 실행했어요" if "실행" in words else "I ran it again")


def test_a_run_in_an_empty_folder_is_answered_with_what_is_missing(tmp_path: Path) -> None:
    talking = Later(tmp_path)
    assert talking.say("다시 실행해 줘") == sentences("ko").nothing_here
    assert [use.name for use in talking.used] == ["Read"]
    assert talking.say("평일 아침마다 새 이슈를 요약해 줘").endswith("알려 주세요.")
    assert talking.say("run it again") != sentences("en").nothing_here, "now it is the answer to a question"


def test_the_name_is_changed_and_all_else_in_the_file_stays(folder: Path) -> None:
    before = (folder / "CLAUDE.md").read_text()
    talking = Later(folder)
    assert "아침 비서" in talking.say("이름을 '아침 비서'로 바꿔 줘")
    assert talking.drafts == [{"name": "아침 비서", "description": "", "icon": ""}], "an empty field changes nothing"
    assert (folder / "CLAUDE.md").read_text() == before.replace("# 환율 알림이\n", "# 아침 비서\n", 1)


def test_what_is_added_joins_what_the_file_says(folder: Path) -> None:
    before = (folder / "CLAUDE.md").read_text().strip().splitlines()
    talking = Later(folder)
    talking.say("주말은 빼 줘")
    assert "유로도 추가해 줘" in talking.say("유로도 추가해 줘")
    after = (folder / "CLAUDE.md").read_text().splitlines()
    assert after == [*before, "", "## 나중에 더한 것", "- 주말은 빼 줘", "- 유로도 추가해 줘"]


def test_a_file_that_cannot_be_read_is_not_written_over(folder: Path) -> None:
    talking = Later(folder)
    talking.deny = lambda use: "no" if use.name == "Read" else ""
    assert talking.say("주말은 빼 줘") == sentences("ko").unread
    assert [use.name for use in talking.used] == ["Read"]


OTHER = [("안녕?", GREETING), ("계속", sentences("ko").all_done), ("비행기 표를 사 줘", sentences("ko").more)]


@pytest.mark.parametrize(("words", "answer"), OTHER)
def test_other_words_do_not_build_it_anew(folder: Path, words: str, answer: str) -> None:
    talking = Later(folder)
    assert talking.say(words) == answer
    assert talking.used == []


def test_resumed_after_it_made_the_file_it_still_knows_what_it_is_building(folder: Path, tmp_path: Path) -> None:
    talking = Later(folder)
    talking.say(WISH)
    assert read_conversation(talking.body).built == "환율 알림이"
    other = tmp_path / "other"
    other.mkdir()
    fresh = ToolLoop(other)
    fresh.say(WISH)
    fresh.say(ANSWER)
    shows = talking._shows.replace(str(folder), str(other))
    fresh.messages = [{"role": "user", "content": shows}, *fresh.messages]
    assert read_conversation(fresh.body).built == ""
    fresh.used.clear()
    fresh.say("주말은 빼 줘")
    assert fresh.names == ["CLAUDE.md"]
    assert WISH in (other / "CLAUDE.md").read_text()
    assert [use.name for use in fresh.used] == ["Write"] and ALL[0] == DRAFT
