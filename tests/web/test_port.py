"""The port is this web's from the moment it is bound, long before pages are served on it."""

import socket

import pytest

from core.config.settings import Settings
from core.domain.errors import Misconfigured
from tests.product import free_port
from web.server import listening


def test_a_port_on_which_another_web_is_just_starting_is_a_clear_error() -> None:
    settings = Settings(port=free_port())
    with listening(settings), pytest.raises(Misconfigured, match="set OMA_PORT"):
        listening(settings)


def test_who_comes_early_waits_and_is_not_refused() -> None:
    settings = Settings(port=free_port())
    with listening(settings), socket.create_connection((settings.host, settings.port), 5):
        pass
