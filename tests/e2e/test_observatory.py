"""The verdicts of MDN's HTTP Observatory and Google's CSP evaluator on the product in production: `make
observatory`.
"""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from auth.accounts import upsert_user
from auth.claims import Identity
from auth.logins import Logins
from core.domain.records import Agent, UserId, new_agent_id, now
from core.store.sqlite import SqliteStore
from tests.e2e.conftest import Start
from tests.observatory.proxy import HOST, behind_tls
from tests.product import free_port

pytestmark = pytest.mark.observatory

TOOLS = Path(__file__).parent.parent / "observatory"
SECRET = secrets.token_hex(32)
# Both are MEDIUM_MAYBE, the evaluator's fifth grade. `'unsafe-eval'` is NiceGUI's: Vue compiles its templates in the
# browser. `'self'` is a danger where a host serves other people's files as scripts; ours serves none.
SELF, EVAL = ("MEDIUM_MAYBE", "script-src", "'self'"), ("MEDIUM_MAYBE", "script-src", "'unsafe-eval'")
Verdict = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def verdicts(start: Start, tmp_path: Path) -> AsyncIterator[list[Verdict]]:
    """Return the verdicts on the four pages, as a browser gets them through the proxy that ends TLS."""
    if not (TOOLS / "node_modules").is_dir():
        pytest.skip("not installed: make observatory")
    https = free_port()
    product = await start(
        model_url="http://127.0.0.1:1",
        OMA_ENV="production",
        OMA_PUBLIC_URL=f"https://{HOST}:{https}",
        OMA_TRUSTED_PROXIES="127.0.0.1",
        OMA_SESSION_SECRET=SECRET,
        OMA_ALLOWED_DOMAINS="example.com",
        OMA_OIDC_CLIENT_ID="id",
        OMA_OIDC_CLIENT_SECRET="a secret only for this test",
    )
    async with await SqliteStore.open(product.data_dir / "oma.db") as store:
        user = await upsert_user(
            store, Identity(issuer="https://idp.test", subject="alice", name="앨리스"), admin=False
        )
        login = await Logins(store, [SECRET]).start(user)
        agent = Agent(id=new_agent_id(), name="이슈 요약이", draft=False, created_at=now(), updated_at=now())
        await store.create(agent, owner=UserId(user.id))
    paths = ["/login", "/dashboard", f"/workspace/{agent.id}", "/settings"]
    async with behind_tls(product.port, https=https, folder=tmp_path) as front:
        pages = [
            {"host": HOST, "port": front.https, "httpPort": front.http, "path": path}
            | ({} if path == "/login" else {"cookie": f"__Host-oma={login}"})
            for path in paths
        ]
        yield await scan(pages, trust=front.certificate)


async def scan(pages: list[dict[str, Any]], *, trust: Path) -> list[Verdict]:
    """Ask the tools. Everything they reach is on this machine."""
    node = shutil.which("node")
    assert node, "node is not installed"
    process = await asyncio.create_subprocess_exec(
        node,
        str(TOOLS / "scan.mjs"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(trust)},
    )
    async with asyncio.timeout(60):
        out, wrong = await process.communicate(json.dumps(pages).encode())
    assert process.returncode == 0, wrong.decode()
    found: list[Verdict] = json.loads(out)
    return found


async def test_every_page_gets_an_a_plus_and_nothing_but_the_declared_eval_is_found(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        print(verdict["path"], verdict["grade"], verdict["score"], verdict["failed"], verdict["findings"])
        assert verdict["status"] == 200 and verdict["url"] == verdict["path"], "this is another page"
        assert verdict["grade"] == "A+" and verdict["score"] >= 100, verdict
        found = {(one["severity"], one["directive"], one["value"]) for one in verdict["findings"]}
        assert found == ({SELF} if verdict["path"] == "/login" else {SELF, EVAL}), verdict["findings"]
