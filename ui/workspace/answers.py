"""How an answer from a page reaches the platform: a value that was asked for takes a way of its own, to the vault."""

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
