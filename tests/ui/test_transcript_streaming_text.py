"""A text while it is written: however it is cut into deltas, pages get the same, and little of it twice."""

import re
from html import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ui.test_markdown import Calls
from ui.transcript.markdown import LIVE_MOST_S
from ui.transcript.ops import AnyOp, More, Raw, Tail
from ui.transcript.streaming_text import LONG_TAIL, StreamingText


class Page:
    """The page that a browser would show: the finished HTML, and the tail."""

    def __init__(self) -> None:
        self.done = ""
        self.tail = ""

    def apply(self, ops: list[AnyOp]) -> None:
        for op in ops:
            match op:
                case More(html=html):
                    self.done, self.tail = self.done + html, ""
                case Tail(html=html):
                    self.tail = html
                case Raw(text=text):
                    self.tail += text

    @property
    def words(self) -> str:
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.done + self.tail)).split())


def written(deltas: list[str]) -> tuple[StreamingText, Page]:
    writing, page = StreamingText("t:m:0"), Page()
    for delta in deltas:
        writing.add(delta)
        page.apply(writing.changes())
    return writing, page


def test_words_show_as_they_come() -> None:
    writing, page = StreamingText("k"), Page()
    for at, word in enumerate("one two three".split(), 1):
        writing.add(word + " ")
        page.apply(writing.changes())
        assert page.words.split() == "one two three".split()[:at]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["a ", "b\n", "\n", "```py\n", "x = 1\n", "```\n", "- i\n", "**b** "]), max_size=40))
def test_a_page_that_comes_late_shows_what_one_that_was_there_shows(deltas: list[str]) -> None:
    writing, page = written(deltas)
    late = Page()
    html, tail = writing.whole()
    late.done = html
    late.apply(tail)
    assert late.words == page.words


def test_a_code_block_is_sent_once_however_long_it_grows() -> None:
    deltas = ["Look:\n\n", "```python\n", *(f"line_{n} = {n}\n" for n in range(2000))]
    writing = StreamingText("k")
    sent = 0
    for delta in deltas:
        writing.add(delta)
        sent += sum(len(getattr(op, "html", "") or getattr(op, "text", "")) for op in writing.changes())
    assert sent < 2 * len("".join(deltas))


def test_a_paragraph_without_end_is_not_sent_again_at_every_word() -> None:
    writing = StreamingText("k")
    sent = 0
    for _ in range(2000):
        writing.add("word after word ")
        sent += sum(len(getattr(op, "html", "") or getattr(op, "text", "")) for op in writing.changes())
    assert sent < 32_000 + 2 * LONG_TAIL * LONG_TAIL / 16


def test_the_end_of_a_code_block_is_not_shown_as_code() -> None:
    _, page = written(["```py\nx = 1\n", "``"])
    assert "`" not in page.words


ENDLESS = {
    "one line": "a" * 1_000_000,
    "a whole block at once": "[" * 45_000 + "\n\n",
    "quotes": ">" * 100_000 + "a",
    "brackets": "[" * 60_000,
    "short lines": "a\n" * 300_000,
    "stars": "*a " * 100_000,
    "blocks": ("![" * 700 + "\n\n") * 40,
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS.keys())
def test_what_is_built_to_be_slow_holds_nobody_up_while_it_is_written(text: str) -> None:
    writing = StreamingText("t:live")
    step = len(text) if text.endswith("[\n\n") else len(text) // 50
    worst, shown = 0, 0
    for at in range(0, len(text), step):
        writing.add(text[at : at + step])
        with Calls() as calls:
            ops = writing.changes()
        worst = max(worst, calls.counted)
        shown += len(ops)
    # Two of the loop's own budgets: a block that ends, and the paragraph after it.
    assert worst < 2 * 2 * LIVE_MOST_S * Calls.PER_S
    assert shown
