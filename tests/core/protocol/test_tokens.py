"""Short signed words between our own processes."""

import time

import pytest
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

from core.domain.errors import NotSignedIn
from core.protocol.tokens import sign, verify

KEY = "k" * 32


def test_a_token_says_to_its_audience_what_was_signed() -> None:
    token = sign({"sub": "google-1"}, key=KEY, audience="runner:a")
    assert verify(token, key=KEY, audience="runner:a", max_age_s=60) == {"sub": "google-1"}


@pytest.mark.parametrize(
    ("key", "audience", "max_age_s"), [("x" * 32, "runner:a", 60), (KEY, "runner:b", 60), (KEY, "runner:a", -1)]
)
def test_a_token_is_refused_with_another_key_for_another_audience_or_when_old(
    key: str, audience: str, max_age_s: int
) -> None:
    token = sign({"sub": "google-1"}, key=KEY, audience="runner:a")
    with pytest.raises(NotSignedIn):
        verify(token, key=key, audience=audience, max_age_s=max_age_s)


@pytest.mark.parametrize(("ahead_s", "taken"), [(-55, True), (-65, False), (3, True), (30, False)])
def test_a_token_of_a_machine_whose_clock_is_a_little_off_is_taken(ahead_s: int, taken: bool) -> None:
    class Theirs(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) + ahead_s

    token = str(URLSafeTimedSerializer(KEY, salt="runner:a", signer=Theirs).dumps({"sub": "google-1"}))
    if taken:
        assert verify(token, key=KEY, audience="runner:a", max_age_s=60) == {"sub": "google-1"}
    else:
        with pytest.raises(NotSignedIn):
            verify(token, key=KEY, audience="runner:a", max_age_s=60)


@pytest.mark.parametrize("token", ["", "a.b.c", "…", "x" * 10_000])
def test_noise_is_refused_as_a_token(token: str) -> None:
    with pytest.raises(NotSignedIn):
        verify(token, key=KEY, audience="runner:a", max_age_s=60)
