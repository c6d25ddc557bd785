"""What people want automated: topics by their words, with what the practice builder knows to ask and to make."""

# ruff: noqa: E501  # sentences stay whole, so that they can be found by searching

import re
from dataclasses import dataclass
from typing import Literal

from core.gateway.practice.talk import Language

Shape = Literal["figures", "entries", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """One thing in both languages."""

    ko: str
    en: str

    def __getitem__(self, language: Language) -> str:
        return self.ko if language == "ko" else self.en


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A kind of wish. `shape` chooses the script, `sample` is what it works on until it has real sources."""

    words: str  # a regular expression, searched in lower case
    icon: str
    name: Say
    question: Say
    does: Say
    shape: Shape
    sample: Say


TOPICS = (
    Topic(
        words=r"환율|달러|엔화|유로화?|\b(?:exchange rate|currenc|forex|dollar)",
        icon="globe",
        name=Say(ko="환율 알림이", en="Exchange rate watcher"),
        question=Say(
            ko="어느 나라 돈의 환율이 필요하세요? 예를 들어 달러, 엔, 유로처럼 알려 주세요. 얼마나 움직였을 때 따로 표시할지도 있으면 함께 적어 주세요.",
            en="Which currencies do you need, for example USD, JPY and EUR? If a certain move should stand out, tell me how large.",
        ),
        does=Say(ko="정한 통화의 환율을 어제와 비교해 알려 줘요.", en="Compares the currencies you chose with yesterday and reports the moves."),
        shape="figures",
        sample=Say(
            ko='[("미국 달러", 1382.5, 1391.2), ("일본 엔 (100엔)", 921.3, 918.7), ("유로", 1498.0, 1503.6)]',
            en='[("USD/EUR", 0.923, 0.931), ("USD/JPY", 150.1, 149.2), ("USD/GBP", 0.781, 0.783)]',
        ),
    ),
    Topic(
        words=r"날씨|기온|미세먼지|\b(?:weather|forecast)",
        icon="globe",
        name=Say(ko="날씨 알림이", en="Weather briefer"),
        question=Say(
            ko="어느 지역의 날씨를 볼까요? 비나 큰 일교차처럼 꼭 알아야 할 것도 있으면 알려 주세요.",
            en="Which place should I watch? Tell me as well what must not be missed, such as rain or a sudden drop.",
        ),
        does=Say(ko="정한 지역의 날씨를 어제와 비교해 짧게 알려 줘요.", en="Compares the weather with yesterday's and keeps it short."),
        shape="figures",
        sample=Say(
            ko='[("낮 최고 기온(도)", 21.0, 24.5), ("강수 확률(%)", 10.0, 60.0), ("미세먼지", 35.0, 31.0)]',
            en='[("High (C)", 21.0, 24.5), ("Chance of rain (%)", 10.0, 60.0), ("Wind (km/h)", 12.0, 11.0)]',
        ),
    ),
    Topic(
        words=r"메일|이메일|수신함|\b(?:e-?mail|inbox|newsletter)",
        icon="mail",
        name=Say(ko="메일 정리 도우미", en="Inbox sorter"),
        question=Say(
            ko="어떤 메일을 먼저 봐야 하나요? 보낸 사람이나 제목에 들어가는 말을 알려 주세요.",
            en="Which mail matters first? Name senders or words in the subject.",
        ),
        does=Say(ko="먼저 볼 메일을 골라 한 줄씩 정리해 줘요.", en="Picks the mail that matters and sums up each in a line."),
        shape="entries",
        sample=Say(
            ko='[("김민수", "계약서 검토를 오늘까지 부탁드려요", 3), ("뉴스레터", "이번 주 소식", 0), ("이서연", "회의 시간을 바꿀 수 있을까요", 2)]',
            en='[("Dana", "Contract: please review today", 3), ("Newsletter", "This week in tools", 0), ("Omar", "Can we move the meeting?", 2)]',
        ),
    ),
    Topic(
        words=r"회의|미팅|녹취|\b(?:meeting|minutes|transcript)",
        icon="mic",
        name=Say(ko="회의록 정리 도우미", en="Meeting note taker"),
        question=Say(
            ko="회의록에서 무엇을 뽑아 드릴까요? 예를 들어 결정한 것, 할 일, 담당자예요.",
            en="What should I take out of the notes, for example decisions, actions and owners?",
        ),
        does=Say(ko="회의 내용에서 결정과 할 일을 뽑아 정리해 줘요.", en="Takes decisions and actions out of meeting notes."),
        shape="entries",
        sample=Say(
            ko='[("결정", "출시일은 다음 달 첫째 주로 한다", 3), ("잡담", "점심 메뉴", 0), ("할 일", "지원: 견적서 보내기 (금요일까지)", 2)]',
            en='[("Decision", "Launch in the first week of next month", 3), ("Chat", "Where to have lunch", 0), ("Action", "Kim: send the quote by Friday", 2)]',
        ),
    ),
    Topic(
        words=r"이슈|버그|티켓|문의|고객|\b(?:issue|bug|ticket|support)",
        icon="issue",
        name=Say(ko="이슈 분류 도우미", en="Issue triager"),
        question=Say(
            ko="급한 것을 가르는 기준이 무엇인가요? 예를 들어 결제가 안 되는 경우처럼요.",
            en="What makes one urgent, for example when payments fail?",
        ),
        does=Say(ko="들어온 것을 급한 순서로 나눠 줘요.", en="Sorts what comes in by urgency."),
        shape="entries",
        sample=Say(
            ko='[("#128", "결제 화면이 열리지 않아요", 3), ("#129", "버튼 색이 조금 달라요", 0), ("#130", "로그인이 가끔 느려요", 1)]',
            en='[("#128", "Checkout does not open", 3), ("#129", "Button colour is a bit off", 0), ("#130", "Sign-in is slow at times", 1)]',
        ),
    ),
    Topic(
        words=r"뉴스|기사|소식|검색|찾아|조사|모니터|\b(?:news|article|headline|research|search|monitor)",
        icon="search",
        name=Say(ko="소식 모음이", en="News scout"),
        question=Say(
            ko="어떤 주제를 살펴볼까요? 꼭 들어가야 할 말과 빼야 할 말을 알려 주세요.",
            en="Which subjects should I follow? Name words that must be in, and words to leave out.",
        ),
        does=Say(ko="주제에 맞는 소식을 골라 짧게 모아 줘요.", en="Picks what fits your subjects and keeps it short."),
        shape="entries",
        sample=Say(
            ko='[("경제", "기준금리 동결, 시장은 차분", 2), ("연예", "주말 공연 안내", 0), ("기술", "새 반도체 공장 착공", 3)]',
            en='[("Economy", "Rates on hold, markets calm", 2), ("Showbiz", "Weekend concerts", 0), ("Tech", "Work starts on a new chip plant", 3)]',
        ),
    ),
    Topic(
        words=r"배포|릴리스|출시|\b(?:deploy|release|launch|changelog)",
        icon="rocket",
        name=Say(ko="배포 점검 도우미", en="Release checker"),
        question=Say(
            ko="내보내기 전에 꼭 확인할 것이 무엇인가요? 순서대로 적어 주세요.",
            en="What has to be checked before a release? List it in order.",
        ),
        does=Say(ko="내보내기 전에 확인할 것을 차례로 점검해 줘요.", en="Goes through what has to be checked before a release."),
        shape="entries",
        sample=Say(
            ko='[("테스트", "2개가 실패했어요", 3), ("문서", "변경 기록이 비어 있어요", 2), ("버전", "1.4.0으로 맞아요", 0)]',
            en='[("Tests", "2 are failing", 3), ("Docs", "The changelog is empty", 2), ("Version", "1.4.0, as expected", 0)]',
        ),
    ),
    Topic(
        words=r"재고|주문|물류|창고|택배|\b(?:stock level|inventory|orders|warehouse|shipping)",
        icon="box",
        name=Say(ko="재고 지킴이", en="Stock keeper"),
        question=Say(
            ko="어떤 물건이 얼마나 남았을 때 알려 드릴까요?",
            en="Which goods should I watch, and how few are too few?",
        ),
        does=Say(ko="재고를 어제와 비교해 모자란 것을 알려 줘요.", en="Compares stock with yesterday and names what runs low."),
        shape="figures",
        sample=Say(
            ko='[("머그컵", 120.0, 84.0), ("에코백", 60.0, 58.0), ("노트", 300.0, 12.0)]',
            en='[("Mugs", 120.0, 84.0), ("Tote bags", 60.0, 58.0), ("Notebooks", 300.0, 12.0)]',
        ),
    ),
    Topic(
        words=r"매출|실적|통계|보고서|리포트|엑셀|지표|주가|주식|\b(?:sales|revenue|report|metric|spreadsheet|csv|stock|kpi)",
        icon="chart",
        name=Say(ko="보고서 도우미", en="Report writer"),
        question=Say(
            ko="어떤 숫자를 무엇과 비교해 볼까요? 예를 들어 지점별 매출을 지난주와 비교하는 식으로요.",
            en="Which figures should be compared with what, for example sales by shop with last week?",
        ),
        does=Say(ko="숫자를 지난번과 비교해 한눈에 보이게 정리해 줘요.", en="Compares figures with last time and puts them on one page."),
        shape="figures",
        sample=Say(
            ko='[("강남점(만 원)", 412.0, 455.0), ("홍대점(만 원)", 380.0, 371.0), ("온라인(만 원)", 720.0, 803.0)]',
            en='[("North shop", 4120.0, 4550.0), ("South shop", 3800.0, 3710.0), ("Online", 7200.0, 8030.0)]',
        ),
    ),
    Topic(
        words=r"글쓰기|블로그|번역|카피|홍보|문장|맞춤법|\b(?:sns|write|writing|blog|translat|copy|post)",
        icon="pen",
        name=Say(ko="글쓰기 도우미", en="Writing assistant"),
        question=Say(
            ko="누가 읽을 글인가요? 말투와 길이도 알려 주세요.",
            en="Who will read it? Tell me the tone and the length as well.",
        ),
        does=Say(ko="글을 살펴 길이와 자주 쓴 말을 알려 줘요.", en="Looks a text over: its length, and the words it leans on."),
        shape="text",
        sample=Say(
            ko='"새로 나온 기능을 소개해요. 이 기능은 반복되는 일을 줄여 줘요. 반복되는 일이 줄면 중요한 일에 집중할 수 있어요."',
            en='"Meet the new feature. It takes repeated work off your hands. Less repeated work means more time for what matters."',
        ),
    ),
    Topic(
        words=r"요약|논문|(?<![가-힣])책|독서|공부|학습|\b(?:summar|paper|book|study|reading|learn)",
        icon="book",
        name=Say(ko="요약 도우미", en="Summariser"),
        question=Say(
            ko="무엇을 요약할까요? 원하는 길이와 꼭 남겨야 할 내용도 알려 주세요.",
            en="What should be summed up? Tell me the length and what must stay in.",
        ),
        does=Say(ko="글에서 중요한 문장을 골라 짧게 보여 줘요.", en="Picks the sentences that carry a text."),
        shape="text",
        sample=Say(
            ko='"수면은 기억을 정리해요. 깊은 수면이 부족하면 기억이 약해져요. 그래서 연구자들은 깊은 수면과 기억의 관계를 살펴봤어요."',
            en='"Sleep sorts our memories. Without deep sleep memories fade. So the authors studied how deep sleep and memories belong together."',
        ),
    ),
    Topic(
        words=r"일정|할 ?일|알림|알람|리마인|약속|캘린더|\b(?:schedule|calendar|remind|to-?do|task)",
        icon="clock",
        name=Say(ko="일정·할 일 도우미", en="Day planner"),
        question=Say(
            ko="어떤 일을 언제 알려 드릴까요? 미리 알아야 하는 시간도 함께 적어 주세요.",
            en="What should I remind you of, when, and how long before?",
        ),
        does=Say(ko="다가오는 일을 급한 순서로 알려 줘요.", en="Names what is coming up, most urgent first."),
        shape="entries",
        sample=Say(
            ko='[("오늘 15:00", "팀 회의 자료 준비", 3), ("내일", "세금 신고", 2), ("다음 달", "여권 갱신", 0)]',
            en='[("Today 15:00", "Prepare the team meeting", 3), ("Tomorrow", "File the tax return", 2), ("Next month", "Renew the passport", 0)]',
        ),
    ),
)  # fmt: skip

ANYTHING = Topic(
    words="",
    icon="spark",
    name=Say(ko="", en=""),
    question=Say(
        ko="조금 더 알려 주세요. 무엇을 받아서 어떤 결과를 내면 되나요? 예를 하나 들어 주시면 좋아요.",
        en="Tell me a little more: what does it get, and what should come out? One example helps a lot.",
    ),
    does=Say(ko="부탁하신 일을 정해진 순서로 처리해 줘요.", en="Does what you asked for, step by step."),
    shape="entries",
    sample=Say(
        ko='[("첫 번째", "바로 처리할 것", 3), ("두 번째", "나중에 볼 것", 1), ("세 번째", "건너뛸 것", 0)]',
        en='[("First", "To be done at once", 3), ("Second", "Can wait a little", 1), ("Third", "To be skipped", 0)]',
    ),
)

_KO_ASKING = re.compile(r"(줘요?|주세요|줄래요?|주실래요|주라|싶어요?|해요?|할래요?|좋겠어요?|만들어|하기|하자)$")
_EN_START = re.compile(
    r"^(?:please|can you|could you|i want(?: you)? to|i would like to|i'd like to|help me(?: to)?"
    r"|make(?: me)?|build(?: me)?|create|an?|agent|that|which|to|for|my|me|the)\s+",
    re.IGNORECASE,
)


def topic_of(text: str) -> Topic:
    """The topic whose word comes first in the text."""
    found = [(match.start(), topic) for topic in TOPICS if (match := re.search(topic.words, text.lower()))]
    return min(found, key=lambda pair: pair[0])[1] if found else ANYTHING


def name_of(wish: str, language: Language) -> str:
    """A short name for an agent with this wish."""
    if name := topic_of(wish).name[language]:
        return name
    line = " ".join(re.sub(r"[^\w\s'·-]", " ", wish).split())
    return f"{_thing_ko(line) or '새'} 도우미" if language == "ko" else f"{_thing_en(line) or 'New'} helper"


def _thing_ko(line: str) -> str:
    """Up to the first object of the sentence, or without the words that ask."""
    words = line.split()
    for number, word in enumerate(words, start=1):
        if len(word) > 1 and word[-1] in "을를":
            return _short(" ".join([*words[: number - 1], word[:-1]]), 16)
    while words and _KO_ASKING.search(words[-1]):
        words.pop()
    return _short(" ".join(words), 16)


def _thing_en(line: str) -> str:
    while (rest := _EN_START.sub("", line)) != line:
        line = rest
    thing = " ".join(line.split()[:4])[:40]
    return thing[:1].upper() + thing[1:]


def _short(text: str, limit: int) -> str:
    """Cut between words."""
    while len(text) > limit and " " in text:
        text = text.rpartition(" ")[0]
    return text[:limit]
