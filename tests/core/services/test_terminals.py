"""Only the owner of a session opens a terminal, and only where an administrator lets people do so."""

from typing import Any

import pytest

from core.domain.errors import Forbidden
from core.domain.records import UserId
from core.services.terminals import Terminals


class NoConversations:
    async def runner_of(self, session: str, *, user: UserId) -> Any:
        raise AssertionError("the box was asked")


async def test_where_terminals_are_off_nobody_opens_one() -> None:
    off = Terminals(conversations=NoConversations(), audit=None, allowed=False)  # type: ignore[arg-type]
    user = UserId("local-owner")
    for call in (
        off.open("s", 1, columns=80, rows=24, user=user),
        off.numbers("s", user=user),
        off.end("s", 1, user=user),
    ):
        with pytest.raises(Forbidden) as refused:
            await call
        assert refused.value.code == "terminals_off"
    with pytest.raises(Forbidden):
        async with off.attach("s", 1, user=user):
            pass
