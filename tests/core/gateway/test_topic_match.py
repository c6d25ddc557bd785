"""An agent is called what a person would call it: the product's own examples, its starters, and anything else."""

import re
from pathlib import Path

import pytest

from core.gateway.practice.conversation import Language
from core.gateway.practice.phrasebook import phrasebook
from core.gateway.practice.topic_match import does_of, name_of, topic_of
from tests.core.gateway.tool_loop import ToolLoop
from ui.layout.i18n import merged

STARTERS = ("issues", "minutes", "deploy", "dependencies", "mail", "research")
LANGUAGES: tuple[Language, ...] = ("ko", "en")


def starter(locale: str, key: str) -> str:
    """A sentence of the dashboard's empty state."""
    return next(str(message.string) for message in merged(locale) if message.id == f"start.{key}")


@pytest.mark.parametrize("locale", LANGUAGES)
@pytest.mark.parametrize("key", STARTERS)
def test_a_starter_makes_the_agent_that_its_title_promises(tmp_path: Path, locale: Language, key: str) -> None:
    wish, title = starter(locale, f"{key}_say"), starter(locale, key)
    assert name_of(wish, locale) == title
    talking = ToolLoop(tmp_path)
    talking.say(wish)
    talking.say("그냥 알아서" if locale == "ko" else "as you like")
    assert talking.drafts[0]["name"] == title
    assert (tmp_path / "CLAUDE.md").read_text().startswith(f"# {title}\n")


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("평일 아침마다 새 이슈를 요약해 줘", "이슈 요약이"),
        ("평일 아침 9시에 새 GitHub 이슈를 담당자별로 요약해서 #dev-알림에 올려 주세요", "이슈 요약이"),
        (starter("ko", "example"), "이슈 요약이"),
        ("들어온 이슈를 급한 순서로 나눠 줘", "이슈 분류 도우미"),
        ("이 책을 요약해 줘", "요약 도우미"),
        ("Every weekday morning, summarize new issues", "Issue digest"),
        (starter("en", "example"), "Issue digest"),
        ("Sort new issues by urgency", "Issue triager"),
        ("Watch a web page for price changes and tell me", "Price watch"),
        ("노트북 가격이 내려가면 알려 줘", "가격 지킴이"),
        ("배포 전에 확인할 것을 점검해 줘", "배포 점검 도우미"),
        ("매일 아침 환율을 알려 줘", "환율 알림이"),
        ("화분에 물 주는 날을 정해 줘", "화분에 물 주는 날 도우미"),
        ("반려견 산책 도와줘", "반려견 산책 도우미"),
        ("Please make me an agent that waters my plants", "Water my plants"),
        ("an agent that watches the birds in the garden", "Watch the birds"),
        ("Watch a web page for changes", "Watch a web page"),
        ("Watch the door", "Watch the door"),
        ("?", "새 도우미"),
        ("make an agent", "Agent"),
    ],
)
def test_names_are_short_and_of_the_wish(wish: str, name: str) -> None:
    assert name_of(wish, "ko" if re.search("[가-힣?]", wish) else "en") == name


def test_what_fits_no_topic_is_described_in_its_own_words(tmp_path: Path) -> None:
    for wish, name, says in (
        ("Please water my plants", "Water my plants", "Its job: Please water my plants"),
        ("화분에 물을 줘", "화분에 물 도우미", "맡은 일: 화분에 물을 줘"),
    ):
        talking = ToolLoop(tmp_path)
        assert topic_of(wish) is phrasebook().anything
        talking.say(wish)
        talking.say("as you like" if name[0] == "W" else "알아서")
        assert (talking.drafts[0]["name"], talking.drafts[0]["description"]) == (name, says)
    assert len(does_of("a " * 500, "en")) < 200
