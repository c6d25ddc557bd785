"""E-mail over a real SMTP server: what arrives, what is refused, and what a password needs."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from core.config.settings import Secret, Settings
from core.domain.notifications import Channel, ChannelKind, ChannelSecret
from core.services.notify.email import Email, MailServer, mail_of
from core.services.notify.transport import NotDelivered
from tests.core.services.notify.test_webhook import AT, message
from tests.product import free_port
from tests.webhook_receiver import certificate

CHANNEL = Channel(id="c1", kind=ChannelKind.EMAIL, address="alice@example.com", created_at=AT)
PASSWORD = "correct horse/battery"


class Mailbox:
    """The handler of a real server: keeps mails, or refuses with `answer`."""

    def __init__(self, answer: str = "") -> None:
        self.answer, self.mails = answer, list[EmailMessage]()
        self.to: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:
        if self.answer:
            return self.answer
        self.to += envelope.rcpt_tos
        self.mails.append(message_from_bytes(bytes(envelope.content or b""), policy=policy.default))  # type: ignore[arg-type]
        return "250 Message accepted"


@contextmanager
def smtp(handler: object, **more: Any) -> Iterator[int]:
    """A server in a thread of its own; the port."""
    port = free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def server(port: int, who: str = "", scheme: str = "smtp") -> MailServer:
    url = f"{scheme}://{who}127.0.0.1:{port}"
    found = MailServer.of(Settings(smtp_url=Secret(url), mail_from="Oh My Agent <agents@example.com>"))
    assert found
    return found


async def test_a_mail_arrives_with_its_link_and_the_same_message_has_the_same_id() -> None:
    box = Mailbox()
    with smtp(box) as port:
        email = Email(server(port))
        for _ in range(2):
            assert "accepted" in await email.send(message(), CHANNEL, ChannelSecret())
    mail, again = box.mails
    assert (mail["From"], mail["To"]) == ("Oh My Agent <agents@example.com>", "alice@example.com")
    assert (mail["Subject"], mail["Auto-Submitted"]) == ("이슈 요약이: a run failed", "auto-generated")
    assert mail["Message-ID"] == again["Message-ID"] == "<m1@example.com>"
    assert box.to == ["alice@example.com"] * 2
    text = mail.get_content()
    assert "It stopped.\nhttps://x/runs/r1" in text.replace("\r\n", "\n")
    assert "https://x/s" in text


@pytest.mark.parametrize(("answer", "permanent"), [("550 No such user", True), ("451 Try later", False)])
async def test_a_refusal_is_told_in_the_servers_words(answer: str, permanent: bool) -> None:
    with smtp(Mailbox(answer)) as port, pytest.raises(NotDelivered, match=answer) as caught:
        await Email(server(port)).send(message(), CHANNEL, ChannelSecret())
    assert caught.value.permanent is permanent


async def test_nobody_there_is_an_answer_too() -> None:
    with pytest.raises(NotDelivered, match="not reached") as caught:
        await server(free_port()).probe()
    assert not caught.value.permanent


class Gate:
    """Lets in who has the password."""

    def __call__(self, _server: object, _session: object, _envelope: object, _how: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == PASSWORD.encode())


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the server of the test speaks no TLS
async def test_a_password_signs_in_and_a_wrong_one_is_refused_without_being_quoted() -> None:
    box = Mailbox()
    with smtp(box, authenticator=Gate(), auth_required=True, auth_require_tls=False) as port:
        await Email(server(port, "agents:correct%20horse%2Fbattery@")).send(message(), CHANNEL, ChannelSecret())
        with pytest.raises(NotDelivered) as caught:
            await server(port, "agents:wrong-password@").probe()
    assert len(box.mails) == 1
    assert "wrong-password" not in str(caught.value)


async def test_a_password_leaves_this_machine_encrypted_only() -> None:
    away = MailServer(host="mail.example.com", port=587, user="a", password="b", tls=False, sender="a@example.com")
    here = MailServer(host="127.0.0.1", port=587, user="a", password="b", tls=False, sender="a@example.com")
    assert away.client()._start_tls_on_connect is True
    assert here.client()._start_tls_on_connect is None


async def test_smtps_speaks_tls_from_the_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate(tmp_path, ("localhost",))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    box = Mailbox()
    with smtp(box, ssl_context=tls) as port:
        found = MailServer.of(Settings(smtp_url=Secret(f"smtps://localhost:{port}"), mail_from="a@example.com"))
        assert found
        await found.send(mail_of(message(), sender="a@example.com", to="b@example.com"))
    assert len(box.mails) == 1


def test_no_setting_means_no_mail() -> None:
    assert MailServer.of(Settings()) is None


def test_words_of_agents_do_not_become_headers() -> None:
    hostile = message(title="x\r\nBcc: everybody@example.com\r\n\r\nbody")
    mail = mail_of(hostile, sender="a@example.com", to="b@example.com")
    assert mail["Bcc"] is None
    assert mail["Subject"] == "x Bcc: everybody@example.com body"
