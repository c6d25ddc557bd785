"""What the person means: every utterance as one of a few kinds, from its words and what came before it."""

import re
from dataclasses import dataclass
from enum import StrEnum

from core.gateway.practice.talk import Noted, Talk

# A wish this long has said what the question would ask. Korean needs fewer words for the same.
DETAILED_WORDS = 24
DETAILED_WORDS_KO = 15
DETAILED_LINES = 4


class Kind(StrEnum):
    """What an utterance wants."""

    GREET = "greet"
    THANK = "thank"
    WHO = "who"
    WISH = "wish"  # a wish that leaves something open: one question
    ANSWER = "answer"  # to that question: build
    DETAILED = "detailed"  # a wish that leaves nothing open: build at once
    RENAME = "rename"
    NAMELESS = "nameless"  # rename, but to what?
    ADD = "add"
    RUN = "run"
    GO_ON = "go on"
    NO = "no"
    ALLOWED = "allowed"
    DENIED = "denied"
    MORE = "more"  # anything else, which is more than the practice model can do


class Stage(StrEnum):
    """How far the conversation has come."""

    FRESH = "fresh"
    ASKED = "asked"
    BUILT = "built"
    NAMING = "naming"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An utterance, where it stands in the talk, and what of its text matters for its kind."""

    at: int
    kind: Kind
    text: str


_ALONE: tuple[tuple[Kind, str], ...] = (
    (
        Kind.GREET,
        r"안녕(하세요|하십니까|하신가요)?|하이|헬로|반가워요?|반갑습니다|hi|hello|hey|hi there|hello there|hey there"
        r"|good (morning|afternoon|evening)",
    ),
    (
        Kind.THANK,
        r"(정말 )?(고마워요?|고맙습니다|감사합니다|감사해요)|수고(했어요?|하셨어요)"
        r"|thanks?( you)?( (so|very) much| a lot)?|thx",
    ),
    (
        Kind.GO_ON,
        r"네|예|응|그래요?|좋아요?|ㅇㅇ|ㅇㅋ|오케이|계속.{0,12}|이어서.{0,12}|진행.{0,12}|다시 해.{0,6}|다시 시도.{0,6}"
        r"|ok(ay)?|yes( please)?|yep|sure|go ahead|go on|continue( please)?|carry on|do it|retry|try again|proceed",
    ),
    (Kind.NO, r"아니요?|아뇨|됐어요?|그만.{0,8}|하지 ?마.{0,4}|no( thanks?)?|nope|stop|never ?mind|don'?t"),
)  # fmt: skip
_WITHIN: tuple[tuple[Kind, str], ...] = (
    (
        Kind.WHO,
        r"누구(야|세요|예요|니)|정체가|연습 ?모델|진짜 ?(클로드|모델|ai)|(너|넌|당신은?) ?(뭐|무슨)|무슨 모델|어떤 모델"
        r"|(뭘|무엇을|무얼) 할 수 있"
        r"|(who|what) are you|are you (real|claude|gpt|a bot|an ai)|practice model|(which|what) model|what can you do",
    ),
    (
        Kind.RENAME,
        r"이름.{0,60}(바꿔|바꾸|변경|고쳐|(으로|로) (해|지어|불러))"
        r"|rename|change (the|its|your|my agent'?s?) name|\b(call|name) (it|the agent)\b",
    ),
    (Kind.RUN, r"실행해|실행 ?(좀|다시)|돌려 ?(줘|봐|주)|\brun (it|the script|main|again|that)|\bexecute\b"),
    (
        Kind.ADD,
        r"추가|포함|넣어|빼 ?(줘|주|고)|제외|바꿔|변경|수정|고쳐|늘려|줄여|말고|대신|도 (같이|함께|알려|보여)"
        r"|\b(add|also|include|remove|exclude|instead|change|leave out|update|drop|make it)\b",
    ),
)  # fmt: skip

# With nothing before it, this is said of an agent that was built in another conversation.
AGAIN = re.compile(
    r"(그거 |이거 |지금 |한 ?번 )?(다시 |한 ?번 (더 )?)?(실행|돌려)(해| 좀)?( ?(줘요?|주세요|봐요?|줄래요?))?"
    r"|(please )?(run|execute) (it|that|the script|main py)( again| once more| now)?( please)?"
)
_QUOTED = re.compile(r"[\"'“‘「『]([^\"'”’」』]{1,60})[\"'”’」』]")
_NEW_NAME = (
    re.compile(r"이름(?:을|은|도|만)?\s+(?:좀\s+)?(.{1,60}?)(?:으로|로)\s*(?:바꿔|바꾸|변경|고쳐|해|지어|불러)"),
    re.compile(r"(?:name|rename|call)\b.*?\bto\s+(.{1,60}?)\s*(?:please)?[.!?]*$", re.IGNORECASE),
    re.compile(r"\b(?:call|name)\s+(?:it|the agent)\s+(.{1,60}?)\s*(?:please)?[.!?]*$", re.IGNORECASE),
)


def listen(talk: Talk) -> list[Heard]:
    """Every utterance of the talk, in order."""
    heard: list[Heard] = []
    stage = Stage.BUILT if talk.built else Stage.FRESH
    for at, item in talk.words():
        if isinstance(item, Noted):
            heard.append(Heard(at=at, kind=Kind.ALLOWED if item.allowed else Kind.DENIED, text=item.text))
            continue
        kind, text = _understand(item.text, stage)
        stage = _next(stage, kind)
        heard.append(Heard(at=at, kind=kind, text=text))
    return heard


def _understand(text: str, stage: Stage) -> tuple[Kind, str]:
    alone = _alone(text)
    if alone is Kind.GREET or (alone is Kind.THANK and stage is not Stage.ASKED):
        return alone, text
    within = _within(text)
    if within is Kind.WHO and len(text) < 60:
        return within, text
    match stage:
        case Stage.FRESH if within is Kind.RUN and AGAIN.fullmatch(_plain(text)):
            return within, text
        case Stage.FRESH:
            return (Kind.DETAILED if _detailed(text) else Kind.WISH), text
        case Stage.ASKED:
            return Kind.ANSWER, text
        case Stage.NAMING if alone is None and within is None:
            return Kind.RENAME, _clean_name(text)
    if within is Kind.RENAME:
        name = new_name(text)
        return (Kind.RENAME, name) if name else (Kind.NAMELESS, text)
    return alone or within or Kind.MORE, text


def _next(stage: Stage, kind: Kind) -> Stage:
    match kind:
        case Kind.WISH:
            return Stage.ASKED
        case Kind.NAMELESS:
            return Stage.NAMING
        case Kind.GREET | Kind.WHO | Kind.THANK:
            return stage
        case Kind.RUN if stage is Stage.FRESH:
            return stage
        case _:
            return Stage.BUILT


def _alone(text: str) -> Kind | None:
    plain = _plain(text)
    return next((kind for kind, words in _ALONE if re.fullmatch(words, plain)), None)


def _plain(text: str) -> str:
    return re.sub(r"[\s.,?!~^]+", " ", text.lower()).strip()


def _within(text: str) -> Kind | None:
    lower = text.lower()
    return next((kind for kind, words in _WITHIN if re.search(words, lower)), None)


def _detailed(text: str) -> bool:
    korean = bool(re.search(r"[가-힣]", text))
    lines = [line for line in text.splitlines() if line.strip()]
    return len(text.split()) >= (DETAILED_WORDS_KO if korean else DETAILED_WORDS) or len(lines) >= DETAILED_LINES


def new_name(text: str) -> str:
    """The name that a wish to rename gives; empty if it gives none."""
    found = _QUOTED.search(text) or next((hit for form in _NEW_NAME if (hit := form.search(text))), None)
    return _clean_name(found.group(1)) if found else ""


def _clean_name(text: str) -> str:
    line = " ".join(text.split()).strip(" \"'“”‘’「」『』.,!?")
    return (
        re.sub(r"\s*(?:으로|로|이라고|라고)\s*(?:해|불러|바꿔|지어)?\s*(?:줘|주세요)?$", "", line)[:40].strip()
        or line[:40]
    )
