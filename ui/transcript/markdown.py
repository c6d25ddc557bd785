"""Renders a model's text as safe HTML: Markdown without raw HTML, in limited time, and nothing is loaded from
elsewhere.
"""

import re
import time
from collections.abc import Sequence
from html import escape
from typing import Any, Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar
from markdown_it.parser_inline import ParserInline
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from ui.transcript.addresses import file_name, link_start, linkable, linked, safe_address
from ui.transcript.budget import Budget, Now, TooSlow
from ui.transcript.code import highlight

MAX_CHARS: Final = 200_000  # longer texts are shown as plain text
# CPU seconds of one render: five times what ordinary prose needs, so 0.18 for 20 KB.
BUDGET_S: Final = 0.1
BUDGET_S_PER_CHAR: Final = 4e-6
# The same for a text that is being written, which is rendered on the event loop twelve times a second.
LIVE_S: Final = 0.01
LIVE_MOST_S: Final = 0.05
TASK: Final = re.compile(r"\[([ xX])\] ")
# Hangul, kana and Chinese characters: scripts that continue without a space.
CJK: Final = re.compile(
    r"[\u1100-\u11ff\u3040-\u318f\u31f0-\u31ff\u3400-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff]"
)
MARKS: Final = 60  # emphasis is one to three; each mark of a longer run would be a token of its own
# Cells of a table: short rows under a wide head are filled up, so that 4 KB could become 65,000 cells.
CELLS: Final = 2_000
CELLS_PER_CHAR: Final = 0.3


def render(text: str, *, now: Now = time.thread_time) -> str:
    """Return a finished text as HTML. A text that exceeds its budget is returned as it was written."""
    if len(text) > MAX_CHARS:
        return plain(text)
    try:
        return str(_MARKDOWN.render(text, {"budget": Budget(BUDGET_S + len(text) * BUDGET_S_PER_CHAR, now)}))
    except (TooSlow, RecursionError):
        return plain(text)


def quick(text: str, *, now: Now = time.thread_time) -> str | None:
    """Return the HTML of a text that is still being written; None if rendering would take too long."""
    if len(text) > MAX_CHARS:
        return None
    budget = Budget(min(LIVE_S + len(text) * BUDGET_S_PER_CHAR, LIVE_MOST_S), now)
    try:
        return str(_MARKDOWN.render(text, {"budget": budget}))
    except (TooSlow, RecursionError):
        return None


def plain(text: str) -> str:
    """Return the text as it was written, line by line."""
    return f'<div class="plain">{escape(text, quote=False)}</div>'


def split_blocks(text: str) -> tuple[str, str]:
    """Split a text into (finished blocks, unfinished tail): at the last blank line outside a code fence, or at a
    fence's edge.
    """
    cut = position = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        position += len(line)
        bare = line.strip()
        if fence:
            if closes(bare, fence):
                fence = ""
                cut = position if line[0] == bare[0] and line.endswith("\n") else cut
        elif opened := opening(line):
            fence = opened
            if line[0] == opened[0] and line.endswith("\n"):  # not indented: in a list it belongs to its item
                cut = position - len(line)
        elif not bare and line.endswith("\n"):
            cut = position
    return text[:cut], text[cut:]


def opening(line: str) -> str:
    """Return the marks that open a code fence on this line; empty if there are none."""
    bare = line.strip()
    if bare[:3] not in ("```", "~~~"):
        return ""
    marks = bare[: len(bare) - len(bare.lstrip(bare[0]))]
    return "" if marks[0] == "`" and "`" in bare[len(marks) :] else marks


def closes(bare: str, fence: str) -> bool:
    """True if this stripped line ends a code block that `fence` opened."""
    return bare.startswith(fence) and not bare.strip(fence[0])


def code_block(source: str, language: str, budget: Budget | None = None) -> str:
    """Return a code block; the page adds its copy button, which copies `source`."""
    name = escape(language[:20])
    inside = highlight(source, language, budget)
    return f'<div class="code" data-lang="{name}"><pre><code>{inside}</code></pre></div>\n'


def _tick_inline(state: StateInline, silent: bool) -> bool:
    state.env["budget"].tick()
    return False


def _tick_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    state.env["budget"].tick()
    return False


def _line_of_marks(state: StateInline, silent: bool) -> bool:
    """Treat a long run of one mark as text: it is a drawn line, or an attempt to slow the page down."""
    mark = state.src[state.pos]
    if mark not in "*_~" or not state.src.startswith(mark * MARKS, state.pos):
        return False
    rest = state.src[state.pos : state.posMax]
    length = len(rest) - len(rest.lstrip(mark))
    if not silent:
        state.pending += mark * length
    state.pos += length
    return True


class _Inline(StateInline):
    """CommonMark's emphasis, which may also touch a Korean particle: `**"word"**는` is bold."""

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:
        found = super().scanDelims(start, canSplitWord)
        if not canSplitWord:
            return found
        end = start + found.length
        before, after = self.src[max(start - 1, 0) : start], self.src[end : min(end + 1, self.posMax)]
        opens = found.can_open or bool(CJK.match(before) and _is_punctuation(after))
        closes = found.can_close or bool(CJK.match(after) and _is_punctuation(before))
        return Scanned(opens, closes, found.length)


class _InlineParser(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        """Parse as the base class does, with our own state."""
        state = _Inline(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _is_punctuation(char: str) -> bool:
    return bool(char) and (isMdAsciiPunct(ord(char)) or isPunctChar(char))


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Parse a table, unless most of its cells would be filled up."""
    if not table(state, start, end, True):
        return False
    columns = state.src.count("|", state.bMarks[start], state.eMarks[start]) + 1
    rows = next((line for line in range(start, end) if state.isEmpty(line)), end) - start
    if columns * rows > CELLS + len(state.src) * CELLS_PER_CHAR:
        raise TooSlow
    return silent or table(state, start, end, False)


class _Renderer(RendererHTML):
    """Markdown-it's renderer, without output that would leave the page or break its layout."""

    def text(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Render text, with bare addresses as links; inside a link it stays text."""
        words = tokens[at].content
        return escape(words) if env.get("in_link") else linked(words)

    def link_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Render the end of a link, or the file that it names."""
        address = env.pop("in_link")
        if safe_address(address):
            return "</a>"
        file, inside = file_name(address), tokens[at - 1]
        return f" {file}" if file and not _names(inside, address) else ""

    def link_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Render the beginning of a link; a link to a file has none."""
        address = env["in_link"] = str(tokens[at].attrs.get("href", ""))
        if safe_address(address):
            return link_start(address)
        if _names(tokens[at + 1], address):
            tokens[at + 1].type, tokens[at + 1].tag = "code_inline", "code"
            tokens[at + 1].attrSet("class", "file")
        return ""

    def image(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Render a link instead of the image: loading it would tell its host who reads the page, and when."""
        token = tokens[at]
        words = escape(self.renderInlineAsText(token.children or [], options, env), quote=False)
        source = str(token.attrs.get("src", ""))
        inside_a_link = any(t.type == "link_open" for t in tokens[:at]) and not any(
            t.type == "link_close" for t in tokens[:at]
        )
        if not safe_address(source):
            return f"{words} {file_name(source)}".strip()
        return words if inside_a_link else f"{link_start(source)}{words or escape(source)}</a>"

    def fence(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        info = tokens[at].info.split()
        return code_block(tokens[at].content, info[0] if info else "", env["budget"])

    def code_block(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return code_block(tokens[at].content, "")

    def heading_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return f"<h{_below_page(tokens[at].tag)}>"

    def heading_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return f"</h{_below_page(tokens[at].tag)}>\n"

    def bullet_list_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        """Render a list whose marks are on the side where its text begins: on the right for Arabic and Hebrew."""
        tokens[at].attrSet("dir", "auto")
        return self.renderToken(tokens, at, options, env)

    ordered_list_open = bullet_list_open

    def table_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return '<div class="table"><table>\n'

    def td_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return _cell(tokens[at])

    def th_open(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return _cell(tokens[at])

    def table_close(self, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        return "</table></div>\n"


def _names(inside: Token, address: str) -> bool:
    """True if the text of a link is the address itself."""
    return inside.type in ("text", "code_inline") and unquote(inside.content) == unquote(address)


def _cell(token: Token) -> str:
    """Render a cell with its alignment as a class, because the page allows no style attribute."""
    side = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"


def _tasks(state: StateCore) -> None:
    """Put a box before each item `- [ ] item`, as text, so that screen readers and copies have it too."""
    for item, paragraph, inline in zip(state.tokens, state.tokens[1:], state.tokens[2:], strict=False):
        if (item.type, paragraph.type, inline.type) != ("list_item_open", "paragraph_open", "inline"):
            continue
        first = inline.children[0] if inline.children else None
        if first is not None and first.type == "text" and (found := TASK.match(first.content)):
            first.content = ("☐ " if found[1] == " " else "☑ ") + first.content[found.end() :]
            item.attrSet("class", "task")


def _below_page(tag: str) -> int:
    """Return the level of a model's heading, which comes below the page's own h1 and h2."""
    return min(int(tag[1]) + 2, 6)


def _markdown() -> MarkdownIt:
    options: dict[str, Any] = {"html": False, "linkify": False, "breaks": True}
    markdown = MarkdownIt("zero", renderer_cls=_Renderer)
    markdown.inline = _InlineParser()
    markdown.configure("commonmark", options).enable(["table", "strikethrough"])
    markdown.validateLink = linkable  # type: ignore[method-assign,assignment]
    markdown.inline.ruler.before("text", "tick", _tick_inline)
    markdown.inline.ruler.after("tick", "line of marks", _line_of_marks)
    markdown.block.ruler.before("table", "tick", _tick_block)
    markdown.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    markdown.core.ruler.push("tasks", _tasks)
    return markdown


_MARKDOWN: Final = _markdown()
