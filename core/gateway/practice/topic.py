"""A kind of wish: by which words it is known, and what the practice builder asks and makes for it."""

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
