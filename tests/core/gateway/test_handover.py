"""The practice builder goes on to a secret, tests, a schedule and the publication, and takes a no for an answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.gateway.practice.conversation import DRAFT
from core.gateway.practice.tool_uses import ToolUseBlock
from core.gateway.providers.practice import blocks_of
from core.protocol import platform_tools as ours
from tests.core.gateway.tool_loop import BUILDER_TOOLS, ERROR, ToolLoop

LAST = (ours.REQUEST_SECRET_TOOL, ours.TRY_AGENT_TOOL, ours.PROPOSE_SCHEDULE_TOOL, ours.PUBLISH_AGENT_TOOL)
WISH = {
    "ko": "매일 아침 9시에 내 저장소의 새 이슈를 요약해 줘",
    "en": "Every weekday at 9 am, please make a digest of the new issues of my repository by assignee",
}
ANSWER = {"ko": "담당자별로 묶어 줘", "en": "by assignee please"}


class Platform(ToolLoop):
    """A tool loop in which a person answers the platform's tools; `denied` has what they say to a tool, once."""

    def __init__(self, folder: Path, **denied: str) -> None:
        super().__init__(folder, tools=(*BUILDER_TOOLS, *LAST))
        self.denied = denied
        self.red: list[str] = []

    def _do(self, use: ToolUseBlock) -> tuple[Any, bool]:
        if use.name not in LAST:
            return super()._do(use)
        if said := self.denied.pop(use.name.removeprefix(ours.PREFIX), ""):
            return f"The user doesn't want to proceed. To tell you how to proceed, the user said:\n{said}", ERROR
        if use.name == ours.TRY_AGENT_TOOL:
            results = [
                {"case": {"name": one["name"], "title": one["title"]},
                 "state": "failed" if one["name"] in self.red else "passed"} for one in use.input["cases"]
            ]  # fmt: skip
            passed = sum(one["state"] == "passed" for one in results)
            return json.dumps({"passed": passed, "of": len(results), "results": results}), False
        return "Done.", False

    def given(self, tool: str) -> list[Any]:
        return [use.input for use in self.used if use.name == tool]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_wish_with_a_time_goes_on_to_the_publication(tmp_path: Path, language: str) -> None:
    talking = Platform(tmp_path)
    talking.say(WISH[language])
    last = talking.say(ANSWER[language])
    assert talking.names == [DRAFT, "CLAUDE.md", "main.py", "Bash", *LAST]
    (secret,), (test,), (schedule,) = (talking.given(tool) for tool in LAST[:3])
    assert secret["name"] == "GITHUB_TOKEN" and "GitHub" in secret["why"]
    assert schedule["when"] == {"ko": "매일 아침 9시", "en": "Every weekday at 9 am"}[language]
    sample, quiet = test["cases"]
    assert sample["checks"][0]["kind"] == "contains" and sample["checks"][0]["text"]
    assert [check["kind"] for check in quiet["checks"]] == ["lacks", "judged"]
    assert {"ko": "게시했어요", "en": "is published"}[language] in last


def test_a_wish_without_a_time_ends_with_its_report(tmp_path: Path) -> None:
    talking = Platform(tmp_path)
    talking.say("매일 아침 내 저장소의 새 이슈를 요약해 줘")
    talking.say(ANSWER["ko"])
    assert talking.names == [DRAFT, "CLAUDE.md", "main.py", "Bash"]
    talking.say("시험해 줘")
    talking.say("게시해 줘")
    assert talking.names[4:] == [ours.TRY_AGENT_TOOL, ours.PUBLISH_AGENT_TOOL, ours.PUBLISH_AGENT_TOOL]


def test_a_red_test_is_said_and_nothing_is_published_until_it_is_green(tmp_path: Path) -> None:
    talking = Platform(tmp_path)
    talking.red = ["sample"]
    talking.say(WISH["ko"])
    last = talking.say(ANSWER["ko"])
    assert "예시 자료로 한 번" in last and "항상 허용" in last
    assert talking.names[-1] == ours.TRY_AGENT_TOOL
    talking.red = []
    talking.say("다시 시험해 줘")
    assert talking.names[-3:] == [ours.TRY_AGENT_TOOL, ours.PROPOSE_SCHEDULE_TOOL, ours.PUBLISH_AGENT_TOOL]


def test_what_a_person_declines_is_not_asked_again_and_another_time_is_proposed(tmp_path: Path) -> None:
    talking = Platform(tmp_path, request_secret="지금은 없어요", propose_schedule="평일 오전 10시로 해 주세요")
    talking.say(WISH["ko"])
    talking.say(ANSWER["ko"])
    assert len(talking.given(ours.REQUEST_SECRET_TOOL)) == 1
    assert [one["when"] for one in talking.given(ours.PROPOSE_SCHEDULE_TOOL)] == ["매일 아침 9시", "평일 오전 10시"]
    assert talking.names[-1] == ours.PUBLISH_AGENT_TOOL


@pytest.mark.parametrize(("answer", "verdict"), [("네, 다 됐어요.", "PASS"), ("", "FAIL"), ("Traceback …", "FAIL")])
def test_it_judges_an_answer(answer: str, verdict: str) -> None:
    system = "You judge the answer of an AI agent by a rubric. You use no tools."
    asked = [{"role": "user", "content": f"Rubric: 짧게\n\nIts answer:\n{answer}"}]
    (block,) = blocks_of({"system": system, "messages": asked, "tools": []})
    assert not isinstance(block, ToolUseBlock) and block.text.startswith(verdict)
