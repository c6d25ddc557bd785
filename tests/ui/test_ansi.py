"""Output of commands: what a person would see in a terminal at the end, harmless, and in bounded time."""

import re
import time
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.transcript import ansi


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", html))


@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("Collecting\n  1/10 MB\r  5/10 MB\r\x1b[2K  10/10 MB\nInstalled\n", "Collecting\n  10/10 MB\nInstalled\n"),
        ("Receiving:  50% (1/2)\rReceiving: 100% (2/2), done.\n", "Receiving: 100% (2/2), done.\n"),
        ("\x1b[1G\x1b[0K⠙ reify\x1b[1G\x1b[0K⠹ reify\x1b[1G\x1b[0Kadded 3 packages\n", "added 3 packages\n"),
        ("test_a ..    [ 50%]\rtest_a ....  [100%]\n", "test_a ....  [100%]\n"),
        ("50%\r", "50%"),
        ("a: wait\nb: wait\n\x1b[2A\x1b[2Ka: done\n\x1b[2Kb: done\n", "a: done\nb: done\n"),
        ("12\b3", "13"),
        ("\x1b]0;title\x07\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[?25l\x1b[2J\x1b[Hhello\x1b[?25h\x1b(B", "hello"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("two\tcolumns", "two\tcolumns"),
        ("bell\x07 null\x00 csi\x9b", "bell null csi"),
    ],
    ids="pip git npm pytest unfinished lines backspace links screen windows tab others".split(),
)
def test_each_line_is_shown_in_its_last_state(printed: str, seen: str) -> None:
    assert text_of(ansi.render(printed)) == seen


@pytest.mark.parametrize(
    ("printed", "html"),
    [
        ("\x1b[1;31mFAILED\x1b[0m x", '<span class="ab a1">FAILED</span> x'),
        ("\x1b[38;5;208mx\x1b[39m", '<span class="a3">x</span>'),
        ("\x1b[38;2;1;2;250mx\x1b[m", '<span class="a4">x</span>'),
        ("\x1b[48;5;1mx", "x"),
        ("\x1b[97mx\x1b[90my", 'x<span class="ad">y</span>'),
        ("\x1b[8mhidden", "hidden"),
        ("\x1b[32m<b>&", '<span class="a2">&lt;b&gt;&amp;</span>'),
    ],
)
def test_colours_are_classes_and_nothing_that_was_printed_can_be_hidden_or_become_markup(
    printed: str, html: str
) -> None:
    assert ansi.render(printed) == html


def test_invisible_and_reordering_characters_are_named() -> None:
    assert ansi.render("a\u202eb") == "a⟨U+202E⟩b" and "U+200B" in ansi.render("\x1b[1ma\u200bb")


HOSTILE = {
    "strings": "\x1b]" * 32_000,
    "an endless string": "\x1b]" + "x" * 64_000,
    "an endless sequence": "\x1b[" + "1;" * 32_000 + "m",
    "styles": "\x1b[31mx\x1b[1m" * 8_000,
    "jumps": "\x1b[999C\n" * 4_000 + "\x1b[999Cx\n" * 7_000,
    "returns": "a\r" * 32_000,
    "erasing": "x" * 30_000 + "\x1b[1K" * 8_000,
    "moves": "\n" * 100 + "\x1b[50A\x1b[50Bx" * 5_000,
    "numbers": "\x1b[" + "9" * 64 + "C\x1b[" + "9" * 60 + "mx",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_output_is_rendered_within_its_time_and_not_blown_up(name: str) -> None:
    began = time.thread_time()
    html = ansi.render(HOSTILE[name])
    assert time.thread_time() - began < 1.0 and len(html) < 1_000_000


@given(st.text(alphabet=st.sampled_from("ab<&\x1b[]0;12mKAGJH\r\n\b\x07\x9b\u202e"), max_size=200))
def test_whatever_is_printed_becomes_text_and_our_own_spans(printed: str) -> None:
    html = ansi.render(printed)
    assert "\x1b" not in html and "\r" not in html
    assert "<" not in re.sub(r'</?span(?: class="[a-z0-9 ]+")?>', "", html)


def test_of_a_long_output_the_beginning_and_the_end_are_shown_and_the_rest_is_counted() -> None:
    text = "\n".join(str(n) for n in range(5_000))
    head, tail, left = ansi.cut(text, 100, 50)
    assert head.startswith("0\n1\n") and tail.endswith("\n4998\n4999") and left == len(text) - 150
    assert ansi.cut("short", 100, 50) == ("short", "", 0)
