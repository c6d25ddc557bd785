"""Tests of the allowed changes of state."""

import pytest

from core.domain.errors import Conflict
from core.domain.states import NEXT, OPEN_TURN, SessionState, step


def test_every_state_has_a_way_on_and_a_way_to_sleep() -> None:
    assert set(NEXT) == set(SessionState)
    for state, following in NEXT.items():
        assert following
        assert SessionState.ASLEEP in following or state is SessionState.ASLEEP


def test_a_turn_can_only_be_open_with_a_process() -> None:
    assert SessionState.BUSY not in NEXT[SessionState.ASLEEP]
    assert {SessionState.BUSY, SessionState.ASKING} == OPEN_TURN


def test_a_step_the_table_does_not_know_is_refused() -> None:
    assert step(SessionState.IDLE, SessionState.BUSY) is SessionState.BUSY
    with pytest.raises(Conflict):
        step(SessionState.ASLEEP, SessionState.ASKING)
