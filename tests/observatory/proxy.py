"""The TLS proxy that stands in front of the product in production, with a certificate of our own making."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.product import free_port

HOST = "localhost"
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True, slots=True)
class Front:
    """The proxy's address, and the certificate by which a client trusts it."""

    https: int
    http: int
    certificate: Path


def certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) for this machine, good for a day."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "front.pem", folder / "front.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


@asynccontextmanager
async def behind_tls(product_port: int, *, https: int, folder: Path) -> AsyncIterator[Front]:
    """Serve the product at `https://localhost:PORT` while the context is open, by forwarding to plain HTTP."""
    public, private = certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(public, private)

    async def pass_on(request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= {"X-Forwarded-Proto": "https", "X-Forwarded-For": str(request.remote)}
        url = f"http://127.0.0.1:{product_port}{request.path_qs}"
        async with client.request(request.method, url, headers=headers, allow_redirects=False) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
            return web.Response(status=answer.status, headers=dict(kept), body=await answer.read())

    async def to_https(request: web.Request) -> web.Response:
        raise web.HTTPMovedPermanently(f"https://{HOST}:{https}{request.path_qs}")

    http = free_port()
    async with aiohttp.ClientSession(auto_decompress=False) as client, _served(pass_on, https, context):
        async with _served(to_https, http, None):
            yield Front(https=https, http=http, certificate=public)


@asynccontextmanager
async def _served(answer: web.RequestHandler, port: int, context: ssl.SSLContext | None) -> AsyncIterator[None]:  # type: ignore[type-arg]
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield
    finally:
        await runner.cleanup()
