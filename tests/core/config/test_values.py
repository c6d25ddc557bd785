"""Every setting has a type with a range: what is out of it is refused with a sentence, whatever it would do later."""

import secrets
from dataclasses import fields
from typing import get_type_hints

import pytest

from core.config.checks import weak
from core.config.settings import Settings, read, variable
from core.config.values import FORMS, RANGES
from core.domain.errors import Misconfigured

NUMBERS = {name: kind for name, kind in get_type_hints(Settings).items() if kind in (int, float)}
ODD = ("nan", "inf", "-inf", "1e9", "1_000", "٣", "", " ", "0x10", "-1", "99999999999", "one")


def test_every_number_has_a_range_and_every_default_is_inside() -> None:
    assert set(RANGES) == set(NUMBERS)
    assert set(FORMS) <= {field.name for field in fields(Settings)}
    for name, bounds in RANGES.items():
        assert bounds.holds(getattr(Settings(), name)), name


@pytest.mark.parametrize("text", [text for text in ODD if text])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_out_of_range_is_refused_with_its_range(name: str, text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read({variable(name): text})
    assert str(refused.value).startswith(f"{variable(name)} is ")
    assert f"{RANGES[name].high:g}" in str(refused.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_ends_of_a_range_are_inside_and_what_is_beyond_is_not(name: str) -> None:
    bounds, whole = RANGES[name], NUMBERS[name] is int

    def text(value: float) -> str:
        return str(int(value)) if whole or value == int(value) else str(value)

    for value in (bounds.low, bounds.high):
        assert getattr(read({variable(name): text(value)}), name) == value
    assert bounds.off == (bounds.low > 0 and bounds.holds(0))
    for value in (bounds.low - 1, bounds.high + 1):
        if not (bounds.off and value == 0):
            with pytest.raises(Misconfigured):
                read({variable(name): text(value)})


def test_random_secrets_are_not_called_weak() -> None:
    assert [text for _ in range(2000) if weak(text := secrets.token_hex(32))] == []
    assert [text for _ in range(2000) if weak(text := secrets.token_urlsafe(32))] == []
