"""Tests that invisible characters are named in every command, path, name and title."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.events import Asked
from core.domain.summaries import first_line, target
from core.domain.visible_text import escape_in_json, has_hidden, visible

UNSEEN = [*"\u202e\u2066\u200b\u200d\u00ad\u2028\x1b\x00\ufeff\u3164\u115f\u2060", "\U000e0041"]


@pytest.mark.parametrize("unseen", UNSEEN)
def test_a_character_that_cannot_be_seen_is_named(unseen: str) -> None:
    assert visible(f"rm {unseen}x") == f"rm ⟨U+{ord(unseen):04X}⟩x"


@pytest.mark.parametrize("text", ["ls -la\n\t한글 日本語", "👩‍💻 👨‍👩‍👧 ❤️", "naïve café"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text and not has_hidden(text)


@given(st.text(alphabet=st.characters(categories=["Cc", "Zl", "Zp"]) | st.characters(categories=["Cf"])))
def test_no_control_and_no_mark_of_direction_is_left(text: str) -> None:
    shown = visible(text).replace("\n", "").replace("\t", "")
    marks = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI", "B"}
    assert not [c for c in shown if unicodedata.category(c) == "Cc" or unicodedata.bidirectional(c) in marks]


@given(st.text())
def test_json_stays_the_same_value(text: str) -> None:
    line = json.dumps({"a": text}, ensure_ascii=False)
    assert json.loads(escape_in_json(line)) == {"a": text}
    assert not has_hidden(escape_in_json(line).replace("\ud800", ""))


def test_titles_and_lines_of_lists_name_it() -> None:
    asked = Asked(request_id="r", kind="permission", tool="Bash", input={"command": "ls \u202etxt.exe"})
    assert target(asked) == "ls ⟨U+202E⟩txt.exe" and first_line("a\u200bb", 50) == "a⟨U+200B⟩b"
