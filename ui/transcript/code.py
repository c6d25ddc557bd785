"""Source code as HTML with four token classes, in limited time. Odd or very long code stays plain text."""

from html import escape

from pygments.lexer import Lexer  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

from ui.transcript.budget import Budget

MAX_CHARS = 20_000  # longer blocks are data, not for reading
MAX_LINE = 2_000  # lexers are regular expressions, which long lines make slow
BUDGET_S = 0.03  # CPU seconds of a single block; checked between tokens
# Lexers that were tested on hostile input; other languages are shown without colours.
KNOWN = frozenset(
    "bash c cpp css csharp diff docker dockerfile go html ini java javascript js json jsx kotlin make makefile"
    " markdown md php powershell py python python3 rb ruby rust rs sh shell sql swift toml ts tsx typescript xml yaml"
    " yml zsh".split()
)
_CLASSES: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "c"),
    (Keyword, "k"),
    (Name.Tag, "k"),
    (String, "s"),
    (Number, "n"),
)


def highlight(source: str, language: str, budget: Budget | None = None) -> str:
    """Return `source` as escaped HTML whose text is `source` byte for byte. `budget` is that of the text around it."""
    if language.lower() not in KNOWN or len(source) > MAX_CHARS or _longest_line(source) > MAX_LINE:
        return escape(source, quote=False)
    try:
        lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(source, quote=False)
    return _coloured(source, lexer, budget or Budget(BUDGET_S))


def _coloured(source: str, lexer: Lexer, budget: Budget) -> str:
    parts: list[str] = []
    length = 0
    for kind, value in lexer.get_tokens(source):
        if budget.spent:
            return escape(source, quote=False)
        length += len(value)
        name = next((name for base, name in _CLASSES if kind in base), "")
        text = escape(value, quote=False)
        parts.append(f'<span class="{name}">{text}</span>' if name else text)
    # Lexers normalise line ends, but a copy has to be what the model wrote.
    return "".join(parts) if length == len(source) else escape(source, quote=False)


def _longest_line(source: str) -> int:
    return max(map(len, source.split("\n")))
