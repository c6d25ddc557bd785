"""The way of an answer from a page to the platform. A value that was asked for goes to the vault on a way
of its own.
"""

from typing import Any

from core.domain.records import UserId
from ui.layout.services import Services


async def answer_request(
    services: Services, session: str, request_id: str, *, user: UserId, secret: str = "", **said: Any
) -> None:
    """Answer a request. Raises: PlatformError: it does not count."""
    if secret:
        await services.platform_requests.give_secret(session, request_id, secret, user=user)
    else:
        await services.conversations.answer(session, request_id, user=user, **said)
