"""Finds the topic of a wish, and names an agent with that wish."""

import re

from core.gateway.practice.conversation import Language
from core.gateway.practice.phrasebook import Topic, phrasebook

READ_CHARS = 4_000  # of a wish; more decides nothing
DOES_CHARS = 160
KO_NAME_CHARS, EN_NAME_CHARS, EN_NAME_WORDS = 16, 40, 4


def topic_of(text: str) -> Topic:
    """Return the topic whose word comes first in the text; of two at the same word, the first in the list."""
    lower = text[:READ_CHARS].lower()
    found = [(match.start(), topic) for topic in phrasebook().topics if (match := topic.pattern.search(lower))]
    return min(found, key=lambda pair: pair[0])[1] if found else phrasebook().anything


def name_of(wish: str, language: Language) -> str:
    """Return a short name for an agent with this wish."""
    if name := topic_of(wish).texts[language].name:
        return name
    names = phrasebook().languages[language].names
    line = " ".join(re.sub(r"[^\w\s'·-]", " ", wish[:READ_CHARS]).split())
    thing = _thing_ko(line) if language == "ko" else _thing_en(line)
    return names.named.format(thing=thing) if thing else names.nameless


def does_of(wish: str, language: Language) -> str:
    """Return one sentence about what the agent is for; the wish itself if it fits no topic."""
    topic = topic_of(wish)
    if topic is not phrasebook().anything:
        return topic.texts[language].does
    line = " ".join(wish.split())
    line = line if len(line) <= DOES_CHARS else line[: DOES_CHARS - 1].rstrip() + "…"
    return phrasebook().languages[language].names.does.format(wish=line)


def _thing_ko(line: str) -> str:
    """Return the text up to the first object (its particle is 을 or 를), or without the words that ask."""
    words = line.split()
    for number, word in enumerate(words, start=1):
        if len(word) > 1 and word[-1] in "을를":
            return _short(" ".join([*words[: number - 1], word[:-1]]))
    asking = re.compile(phrasebook().languages["ko"].names.asking)
    while words and asking.search(words[-1]):
        words.pop()
    return _short(" ".join(words))


def _thing_en(line: str) -> str:
    """Return the first words of what the agent does, in the imperative."""
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
    """Cut the text between words."""
    while len(text) > KO_NAME_CHARS and " " in text:
        text = text.rpartition(" ")[0]
    return text[:KO_NAME_CHARS]
