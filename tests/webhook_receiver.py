"""A server that takes webhooks and Web Push over TLS, with a certificate that a test trusts."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.domain.records import now
from tests.timeouts import PATIENCE_S


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """The requests that came. `answers` are given in turn, the last one for ever."""

    port: int = 0
    authority: str = ""  # the file that says whom to trust
    answers: list[tuple[int, str]] = field(default_factory=lambda: [(200, "ok")])
    requests: list[Received] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Received(request.path_qs, headers, await request.read()))
        self.came.set()
        status, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        more = {"location": text} if 300 <= status < 400 else {}
        return web.Response(status=status, text=text, headers=more)

    async def next(self) -> Received:
        """The newest request, once there is one that was not looked at."""
        await asyncio.wait_for(self.came.wait(), PATIENCE_S)
        self.came.clear()
        return self.requests[-1]

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)


@asynccontextmanager
async def receiver(folder: Path, *names: str) -> AsyncIterator[Receiver]:
    """Listen on a port of this machine under these names."""
    certificate(folder, names)
    one = Receiver(authority=str(folder / "cert.pem"))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", one.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    one.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield one
    finally:
        await runner.cleanup()


def certificate(folder: Path, names: tuple[str, ...]) -> None:
    """Write a key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, pkcs8, plain))
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
