"""The practice model's data, read once from the TOML files beside this module.

`topics.toml` has the topics and the scripts, `ko.toml` and `en.toml` their names and all sentences. A request may be in
either language, so every recognition of words searches those of all languages.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from core.gateway.practice.conversation import Language

FOLDER = Path(__file__).parent
LANGUAGES: tuple[Language, ...] = ("ko", "en")
ANYTHING = "anything"  # the topic of a wish that has no other
Shape = Literal["figures", "entries", "text"]
T = TypeVar("T")


class Sentences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Templates; the names in braces are filled in where they are used."""

    greeting: str
    thanks: str
    who: str
    more: str
    fine: str
    which_name: str
    plan: str  # {name} {does} {steps}
    step_rules: str
    step_script: str
    step_run: str
    doing_draft: str
    doing_name: str
    doing_rules: str
    doing_script: str
    doing_run: str
    reading: str
    unread: str
    looking: str
    nothing_here: str
    run_description: str
    going_on: str
    denied_run: str
    denied_write: str
    denied_said: str  # {message}
    failed_run: str  # {output}
    failed_write: str  # {output}
    report: str  # {output} {name}
    reported_again: str  # {output}
    no_output: str
    renamed: str  # {name}
    added: str  # {text}
    all_done: str
    agent_greeting: str  # {name}
    agent_run: str
    agent_report: str  # {output}
    only_words: str  # {name} {does}


class Names(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules for agents' names in a language; a rule that the language does not need is empty."""

    run_again: str
    new_name: tuple[str, ...]
    named: str  # {thing}
    nameless: str
    does: str  # {wish}
    after_name: str = ""
    asking: str = ""
    before_thing: str = ""
    tells: str = ""
    verb_ending: str = ""
    loose: str = ""


class HandoverSentences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sentences and inputs of the builder's last steps (core.gateway.practice.handover)."""

    doing_secret: str
    doing_test: str
    doing_schedule: str
    doing_publish: str
    tests_red: str  # {names}
    no_secret: str
    published: str  # {name} {when}
    ready: str  # {name}
    publish_note: str
    run_input: str
    case_title: str
    case_expect: str
    case_never: str
    quiet_title: str
    quiet_input: str
    quiet_expect: str
    quiet_rubric: str
    judged_good: str
    judged_bad: str


class SecretText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A secret that a wish with these `words` needs; `why` is said in its form."""

    name: str
    words: str
    why: str


class GuideText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parts of a CLAUDE.md. `more` and `later` are the headings of additional and of later remarks."""

    text: str
    more: str
    later: str
    steps: dict[Shape, tuple[str, ...]]


class TopicText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic in one language. `words` is a regular expression, searched in lower case."""

    words: str
    name: str
    question: str
    does: str
    sample: str


class LanguageFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole language: `alone` and `within` have the expressions of each kind of utterance."""

    sentences: Sentences
    alone: dict[str, str]
    within: dict[str, str]
    names: Names
    guide: GuideText
    script: dict[str, str]
    handover: HandoverSentences
    recurs: str  # a regular expression: words that name a time at which something recurs
    secrets: tuple[SecretText, ...]
    topics: dict[str, TopicText]


class _TopicEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    icon: str
    shape: Shape


class _TopicsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    topics: tuple[_TopicEntry, ...]
    scripts: dict[str, str]


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of request: `pattern` finds it, `shape` chooses the script, `texts` are its sentences."""

    id: str
    icon: str
    shape: Shape
    pattern: re.Pattern[str]
    texts: dict[Language, TopicText]


class Phrasebook(msgspec.Struct, frozen=True, kw_only=True):
    """All data of the practice model. `topics` stand in the order in which they are tried."""

    languages: dict[Language, LanguageFile]
    topics: tuple[Topic, ...]
    anything: Topic
    scripts: dict[str, str]

    def pattern(self, table: Literal["alone", "within"], kind: str) -> re.Pattern[str]:
        """Return the expression for a kind of utterance, in all languages."""
        return either(getattr(language, table)[kind] for language in self.languages.values())


def either(expressions: Iterable[str]) -> re.Pattern[str]:
    """Return an expression that matches any of these; empty ones are left out."""
    return re.compile("|".join(expression for expression in expressions if expression))


@cache
def phrasebook() -> Phrasebook:
    """Return the data. A topic that one language lacks is a KeyError."""
    languages = {name: _read(f"{name}.toml", LanguageFile) for name in LANGUAGES}
    found = _read("topics.toml", _TopicsFile)
    topics = []
    for entry in found.topics:
        texts = {name: language.topics[entry.id] for name, language in languages.items()}
        pattern = either(text.words for text in texts.values())
        topics.append(Topic(id=entry.id, icon=entry.icon, shape=entry.shape, pattern=pattern, texts=texts))
    known = tuple(topic for topic in topics if topic.id != ANYTHING)
    (anything,) = (topic for topic in topics if topic.id == ANYTHING)
    return Phrasebook(languages=languages, topics=known, anything=anything, scripts=found.scripts)


def sentences(language: Language) -> Sentences:
    """Return all sentences of a language."""
    return phrasebook().languages[language].sentences


def _read(name: str, kind: type[T]) -> T:
    return msgspec.toml.decode((FOLDER / name).read_bytes(), type=kind)
