"""Tests that the limit which refused a call is read from the gateway's text and from nothing else."""

import pytest

from core.domain.limits import scope_of_refusal


@pytest.mark.parametrize(
    ("detail", "scope"),
    [
        ('API Error: 400 {"error":{"message":"spend_limit_user: the user\'s monthly limit"}}', "user"),
        ("spend_limit_quota: an administrator can raise it", "quota"),
        ("API Error: 400 max_turns: this run has made its 40 calls of the model", "turns"),
        ("Your credit balance is too low: spend_limit", ""),
        ("Reached the maximum number of turns", ""),
        ("", ""),
    ],
)
def test_a_refusal_says_which_limit_it_was(detail: str, scope: str) -> None:
    assert scope_of_refusal(detail) == scope
