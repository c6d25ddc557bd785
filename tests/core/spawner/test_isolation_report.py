"""The report of what protects users says when the kernel does not keep an agent's programs from its CLI."""

import pytest

from core.config.settings import Settings
from core.spawner.isolation_report import WHYS, layers
from core.spawner.landlock import abi


@pytest.mark.parametrize(
    ("version", "why"), [(0, "no_domain"), (1, "no_signal_scope"), (5, "no_signal_scope"), (6, "")]
)
def test_a_kernel_without_landlock_for_signals_is_told_of(version: int, why: str) -> None:
    (tools,) = [
        layer
        for layer in layers(Settings(), trouble="", mend="", controllers=(), landlock_abi=version)
        if layer.id == "tools"
    ]
    assert (tools.live, tools.why) == (not why, why)
    assert not why or why in WHYS


def test_the_kernels_own_version_is_asked_for() -> None:
    assert abi() >= 0
