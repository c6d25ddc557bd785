"""Tests that text which looks like a secret is masked, other text is not, and no input makes that slow."""

import base64
import json
import time

import pytest

from core.observability.secret_patterns import MASK, mask
from core.protocol.tokens import sign

PEM = "-----BEGIN RSA PRIVATE KEY-----{0}Proc-Type: 4,ENCRYPTED{0}MIIEvQ+/AB=={0}-----END RSA PRIVATE KEY-----"
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (json.dumps({"alg": "RS256", "typ": "JWT"}).encode(), json.dumps({"sub": "1"}).encode(), b"s" * 40)
)
# Put together here, so that no scanner of ours or others' takes this file for a leak.
SECRETS = {
    "Anthropic": "sk-ant-" + "api03-" + "aB3_-" * 15 + "AA",
    "OpenAI": "sk-" + "aB3d" * 12,
    "OpenAI of a project": "sk-" + "proj-" + "aB3d" * 12 + "_x-y",
    "GitHub": "ghp" + "_" + "aB3d" * 9,
    "GitHub app": "ghs" + "_" + "aB3d" * 9,
    "GitHub fine-grained": "github" + "_pat_" + "aB3d_" * 9,
    "GitLab": "glpat" + "-" + "aB3d_" * 4,
    "Google": "AIza" + "aB3d_-x" * 5,
    "Google client secret": "GOCSPX" + "-" + "aB3d_-x" * 4,
    "Google token": "ya29" + ".a0" + "aB3d_-x" * 8,
    "Google refresh token": "1" + "//0g" + "aB3d_-x" * 8,
    "Slack": "xoxb" + "-1234567890-abcdefABCDEF",
    "AWS": "AKIA" + "ABCDEFGH12345678",
    "Stripe": "sk" + "_live_" + "aB3d" * 6,
    "npm": "npm" + "_" + "aB3d" * 9,
    "PyPI": "pypi" + "-AgEIcHlwaS5vcmc" + "aB3d" * 12,
    "PEM": PEM.format("\n"),
    "PEM in JSON": PEM.format("\\n"),
    "PEM, cut": PEM.format("\n")[:60],
    "JWT": JWT,
    "ours": sign({"user": "google-1", "session": "s1"}, key="k" * 40, audience="model:b1"),
}
KEPT = {
    "/auth/local?code=0123456789abcdefABCDEF_-": "/auth/local?code=***",
    "Task 'event of client 1f6f4ff0-2f0c-4e7b-8a1d-0123456789ab' failed": "Task 'event of client ***' failed",
    "{'client_id': '1f6f4ff0-2f0c-4e7b-8a1d-0123456789ab', 'id': 4}": "{'client_id': '***', 'id': 4}",
    "GET /_nicegui_ws/socket.io/?client_id=1f6f4ff0-2f0c-4e7b&EIO=4": "GET /_nicegui_ws/socket.io/?client_id=***&EIO=4",
    "Cookie: __Host-oma=abcdefgh.ijkl; x=1": "Cookie: __Host-oma=***; x=1",
    "oma-visit=abcdefghijklmnopqrst": "oma-visit=***",
    "postgres://oma:hunter2hunter2@db/x": "postgres://***@db/x",
    "Proxy-Authorization: Basic b21hOnRva2VuLXRva2Vu": "Proxy-Authorization: Basic ***",
    "authorization: bearer abcdefghijklmnop123456": "authorization: bearer ***",
    "AUTHORIZATION: BEARER abcdefghijklmnop123456": "AUTHORIZATION: BEARER ***",
    "{'X-Api-Key': 'abcdefghijklmnop123456'}": "{'X-Api-Key': '***'}",
}
PLAIN = (
    "the model refused the platform's key: 401",
    "task-oriented risk-averse disk-based sk-",
    "session 0123456789abcdef0123456789abcdef: the log of its box lost events after 12",
    "https://example.com:8443/a?b=c#d and http://127.0.0.1:8080/login?error=bad_state",
    "http://[::1]:8080/auth/local",
    "the api-key of https://a.test/1//0 is in Settings",
    "basic understanding of bearer tokens",
    "code=1 state=idle client_id=",
    "eyJ is how JSON begins in base64",
    "-----BEGIN CERTIFICATE-----",
    "oma=1 aroma=12345678",
)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("around", ["{}", "key={} ", '{{"key": "{}"}}', "KEY='{}',", "<{}>", "({})"])
def test_a_key_of_a_known_service_is_masked(secret: str, around: str) -> None:
    # a key that was cut takes what follows with it
    assert mask(around.format(secret)).rstrip() == around.format(MASK).rstrip()


@pytest.mark.parametrize(("text", "masked"), KEPT.items())
def test_a_credential_is_masked_and_its_name_stays(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize("text", PLAIN)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text) == text


BEGINNINGS = (
    "sk-ant-", "sk-", "sk-aa-", "ghp_", "AIza", "xoxb-", "AKIA", "eyJ", "eyJa.", "eyJaaaaaaa.aaaa.", "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----", "-----BEGIN A PRIVATE ", "code=", "oma=", "1//0",
    "api-key", "api-key: ", "://", "://a:", "://a:b", "Bearer ",
    "a", "-",
)  # fmt: skip


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_megabyte_made_to_be_slow_is_not(beginning: str) -> None:
    text = beginning * (2**20 // len(beginning))
    began = time.process_time()
    mask(text)
    assert time.process_time() - began < 5  # it is 0.1 s; what goes back and forth takes minutes
