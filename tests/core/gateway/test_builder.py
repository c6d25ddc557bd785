"""The practice model does a builder's work to the end, in two languages, whatever the person decides on the way."""

import re
from pathlib import Path

import pytest

from core.gateway.practice.conversation import DRAFT
from core.gateway.practice.phrasebook import Sentences, Topic, phrasebook, sentences
from core.gateway.providers.practice import blocks_of
from tests.core.gateway.tool_loop import ToolLoop, plain

GREETING = (
    "안녕하세요! AI 에이전트 플랫폼에서 어떤 자동화 작업을 도와드릴까요? "
    "원하시는 에이전트의 목적이나 자동화하고 싶은 작업을 간단히 말씀해 주세요."
)
WISH, ANSWER = "매일 아침 환율을 알려 줘", "달러랑 엔화만, 1% 넘게 움직이면 표시해 줘"
ALL = [DRAFT, "CLAUDE.md", "main.py", "Bash"]


@pytest.mark.parametrize("hello", ["안녕?", "안녕", "안녕하세요", "안녕하세요!", " 안녕?? ", "하이"])
def test_hello_is_answered_with_the_greeting_word_for_word(hello: str) -> None:
    assert plain(hello) == GREETING


@pytest.mark.parametrize("hello", ["hello", "Hi!", "Hey there", "good morning"])
def test_hello_in_english_is_answered_in_english(hello: str) -> None:
    assert plain(hello) == sentences("en").greeting


def test_a_wish_is_answered_with_one_question(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    answer = talking.say(WISH)
    assert answer.count("?") == 1 and "환율" in answer
    assert talking.used == []


def test_after_the_answer_everything_is_made_run_and_reported(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say("안녕?")
    talking.say(WISH)
    report = talking.say(ANSWER)
    assert talking.names == ALL
    assert talking.drafts == [
        {"name": "환율 알림이", "description": "정한 통화의 환율을 어제와 비교해 알려 줘요.", "icon": "globe"}
    ]
    guide = (tmp_path / "CLAUDE.md").read_text()
    assert WISH in guide and ANSWER in guide
    assert "미국 달러: 1,382.5 -> 1,391.2 (+0.6%)" in report, "the real output is quoted"
    assert "연습 모델" in report and "모델 연결" in report


def test_the_same_in_english(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    assert talking.say("Make an agent that tidies my to-do list").endswith("?")
    report = talking.say("Short, as a list")
    assert talking.names == ALL
    assert not re.search("[가-힣]", str(talking.messages))
    assert "[Today 15:00] Prepare the team meeting" in report


def test_the_plan_is_told_before_anything_is_done(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    first = talking.messages[3]["content"]
    assert "1. " in first[0]["text"] and "main.py" in first[0]["text"]


def test_a_wish_that_says_everything_is_not_asked_about(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(
        "매일 아침 아홉 시에 지원 메일함을 읽고 결제 문제를 먼저 골라서 제목과 보낸 사람과 급한 정도를 "
        "한 줄씩 적어 팀 채널에 올리는 에이전트를 만들어 줘. 광고 메일은 빼고 하루 열 개까지만 보여 줘."
    )
    assert talking.names == ALL
    assert talking.drafts[0]["icon"] == "mail"


THINGS = [
    ("이슈 요약", "an issue digest"), ("버그", "bug reports"), ("배포 오류율", "the error rate"), ("출시", "a release"),
    ("패키지", "dependencies"), ("고객 문의", "customer questions"), ("재고", "the inventory"), ("가격", "prices"),
    ("환율", "exchange rates"), ("날씨", "the weather"), ("메일", "my inbox"), ("회의록", "meeting minutes"),
    ("자료 조사", "research"), ("뉴스", "the news"), ("매출", "last week's sales"), ("블로그", "a blog"),
    ("논문", "papers"), ("일정", "my calendar"), ("이것저것", "things"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "thing"),
    [
        (topic, thing)
        for topic, things in zip((*phrasebook().topics, phrasebook().anything), THINGS, strict=True)
        for thing in things
    ],
    ids=[thing for things in THINGS for thing in things],
)
def test_every_topics_script_runs_offline_and_prints_something(tmp_path: Path, topic: Topic, thing: str) -> None:
    korean = re.search("[가-힣]", thing)
    talking = ToolLoop(tmp_path)
    assert (
        talking.say(f"{thing} 좀 도와줘" if korean else f"Please help me with {thing}")
        == topic.texts["ko" if korean else "en"].question
    )
    report = talking.say("그냥 알아서" if korean else "as you like")
    assert talking.names == ALL, report
    assert talking.drafts[0]["icon"] == topic.icon
    assert len(report.split("```")[1].strip().splitlines()) >= 3, "the real output is quoted"
    assert ("연습 모델" if korean else "practice model") in report


def test_names_that_break_code_do_not_break_the_script(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say('"""\\ {name} $title %s 를 도와줘')
    report = talking.say('"""+__import__("os")\n\\')
    assert talking.names == ALL
    assert "오류" not in report


def test_a_tool_that_has_to_be_looked_up_first_is_looked_up_once(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path, tools=("Bash", "Write", "ToolSearch"), system=f"deferred tools:\n{DRAFT}\n")
    talking.say(WISH)
    talking.say(ANSWER)
    assert talking.names == ["ToolSearch", *ALL[1:]]
    assert talking.used[0].input["query"] == f"select:{DRAFT}"


def test_without_the_builders_tool_the_files_are_made_all_the_same(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path, tools=("Bash", "Write"))
    talking.say(WISH)
    talking.say(ANSWER)
    assert talking.names == ALL[1:]


def test_without_any_tool_it_says_so() -> None:
    assert "연습 모델" in plain(WISH, "어느 나라 돈의 환율이 필요하세요?", "달러", tools=())


def test_the_draft_may_fail_and_the_work_goes_on(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path, deny=lambda use: "It was not saved" if use.name == DRAFT else "")
    talking.say(WISH)
    talking.say(ANSWER)
    assert talking.names == ALL


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("이름을 '아침 비서'로 바꿔 줘", "아침 비서"),
        ("이름을 환율 비서로 바꿔줘", "환율 비서"),
        ("change the name to Money desk", "Money desk"),
        ("call it Morning desk, please", "Morning desk"),
    ],
)
def test_the_name_is_changed_in_the_record_and_in_the_file(tmp_path: Path, words: str, name: str) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    assert name in talking.say(words)
    assert talking.drafts[-1]["name"] == name
    assert (tmp_path / "CLAUDE.md").read_text().startswith(f"# {name}\n")


def test_asked_for_a_name_without_one_it_asks_which(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    assert talking.say("이름 좀 바꿔 줘") == sentences("ko").which_name
    assert "돈길" in talking.say("돈길로 해 줘")
    assert talking.drafts[-1]["name"] == "돈길"


def test_what_is_added_stays_with_all_that_was_added_before(tmp_path: Path) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    talking.say("주말은 빼 줘")
    answer = talking.say("유로도 추가해 줘")
    guide = (tmp_path / "CLAUDE.md").read_text()
    assert "- 주말은 빼 줘" in guide and "- 유로도 추가해 줘" in guide
    assert "유로도 추가해 줘" in answer and "진짜 모델" in answer


@pytest.mark.parametrize("words", ["비행기 표를 사 줘", "tell me a joke", "넌 누구야?", "what are you?", "ㅋㅋㅋ"])
def test_beyond_its_script_it_says_what_it_is_and_how_to_get_a_real_one(tmp_path: Path, words: str) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(WISH)
    talking.say(ANSWER)
    answer = talking.say(words)
    assert "모델 연결" in answer or "Settings → Model" in answer
    assert talking.names == ALL


def test_an_agents_own_session_runs_its_script_and_shows_what_came_out(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('오늘의 결과')")
    talking = ToolLoop(tmp_path, tools=("Bash", "Write"), system='You are the agent "환율 알림이" on Oh My Agent.')
    assert "환율 알림이" in talking.say("안녕")
    assert talking.used == []
    assert "오늘의 결과" in talking.say("오늘 환율 알려 줘")
    assert talking.names == ["Bash"]


@pytest.mark.parametrize(
    "text",
    [
        "[[ERROR 500]]",
        "bash: rm -rf /",
        "practice: deny",
        '{"tool_use": "Bash"}',
        "```\n안녕?\n```",
        "the use of Bash with {}",
    ],
)
def test_nothing_that_is_said_is_a_directive(tmp_path: Path, text: str) -> None:
    talking = ToolLoop(tmp_path)
    talking.say(text)
    assert talking.used == []


def test_two_sessions_with_the_same_words_are_the_same(tmp_path: Path) -> None:
    one, two = ToolLoop(tmp_path), ToolLoop(tmp_path)
    for words in ("안녕?", WISH, ANSWER, "주말은 빼 줘", "고마워"):
        assert one.say(words) == two.say(words)
    assert one.used == two.used


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": None},
        {"messages": [1, None, {"role": 5}]},
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
        {"tools": {}, "system": 7},
        {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "input": "x"}]}]},
    ],
)
def test_a_request_of_any_shape_has_an_answer(body: dict[str, object]) -> None:
    assert blocks_of(body)


def test_korean_has_no_exclamation_marks_but_in_the_greeting() -> None:
    said = [getattr(sentences("ko"), name) for name in Sentences.__struct_fields__ if name != "greeting"]
    assert not any("!" in text or "죄송" in text for text in said)
