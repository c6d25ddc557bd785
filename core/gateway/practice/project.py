"""The agent that a conversation builds: its wish, its current name and its files."""

from dataclasses import dataclass

from core.gateway.practice.conversation import ChatHistory, Language
from core.gateway.practice.guide import amended, guide
from core.gateway.practice.phrasebook import Topic, phrasebook
from core.gateway.practice.scripts import script
from core.gateway.practice.tool_uses import text_read
from core.gateway.practice.topic_match import does_of, name_of, topic_of
from core.gateway.practice.utterances import Kind, Utterance

WISH_CHARS = 4_000  # of what is quoted in CLAUDE.md


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """An agent under construction. `began` is the position of the utterance that started it.

    An agent that was built in an earlier conversation has no wish here, but `text`: its CLAUDE.md, once that was read.
    """

    began: int
    wish: str
    answer: str
    name: str
    additions: tuple[str, ...]
    language: Language
    before: bool = False
    text: str = ""

    @property
    def topic(self) -> Topic:
        return topic_of(f"{self.wish}\n{self.answer}")

    @property
    def does(self) -> str:
        if self.topic is phrasebook().anything:
            return does_of(self.wish, self.language)
        return self.topic.texts[self.language].does

    def guide(self) -> str:
        if self.before:
            return amended(self.text, name=self.name, additions=self.additions, language=self.language)
        return guide(
            self.topic,
            name=self.name,
            does=self.does,
            wish=self.wish,
            answer=self.answer,
            additions=self.additions,
            language=self.language,
        )

    def script(self) -> str:
        return script(self.topic, name=self.name, language=self.language)


def project_of(conversation: ChatHistory, heard: list[Utterance]) -> Project | None:
    """Return the project after these utterances; None while nothing has started it."""
    if conversation.built:
        return _built_before(conversation, heard)
    wish = next((h for h in heard if h.kind in (Kind.WISH, Kind.DETAILED)), None)
    start = next((h for h in heard if h.kind in (Kind.ANSWER, Kind.DETAILED)), None)
    if wish is None or start is None:
        return None
    language = conversation.language(start.at)
    names = [h.text for h in heard if h.kind is Kind.RENAME and h.text]
    return Project(
        began=start.at,
        wish=wish.text[:WISH_CHARS],
        answer="" if start is wish else start.text[:WISH_CHARS],
        name=names[-1] if names else name_of(wish.text, language),
        additions=tuple(h.text[:WISH_CHARS] for h in heard if h.kind is Kind.ADD),
        language=language,
    )


def _built_before(conversation: ChatHistory, heard: list[Utterance]) -> Project:
    """Return the project of an agent built earlier; only the last utterance changes it; the file has the rest."""
    last = heard[-1]
    names = [h.text for h in heard if h.kind is Kind.RENAME and h.text]
    return Project(
        began=0,
        wish="",
        answer="",
        name=names[-1] if names else conversation.built,
        additions=(last.text[:WISH_CHARS],) if last.kind is Kind.ADD else (),
        language=conversation.language(last.at),
        before=True,
        text=text_read(conversation.calls(last.at)),
    )
