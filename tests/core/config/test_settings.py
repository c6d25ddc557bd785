"""Settings: read once, refused when wrong, documented all."""

from dataclasses import fields, replace
from pathlib import Path

import pytest

from core.config.checks import check
from core.config.settings import Secret, Settings, overridden, read, secrets_of, variable
from core.domain.errors import Misconfigured

SETTINGS_PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
GOOD = replace(
    Settings(),
    env="production",
    public_url="https://agents.example.com",
    session_secret=(Secret("k3Tq9vXw2LmR8sZbY5nHcJ7dGf4pAe6u"),),
    oidc_client_id="id",
    oidc_client_secret=Secret("secret"),
    allowed_domains=("example.com",),
    trusted_proxies=("127.0.0.1",),
    anthropic_api_key=Secret("key"),
)


def test_every_setting_is_documented_in_the_readme() -> None:
    text = SETTINGS_PAGE.read_text(encoding="utf-8")
    assert not [variable(field.name) for field in fields(Settings) if f"`{variable(field.name)}`" not in text]


def test_values_are_parsed_and_empty_ones_are_the_default() -> None:
    settings = read({"OMA_PORT": "9000", "OMA_ADMINS": "a@x.kr, b@x.kr", "OMA_HOST": "", "ANTHROPIC_API_KEY": "k"})
    assert (settings.port, settings.admins, settings.host) == (9000, ("a@x.kr", "b@x.kr"), "127.0.0.1")
    assert settings.provider == "anthropic"


@pytest.mark.parametrize(
    "environ", [{"OMA_PORT": "many"}, {"OMA_ENV": "prod"}, {"OMA_PROT": "8080"}, {"OMA_IDLE_CLI_S": "soon"}]
)
def test_a_value_that_cannot_be_read_is_refused_with_its_name(environ: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=next(iter(environ))):
        read(environ)


def test_the_command_line_wins_over_the_environment() -> None:
    assert read(overridden({"port": "1"}, {"OMA_PORT": "2"})).port == 1


def test_a_secret_does_not_show_itself() -> None:
    assert "hunter2" not in repr(replace(Settings(), anthropic_api_key=Secret("hunter2")))


def test_every_secret_of_the_settings_is_known_to_who_masks_them() -> None:
    values = secrets_of(replace(GOOD, anthropic_base_url="https://oma:hunter2@models.test:8443/x"))
    assert {*values} == {GOOD.session_secret[0], "hunter2", "key", "secret"}
    assert secrets_of(Settings()) == ()


def test_a_whole_production_configuration_starts() -> None:
    check(GOOD)
