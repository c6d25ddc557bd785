"""A reader of plain shell commands. It refuses whatever it does not fully understand, so its answer can be trusted.

It reads words (bare, in single quotes, in double quotes without expansions), the operators `|`, `&&`, `||`, `;` and
newline, and redirections to /dev/null at a command's end. Variables, substitutions, escapes, here-documents, other
redirections, groups, comments, background jobs, braces and invisible characters are refused. A refusal means: ask a
person.

Judged first: `bashlex` (GPL, no release since 2023, fails on arithmetic) and `tree-sitter-bash` (native code for every
box, and made to find a tree in broken text, where we need a refusal). tests/core/domain/test_shell.py holds this reader
against bash itself.
"""

import re
from typing import Final, NamedTuple

from core.domain.visible_text import has_hidden

LONGEST: Final = 10_000  # characters of a command that is read at all
GLOBS: Final = frozenset("*?[")
_END: Final = r"(?=[\s;|&]|$)"
_HARMLESS_REDIRECTION: Final = re.compile(rf"(?:[12]?|&)> ?/dev/null{_END}|2>&1{_END}")
_OPERATOR: Final = re.compile(r"&&|\|\||;|\||\n")
_BARE: Final = re.compile(r"[\w\-./:,@%+=^*?\[\]~]+")  # \w: letters and digits of all scripts
_SINGLE: Final = re.compile(r"'([^'\n]*)'")
_DOUBLE: Final = re.compile(r'"([^"$`\\\n]*)"')


class ShellWord(NamedTuple):
    """A word of a command: `text` without its quotes, `raw` as it was written; `pattern` is true if it has a bare `*`,
    `?` or `[`.
    """

    text: str
    raw: str
    pattern: bool


class SimpleCommand(NamedTuple):
    """A program with its arguments, as it stands in a chain."""

    words: tuple[ShellWord, ...]

    @property
    def raw(self) -> str:
        """The words as they were written, with one blank between them."""
        return " ".join(word.raw for word in self.words)


class _Refused(Exception):
    """The command holds something that this reader does not understand."""


def read(text: str) -> tuple[SimpleCommand, ...] | None:
    """Return the simple commands of a chain in order; None if this reader does not understand a part of it."""
    if len(text) > LONGEST or has_hidden(text) or not text.replace("\n", "").replace("\t", "").isprintable():
        return None
    try:
        return _chain(text.strip(" \t\n"))
    except _Refused:
        return None


def _chain(text: str) -> tuple[SimpleCommand, ...]:
    commands: list[SimpleCommand] = []
    words: list[ShellWord] = []
    at, operator, is_redirected = 0, "", False
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif words and (found := _HARMLESS_REDIRECTION.match(text, at)):
            at, is_redirected = found.end(), True
        elif found := _OPERATOR.match(text, at):
            at, is_redirected = found.end(), False
            if words:
                commands.append(SimpleCommand(tuple(words)))
                words, operator = [], found[0]
            elif found[0] != "\n":
                raise _Refused  # an operator without a command before it
        elif is_redirected:
            raise _Refused  # a redirection is understood at the end of its command only
        else:
            word, at = _word(text, at)
            words.append(word)
    if words:
        commands.append(SimpleCommand(tuple(words)))
    elif operator not in (";", "\n"):
        raise _Refused  # nothing at all, or a chain that ends in `|` or `&&`
    return tuple(commands)


def _word(text: str, start: int) -> tuple[ShellWord, int]:
    """Return the word that begins at `start`, and the position after it."""
    at, parts, pattern = start, [], False
    while at < len(text) and text[at] not in " \t\n;|&":
        if found := _BARE.match(text, at):
            parts.append(found[0])
            pattern = pattern or bool(GLOBS & set(found[0]))
        elif found := _SINGLE.match(text, at) or _DOUBLE.match(text, at):
            parts.append(found[1])
        else:
            raise _Refused
        at = found.end()
    if at == start:  # `&` alone
        raise _Refused
    return ShellWord("".join(parts), text[start:at], pattern), at
