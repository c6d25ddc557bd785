"""Google's extra rule, which no other provider can be asked about, and what becomes of odd claims."""

import pytest

from auth.claims import Identity, admit, verify
from core.config.settings import Settings
from core.domain.errors import Forbidden
from core.domain.records import GOOGLE

SETTINGS = Settings(allowed_domains=("allowed.com",), admins=("root@else.org",))


def google(email: str, hd: str = "") -> Identity:
    return Identity(issuer=GOOGLE, subject="1", email=email, hosted_domain=hd)


@pytest.mark.hostile_signins
@pytest.mark.parametrize("hd", ["", "evil.com", "allowed.com.evil.com"])
def test_a_google_account_of_a_domain_needs_googles_word_for_the_domain(hd: str) -> None:
    with pytest.raises(Forbidden):
        admit(google("bob@allowed.com", hd), SETTINGS)


def test_a_google_workspace_account_of_the_domain_comes_in() -> None:
    admit(google("bob@allowed.com", "allowed.com"), SETTINGS)


def test_everybody_may_be_named_on_purpose() -> None:
    admit(google("anybody@else.org"), Settings(allowed_domains=("*",)))


def test_an_admin_comes_in_whatever_the_lists_say() -> None:
    admit(google("root@else.org"), SETTINGS)


def test_without_lists_everybody_with_an_account_comes_in() -> None:
    admit(google(""), Settings())


def test_names_stay_as_they_are_and_lose_only_control_characters() -> None:
    claims = {
        "iss": "https://x", "aud": "us", "sub": "1", "exp": 2_000_000_000_000, "iat": 1, "nonce": "n",
        "name": "김철수\r\n\x1b[31m 각 👩‍👩‍👧 " + "가" * 500, "picture": "javascript:alert(1)",
        "email": "A@X.KR", "email_verified": "true",
    }  # fmt: skip
    who = verify(claims, header={"alg": "RS256"}, issuer="https://x", client_id="us", nonce="n", access_token="")
    assert who.name.startswith("김철수[31m 각 👩‍👩‍👧 가가")
    assert len(who.name) == 200
    assert (who.picture, who.email) == ("", "")
