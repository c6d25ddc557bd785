"""Secrets in a stream: cut it anywhere, what comes out is what masking the whole text gives."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.observability.redaction import LONGEST, Redactor
from core.runner.streaming_redactor import StreamingRedactor

SECRET = "correct-horse-battery-staple"


def shown(redactor: Redactor, pieces: list[str]) -> str:
    stream = StreamingRedactor(redactor)
    return "".join([*map(stream.feed, pieces), stream.end()])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 27, 28, 29, 1000])
def test_a_secret_is_masked_wherever_the_pieces_were_cut(size: int) -> None:
    text = f"the key is {SECRET}, again {SECRET}{SECRET} and {SECRET[:-1]}."
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert shown(Redactor([SECRET]), pieces) == f"the key is ***, again *** and {SECRET[:-1]}."


@given(
    st.lists(st.text("ab", min_size=8, max_size=11), min_size=1, max_size=3),
    st.lists(st.text("abc", max_size=9), max_size=12),
    st.integers(0, 12),
)
def test_the_pieces_together_are_the_masked_whole(values: list[str], pieces: list[str], at: int) -> None:
    pieces = [*pieces[:at], *values, *pieces[at:]]
    redactor = Redactor(values)
    assert shown(redactor, pieces) == redactor.mask_text("".join(pieces))


def test_no_more_waits_than_the_longest_spelling_and_mostly_nothing() -> None:
    redactor = Redactor([SECRET, "x" * 5_000])
    stream, went_in, came_out, waited = StreamingRedactor(redactor), 0, 0, []
    for piece in ["a word of prose, and another; "] * 200 + ["x"] * 3_000:
        went_in += len(piece)
        came_out += len(stream.feed(piece).replace("***", ""))
        waited.append(went_in - came_out)
    assert max(waited[:200]) <= 1
    assert stream.waiting < LONGEST


def test_without_values_everything_goes_through_at_once() -> None:
    stream = StreamingRedactor(Redactor())
    assert [stream.feed(piece) for piece in ("a", "", "b")] == ["a", "", "b"]


def test_text_that_never_becomes_a_secret_comes_out_whole() -> None:
    source = random.Random(3)
    text = "".join(source.choice(SECRET) for _ in range(20_000))
    assert shown(Redactor([SECRET]), list(text)) == text
