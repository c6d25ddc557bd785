"""The interface of a transport, which takes a message to one kind of channel."""

from typing import Protocol

from core.domain.notifications import Channel, ChannelSecret, Message

ANSWER_CHARS = 200


class NotDelivered(Exception):
    """The other side did not take the message; the text is its answer. `permanent`: it will not take it later either.

    `gone`: it says that the channel does not exist any more.
    """

    def __init__(self, answer: str, *, permanent: bool = False, gone: bool = False) -> None:
        super().__init__(answer[:ANSWER_CHARS])
        self.permanent, self.gone = permanent or gone, gone


class Transport(Protocol):
    """Sends messages over one kind of channel."""

    @property
    def may_repeat(self) -> bool:
        """Return whether the other side can tell by the message's id that it has the message already."""

    async def send(self, message: Message, channel: Channel, secret: ChannelSecret) -> str:
        """Send the message once and return the other side's answer. Raises: NotDelivered."""
