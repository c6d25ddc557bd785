"""Classifies every utterance of a person, from its words and from what came before it."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from core.gateway.practice.conversation import ChatHistory, PlatformNote
from core.gateway.practice.phrasebook import Names, either, phrasebook

# A request this long answers the question already. Korean needs fewer words for the same.
DETAILED_WORDS = 24
DETAILED_WORDS_KO = 15
DETAILED_LINES = 4


class Kind(StrEnum):
    """The kind of an utterance."""

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
    TEST = "test"
    PUBLISH = "publish"
    GO_ON = "go on"
    NO = "no"
    ALLOWED = "allowed"
    DENIED = "denied"
    MORE = "more"  # anything else, which is more than the practice model can do


class Stage(StrEnum):
    """The stage of the conversation."""

    FRESH = "fresh"
    ASKED = "asked"
    BUILT = "built"
    NAMING = "naming"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """An utterance with its position, and the part of its text that matters for its kind."""

    at: int
    kind: Kind
    text: str


_ALONE = (Kind.GREET, Kind.THANK, Kind.GO_ON, Kind.NO)  # the kinds that are a whole utterance, as they are tried
_WITHIN = (
    Kind.WHO,
    Kind.RENAME,
    Kind.TEST,
    Kind.PUBLISH,
    Kind.RUN,
    Kind.ADD,
)  # the kinds that a part of an utterance shows
_QUOTED = re.compile(r"[\"'“‘「『]([^\"'”’」』]{1,60})[\"'”’」』]")


@cache
def _pattern(kind: Kind) -> re.Pattern[str]:
    return phrasebook().pattern("alone" if kind in _ALONE else "within", kind.name.lower())


@cache
def _names() -> tuple[Names, ...]:
    return tuple(language.names for language in phrasebook().languages.values())


def utterances(conversation: ChatHistory) -> list[Utterance]:
    """Return every utterance of the conversation, in order."""
    heard: list[Utterance] = []
    stage = Stage.BUILT if conversation.built else Stage.FRESH
    for at, item in conversation.words():
        if isinstance(item, PlatformNote):
            heard.append(Utterance(at=at, kind=Kind.ALLOWED if item.allowed else Kind.DENIED, text=item.text))
            continue
        kind, text = _understand(item.text, stage)
        stage = _next(stage, kind)
        heard.append(Utterance(at=at, kind=kind, text=text))
    return heard


def _understand(text: str, stage: Stage) -> tuple[Kind, str]:
    alone = _alone(text)
    if alone is Kind.GREET or (alone is Kind.THANK and stage is not Stage.ASKED):
        return alone, text
    within = _within(text)
    if within is Kind.WHO and len(text) < 60:
        return within, text
    match stage:
        case Stage.FRESH if within is Kind.RUN and _asks_to_run_again(text):
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
    return next((kind for kind in _ALONE if _pattern(kind).fullmatch(plain)), None)


def _plain(text: str) -> str:
    return re.sub(r"[\s.,?!~^]+", " ", text.lower()).strip()


def _within(text: str) -> Kind | None:
    lower = text.lower()
    return next((kind for kind in _WITHIN if _pattern(kind).search(lower)), None)


def _asks_to_run_again(text: str) -> bool:
    """Return whether a first utterance asks to run an agent that another conversation built."""
    return bool(either(names.run_again for names in _names()).fullmatch(_plain(text)))


def _detailed(text: str) -> bool:
    korean = bool(re.search(r"[가-힣]", text))
    lines = [line for line in text.splitlines() if line.strip()]
    return len(text.split()) >= (DETAILED_WORDS_KO if korean else DETAILED_WORDS) or len(lines) >= DETAILED_LINES


def new_name(text: str) -> str:
    """Return the new name in a request to rename; empty if it has none."""
    forms = [form for names in _names() for form in names.new_name]
    found = _QUOTED.search(text) or next((hit for form in forms if (hit := re.search(form, text, re.IGNORECASE))), None)
    return _clean_name(found.group(1)) if found else ""


def _clean_name(text: str) -> str:
    line = " ".join(text.split()).strip(" \"'“”‘’「」『』.,!?")
    short = line
    for names in _names():
        short = re.sub(names.after_name, "", short) if names.after_name else short
    return short[:40].strip() or line[:40]
