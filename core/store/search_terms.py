"""The terms by which a message is found: words of scripts with spaces, and pairs of neighbours of those without.

Korean words carry their particles ("이슈를", "이슈가"), and Chinese and Japanese have no spaces, so there any part of
a word has to be found. A run of such characters has the terms of all its pairs, and its last character alone.
"""

import re
import unicodedata
from typing import Final

INDEXED_CHARS: Final = 20_000  # of a message; what is behind them is not found
QUERY_CHARS: Final = 200
QUERY_TERMS: Final = 12
LONGEST_BEGINNING: Final = 12
WORD_CHARS: Final = 40  # what is longer is no word, and is found by its beginning

_PAIRED = "\u1100-\u11ff\u2e80-\u30ff\u3130-\u318f\u3400-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
_RUN = re.compile(rf"(?P<paired>[{_PAIRED}]+)|[^\W_{_PAIRED}]+")

_PAIRED_TERM = re.compile(rf"[{_PAIRED}]+")


def terms(text: str) -> list[str]:
    """Return the terms of a text, in its order."""
    found: list[str] = []
    for run in _RUN.finditer(_plain(text[:INDEXED_CHARS])):
        word = run[0]
        found += [*_pairs(word), word[-1]] if run["paired"] else [word[:WORD_CHARS]]
    return found


def phrases(query: str) -> list[list[str]]:
    """Return what a text must have, all of them: each a list of neighbouring terms, of which the last may go on."""
    found = []
    for run in _RUN.finditer(_plain(query[:QUERY_CHARS])):
        word = run[0]
        found.append((_pairs(word) or [word]) if run["paired"] else [word[:WORD_CHARS]])
    return found[:QUERY_TERMS]


def beginnings(term: str) -> list[str]:
    """Return a term and its beginnings, for an index that knows whole terms only: of words from two characters on."""
    shortest = 1 if _PAIRED_TERM.fullmatch(term) else 2
    return [*(term[:size] for size in range(shortest, min(len(term), LONGEST_BEGINNING + 1))), term]


def needed(query: str) -> str:
    """Return one of the `beginnings` that every text which fits has: the longest. Empty: nothing is asked for."""
    asked = (term[:LONGEST_BEGINNING] for phrase in phrases(query) for term in phrase)
    return max(asked, key=len, default="")


def fits(text: str, query: str) -> bool:
    """Return True if the text has all that is asked for, as an index would say."""
    have = terms(text)
    return all(any(_begins(have[at:], phrase) for at in range(len(have))) for phrase in phrases(query))


def marks(text: str, query: str) -> list[tuple[int, int]]:
    """Return the places of a text that an answer shows in bold: begin and end of each, in order, none over another."""
    asked = [run[0] for run in _RUN.finditer(query[:QUERY_CHARS])][:QUERY_TERMS]
    if not asked:
        return []
    either = re.compile(
        "|".join(("" if _PAIRED_TERM.match(word) else r"(?<!\w)") + re.escape(word) for word in asked), re.I
    )
    return [found.span() for found in either.finditer(text)]


def _begins(have: list[str], phrase: list[str]) -> bool:
    *whole, last = phrase
    return have[: len(whole)] == whole and len(have) > len(whole) and have[len(whole)].startswith(last)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _pairs(word: str) -> list[str]:
    return [word[at : at + 2] for at in range(len(word) - 1)]
