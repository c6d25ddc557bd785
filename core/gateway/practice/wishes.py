"""What people want automated: the topic of a wish, and what an agent with that wish is called."""

import re

from core.gateway.practice.desk_topics import ANYTHING, DESK
from core.gateway.practice.talk import Language
from core.gateway.practice.team_topics import TEAM
from core.gateway.practice.topic import Topic

TOPICS = (*TEAM, *DESK)
READ_CHARS = 4_000  # of a wish; more decides nothing
DOES_CHARS = 160

_KO_ASKING = re.compile(r"(줘요?|주세요|줄래요?|주실래요|주라|싶어요?|해요?|할래요?|좋겠어요?|만들어|하기|하자)$")
_EN_START = re.compile(
    r"^(?:please|can you|could you|i want(?: you)? to|i would like to|i'd like to|help me(?: to)?"
    r"|make(?: me)?|build(?: me)?|create|an?|agent|that|which|to|for|my|me|the)\s+",
    re.IGNORECASE,
)
_EN_THIRD = re.compile(r"^[^.!?\n]{0,80}\b(?:that|which)\s+\w+s\b", re.IGNORECASE)
_EN_S = re.compile(r"(?:(?<=[sc]h)|(?<=ss)|(?<=[xo]))es$|(?<=[^s])s$")
_EN_LOOSE = frozenset("a an the my our your of for to and or with in on at by from every when if that which".split())


def topic_of(text: str) -> Topic:
    """The topic whose word comes first in the text; of two that begin with the same, the one that stands first."""
    lower = text[:READ_CHARS].lower()
    found = [(match.start(), topic) for topic in TOPICS if (match := re.search(topic.words, lower))]
    return min(found, key=lambda pair: pair[0])[1] if found else ANYTHING


def name_of(wish: str, language: Language) -> str:
    """A short name for an agent with this wish."""
    if name := topic_of(wish).name[language]:
        return name
    line = " ".join(re.sub(r"[^\w\s'·-]", " ", wish[:READ_CHARS]).split())
    return f"{_thing_ko(line) or '새'} 도우미" if language == "ko" else _thing_en(line) or "New agent"


def does_of(wish: str, language: Language) -> str:
    """One sentence about what the agent is for; the wish itself if it fits no topic."""
    topic = topic_of(wish)
    if topic is not ANYTHING:
        return topic.does[language]
    line = " ".join(wish.split())
    line = line if len(line) <= DOES_CHARS else line[: DOES_CHARS - 1].rstrip() + "…"
    return f"맡은 일: {line}" if language == "ko" else f"Its job: {line}"


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
    """The first words of what it does, as one would tell somebody to do it."""
    told = bool(_EN_THIRD.search(line))
    while (rest := _EN_START.sub("", line)) != line:
        line = rest
    words = line.split()
    if told and words:
        words[0] = _EN_S.sub("", re.sub(r"(?<=\w\w)ies$", "y", words[0]))
    words = words[:4]
    while len(words) > 1 and words[-1].lower() in _EN_LOOSE:
        words.pop()
    thing = " ".join(words)[:40]
    return thing[:1].upper() + thing[1:]


def _short(text: str, limit: int) -> str:
    """Cut between words."""
    while len(text) > limit and " " in text:
        text = text.rpartition(" ")[0]
    return text[:limit]
