"""What people want automated: the topic of a wish, and what an agent with that wish is called."""

import re

from core.gateway.practice.phrasebook import Topic, phrasebook
from core.gateway.practice.talk import Language

READ_CHARS = 4_000  # of a wish; more decides nothing
DOES_CHARS = 160
KO_NAME_CHARS, EN_NAME_CHARS, EN_NAME_WORDS = 16, 40, 4


def topic_of(text: str) -> Topic:
    """The topic whose word comes first in the text; of two that begin with the same, the one that stands first."""
    lower = text[:READ_CHARS].lower()
    found = [(match.start(), topic) for topic in phrasebook().topics if (match := topic.pattern.search(lower))]
    return min(found, key=lambda pair: pair[0])[1] if found else phrasebook().anything


def name_of(wish: str, language: Language) -> str:
    """A short name for an agent with this wish."""
    if name := topic_of(wish).texts[language].name:
        return name
    names = phrasebook().languages[language].names
    line = " ".join(re.sub(r"[^\w\s'·-]", " ", wish[:READ_CHARS]).split())
    thing = _thing_ko(line) if language == "ko" else _thing_en(line)
    return names.named.format(thing=thing) if thing else names.nameless


def does_of(wish: str, language: Language) -> str:
    """One sentence about what the agent is for; the wish itself if it fits no topic."""
    topic = topic_of(wish)
    if topic is not phrasebook().anything:
        return topic.texts[language].does
    line = " ".join(wish.split())
    line = line if len(line) <= DOES_CHARS else line[: DOES_CHARS - 1].rstrip() + "…"
    return phrasebook().languages[language].names.does.format(wish=line)


def _thing_ko(line: str) -> str:
    """Up to the first object of the sentence (its particle is 을 or 를), or without the words that ask."""
    words = line.split()
    for number, word in enumerate(words, start=1):
        if len(word) > 1 and word[-1] in "을를":
            return _short(" ".join([*words[: number - 1], word[:-1]]))
    asking = re.compile(phrasebook().languages["ko"].names.asking)
    while words and asking.search(words[-1]):
        words.pop()
    return _short(" ".join(words))


def _thing_en(line: str) -> str:
    """The first words of what it does, as one would tell somebody to do it."""
    names = phrasebook().languages["en"].names
    tells = bool(re.search(names.tells, line, re.IGNORECASE))
    while (rest := re.sub(names.before_thing, "", line, flags=re.IGNORECASE)) != line:
        line = rest
    words = line.split()
    if tells and words:
        words[0] = re.sub(names.verb_ending, "", re.sub(r"(?<=\w\w)ies$", "y", words[0]))
    words = words[:EN_NAME_WORDS]
    while len(words) > 1 and words[-1].lower() in names.loose.split():
        words.pop()
    thing = " ".join(words)[:EN_NAME_CHARS]
    return thing[:1].upper() + thing[1:]


def _short(text: str) -> str:
    """Cut between words."""
    while len(text) > KO_NAME_CHARS and " " in text:
        text = text.rpartition(" ")[0]
    return text[:KO_NAME_CHARS]
