"""Google's metadata server on loopback, as GKE has one: who this workload is, and its access tokens.

The real google-auth finds it by GCE_METADATA_HOST and GCE_METADATA_IP (`environ`); both are read when it is imported.
"""

from collections.abc import Awaitable, Callable
from typing import Self

import pytest
from aiohttp import web

CANARY = "ya29.canary-of-google-0123456789-"  # looks like a real one, and is searched for
ACCOUNT = "a-project.svc.id.goog"


class MetadataServer:
    """Gives the same token until `next_token`, as Google does; each is good for `ends_in_s`. `asked` counts tokens."""

    def __init__(self) -> None:
        self.number, self.asked, self.ends_in_s, self.host = 1, 0, 3600.0, ""
        app = web.Application()
        app.router.add_get("/", self._answer({}))
        root = "/computeMetadata/v1"
        app.router.add_get(f"{root}/instance/service-accounts/{{account}}/token", self._token)
        info = {"email": ACCOUNT, "aliases": ["default"], "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
        app.router.add_get(f"{root}/instance/service-accounts/{{account}}/", self._answer(info))
        app.router.add_get(f"{root}/project/project-id", self._answer("a-project"))
        app.router.add_get(f"{root}/universe/universe-domain", self._answer("googleapis.com"))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.host = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def token(self) -> str:
        """The one that is given and good now."""
        return f"{CANARY}{self.number}"

    @property
    def environ(self) -> dict[str, str]:
        return {"GCE_METADATA_HOST": self.host, "GCE_METADATA_IP": self.host}

    def be_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this process use the server."""
        monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", self.host)
        monkeypatch.setattr("google.auth.compute_engine._metadata._NO_GCE_CHECK", False)
        monkeypatch.setenv("GCE_METADATA_IP", self.host)
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)

    def next_token(self) -> None:
        self.number += 1

    async def _token(self, request: web.Request) -> web.Response:
        assert request.headers["metadata-flavor"] == "Google"
        self.asked += 1
        given = {"access_token": self.token, "expires_in": self.ends_in_s, "token_type": "Bearer"}
        return web.json_response(given, headers={"metadata-flavor": "Google"})

    @staticmethod
    def _answer(said: object) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            headers = {"metadata-flavor": "Google"}
            if isinstance(said, str):
                return web.Response(text=said, headers=headers)
            return web.json_response(said, headers=headers)

        return answer
