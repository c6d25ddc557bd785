"""The connection chosen in the pages is taken up without a restart, judged before it is used, and shown to nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from core.config.settings import Secret, Settings
from core.domain.errors import BadInput, Forbidden, VaultUnavailable
from core.domain.model_connection import MODEL_KEY, ModelConnection
from core.domain.records import SYSTEM, Role, User, now
from core.gateway.providers.connected import ConnectedProvider
from core.gateway.providers.probe import judged, probe
from core.services.audit import Audit
from core.services.model_connection import ModelConnections
from core.store.sqlite import SqliteStore
from core.vault.local import LocalVault

KEY = Secret("sk-ant-api03-not-a-key-that-nobody-may-see-0123456789")
OWNER = User(id="local-owner", issuer="local", subject="owner", created_at=now(), seen_at=now())  # type: ignore[arg-type]
BOB = msgspec.structs.replace(OWNER, id="google-2", issuer="https://accounts.google.com")


@asynccontextmanager
async def messages_api(answers: dict[str, tuple[int, str]]) -> AsyncIterator[str]:
    """A Messages API that answers each key as it is told."""

    async def answer(request: web.Request) -> web.Response:
        status, text = answers.get(request.headers.get("x-api-key", ""), (401, "authentication_error"))
        return web.json_response({"type": "error", "error": {"message": text}}, status=status)

    app = web.Application()
    app.router.add_post("/v1/messages", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    await runner.cleanup()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


def use_cases(store: SqliteStore, folder: Path, url: str = "https://api.example.com") -> ModelConnections:
    settings = Settings(data_dir=folder, model="practice", anthropic_base_url=url)
    return ModelConnections(settings, store, LocalVault(folder), audit=Audit(store))


@pytest.mark.parametrize(
    ("status", "text", "code"),
    [
        (200, "hello", "good"),
        (529, "overloaded_error", "good"),
        (401, "invalid x-api-key", "refused"),
        (403, "not allowed", "refused"),
        (400, "Your credit balance is too low to access the Anthropic API", "no_credit"),
        (402, "billing_error", "no_credit"),
        (404, "not_found_error", "no_model"),
        (500, "api_error", "other"),
    ],
)
async def test_a_key_is_tried_and_judged_before_it_is_used(
    store: SqliteStore, tmp_path: Path, status: int, text: str, code: str
) -> None:
    assert judged(status, text.encode()) == code
    async with messages_api({KEY: (status, text)}) as url:
        verdict = await use_cases(store, tmp_path, url).try_key(Secret(f" {KEY}\n"), user=OWNER)
    assert (verdict.code, verdict.status, verdict.where) == (code, status, "127.0.0.1")
    assert await LocalVault(tmp_path).names(owner=SYSTEM) == ()  # trying keeps nothing


async def test_an_address_where_nobody_answers_is_unreachable(tmp_path: Path) -> None:
    async with messages_api({}) as url:
        gone = url
    settings = Settings(data_dir=tmp_path, model="anthropic", anthropic_api_key=KEY, anthropic_base_url=gone)
    assert (await probe(settings)).code == "unreachable"


async def test_only_the_owner_and_administrators_may_look_or_change(store: SqliteStore, tmp_path: Path) -> None:
    model = use_cases(store, tmp_path)
    assert model.may_change(OWNER)
    assert model.may_change(msgspec.structs.replace(BOB, role=Role.ADMIN))
    for act in (
        model.check(user=BOB),
        model.try_key(KEY, user=BOB),
        model.use_key(KEY, user=BOB),
        model.try_vertex("p", "global", user=BOB),
        model.use_vertex("p", "global", user=BOB),
        model.reset(user=BOB),
    ):
        with pytest.raises(Forbidden):
            await act
    assert (await LocalVault(tmp_path).names(owner=SYSTEM), model.connection) == ((), None)


@pytest.mark.parametrize("key", ["", "short", "two words that are long enough", "x" * 301, "ключ" * 10])
async def test_what_cannot_be_a_key_is_refused(store: SqliteStore, tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput):
        await use_cases(store, tmp_path).try_key(Secret(key), user=OWNER)


@pytest.mark.parametrize(("project", "region"), [("", "global"), ("p", ""), ("p/../x", "global"), ("p", "evil.test/x")])
async def test_what_cannot_be_a_project_or_region_is_refused(
    store: SqliteStore, tmp_path: Path, project: str, region: str
) -> None:
    with pytest.raises(BadInput):
        await use_cases(store, tmp_path).use_vertex(project, region, user=OWNER)


async def test_the_gateway_takes_up_what_was_chosen_and_goes_back(store: SqliteStore, tmp_path: Path) -> None:
    model, vault = use_cases(store, tmp_path), LocalVault(tmp_path)
    in_force: list[Settings] = []
    gateway = ConnectedProvider(model.settings, store, vault, changed=in_force.append)
    await gateway.refresh()
    await gateway.refresh()
    assert [one.provider for one in in_force] == ["practice"]
    await model.use_key(KEY, user=OWNER)
    await gateway.refresh()
    assert (in_force[-1].provider, in_force[-1].anthropic_api_key, model.provider) == ("anthropic", KEY, "anthropic")
    kept = await store.get(ModelConnection, "model", owner=SYSTEM)
    assert (kept.key_tail, KEY in repr(kept)) == (KEY[-4:], False)
    acts = [(act.what, act.detail) for act in await store.audit_entries()]
    assert acts == [("model_changed", "anthropic")]
    await model.reset(user=OWNER)
    await gateway.refresh()
    assert ([one.provider for one in in_force], await vault.get([MODEL_KEY], owner=SYSTEM)) == (
        ["practice", "anthropic", "practice"],
        {},
    )
    await gateway.close()
    raw = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in raw


class Away(LocalVault):
    """A vault that does not answer."""

    async def get(self, names: object, *, owner: object) -> dict[str, Secret]:  # type: ignore[override]
        raise VaultUnavailable("away")


async def test_a_vault_that_is_away_changes_nothing(store: SqliteStore, tmp_path: Path) -> None:
    model, in_force = use_cases(store, tmp_path), list[Settings]()
    await model.use_key(KEY, user=OWNER)
    gateway = ConnectedProvider(model.settings, store, Away(tmp_path), changed=in_force.append)
    await gateway.refresh()
    await gateway.refresh()
    assert [one.provider for one in in_force][:1] == ["practice"]
    await gateway.close()
