"""E-mail over the operator's own SMTP server.

The server is named by whoever runs the platform, so it may stand in a private network, unlike what users name.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Self, TypeVar
from urllib.parse import unquote, urlsplit

import aiosmtplib

from core.config.settings import Settings
from core.domain.notifications import Channel, ChannelSecret, Message
from core.services.notify.transport import NotDelivered

T = TypeVar("T")

SEND_S = 20.0
PORTS = {"smtp": 587, "smtps": 465}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The SMTP server of the settings. With a password, the connection is encrypted unless it is this machine's own."""

    host: str
    port: int
    user: str
    password: str
    tls: bool
    sender: str

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """Return the server that the settings name; None: there is none, so there is no e-mail."""
        if not settings.smtp_url:
            return None
        url = urlsplit(settings.smtp_url)
        return cls(
            host=url.hostname or "",
            port=url.port or PORTS[url.scheme],
            user=unquote(url.username or ""),
            password=unquote(url.password or ""),
            tls=url.scheme == "smtps",
            sender=settings.mail_from,
        )

    def client(self) -> aiosmtplib.SMTP:
        """Return a client that is not connected yet."""
        must_encrypt = bool(self.password) and self.host not in LOOPBACK
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user or None,
            password=self.password or None,
            use_tls=self.tls,
            start_tls=None if self.tls or not must_encrypt else True,
            timeout=SEND_S,
            tls_context=ssl.create_default_context(),
        )

    async def probe(self) -> None:
        """Connect, sign in and leave. Raises: NotDelivered."""
        await self._with(lambda client: client.noop())

    async def send(self, mail: EmailMessage) -> str:
        """Send a mail and return the server's answer. Raises: NotDelivered."""
        _, answer = await self._with(lambda client: client.send_message(mail))
        return answer

    async def _with(self, act: Callable[[aiosmtplib.SMTP], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(SEND_S), self.client() as client:
                return await act(client)
        except aiosmtplib.SMTPResponseException as error:
            raise NotDelivered(f"{error.code} {error.message}", permanent=500 <= error.code < 600) from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            raise NotDelivered(f"{first.code} {first.message}", permanent=500 <= first.code < 600) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotDelivered(f"not reached: {type(error).__name__}") from error


class Email:
    """The Transport of e-mail. The same message has the same Message-ID, by which mailboxes drop what comes twice."""

    may_repeat = True

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def send(self, message: Message, channel: Channel, secret: ChannelSecret) -> str:
        return await self._server.send(mail_of(message, sender=self._server.sender, to=channel.address))


def mail_of(message: Message, *, sender: str, to: str) -> EmailMessage:
    """Return the mail: plain text, marked as sent by a program."""
    mail = EmailMessage()
    name, address = parseaddr(sender)
    mail["From"] = Address(display_name=name or "Oh My Agent", addr_spec=address)
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = " ".join(message.title.split())
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.id}@{address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["List-Unsubscribe"] = f"<{message.settings_url}>"
    items = ("\n".join(line for line in (one.title, one.text, one.url) if line) for one in message.items)
    parts = [message.text, *items, f"-- \n{message.settings_url}"]
    mail.set_content("\n\n".join(part for part in parts if part) + "\n")
    return mail
