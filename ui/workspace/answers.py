"""The way of an answer from a page to the platform. A value that was asked for goes to the vault on a way
of its own.
"""

from typing import Any

from core.domain.records import UserId
from ui.layout.i18n import Translations
from ui.layout.services import Services


async def test_outcome(services: Services, agent: str, words: Translations, *, user: UserId) -> tuple[str, bool]:
    """Return what the agent's newest test run said, and whether that speaks against publishing."""
    newest = await services.tests.newest(agent, user=user, limit=1)
    ended = newest[0] if newest and newest[0].finished_at and newest[0].results else None
    if ended is None or ended.finished_at is None:
        return words.t("tests.never_run"), True
    told = words.t("tests.passed_of", passed=str(ended.passed), all=str(len(ended.results)))
    return f"{told} · {words.when(ended.finished_at)}", ended.passed < len(ended.results)


async def answer_request(
    services: Services, session: str, request_id: str, *, user: UserId, secret: str = "", **said: Any
) -> None:
    """Answer a request. Raises: PlatformError: it does not count."""
    if secret:
        await services.platform_requests.give_secret(session, request_id, secret, user=user)
    else:
        await services.conversations.answer(session, request_id, user=user, **said)
