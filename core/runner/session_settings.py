"""Applies what a person chose for a session (model, effort, permission mode) to the CLI that is there."""

from core.domain.errors import Unavailable
from core.runner.session import Session


async def refresh_settings(session: Session) -> None:
    """Ask the gateway what holds now, and let the session's CLI go on by it, also in the middle of a turn.

    A CLI that is just starting may have been told what held before: it makes way for another one. Without a CLI there
    is nothing to do. Raises: Unavailable, NotFound: the CLI still goes by what held before.
    """
    if session.starting:
        session.outdate()
    elif client := session.conversation.cli_client:
        spec = await session.launcher.gateway.spec(session.id)
        try:
            await client.apply(spec)
        except Exception as error:  # whatever the SDK makes of a CLI that does not take them
            session.outdate()  # its next turn begins in a CLI that knows
            raise Unavailable(f"the CLI did not take its new settings: {error}") from error
