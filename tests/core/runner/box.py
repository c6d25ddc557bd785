"""A box without walls for the runner's tests: a scripted model, a gateway of forty lines on box.sock, and the runner.

    async with Box(tmp_path) as box:
        session = await box.session()
        await session.say("N=5")
        await session.until(TurnFinished)

The runner is in the test's own loop; `Box(…, apart=True)` makes it a process that can be killed. The CLI is real.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import aiohttp
import claude_agent_sdk
import msgspec
from aiohttp import web

from core.domain.events import AnyEvent, Event, decode_many, seq_of
from core.domain.records import new_agent_id
from core.observability import tracing
from core.protocol import tokens
from core.runner.app import App
from core.runner.runner import Runner
from tests.model_server import ModelServer
from tests.timeouts import PATIENCE_S

CLI = str(Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude")
ROOT = Path(__file__).resolve().parents[3]
BOOT_KEY, KEY, USER, BOX = "boot-key", "the-key", "google-1", "box1"
LOG_KEY = "the-log-key"
# One that does what it is told, and one that a person decides about; the runner knows no others than it is given.
TOOLS = [
    {"name": "draft_agent", "description": "Draft.", "input_schema": {"type": "object"}},
    {"name": "ask_first", "description": "Ask.", "input_schema": {"type": "object"}, "asks": True},
]
LIVE_KINDS = ("text_delta", "thinking_delta", "tool_progress", "turn_cost", "live")


class Gateway:
    """The part of a gateway that the runner uses: specs, ingest, platform tools, and model calls byte for byte."""

    def __init__(self, path: Path, model_url: str) -> None:
        self.path, self.model_url = path, model_url
        self.specs: dict[str, dict[str, Any]] = {}
        self.events: dict[str, dict[int, dict[str, Any]]] = {}
        self.calls: list[dict[str, Any]] = []  # of platform tools
        self.checks: list[dict[str, Any]] = []
        self.unfinished = 0  # so many times a call is said to go on
        self.refuse_ingest = False
        self.refusals = 0  # of ingest
        self.specs_asked = 0
        self.refused: set[str] = set()  # model tokens
        self.turn_cost_usd = 0.0  # what it says of every turn that ends
        self.behind: set[str] = set()  # sessions of which the store has other events
        self.asked = 0
        self.doubled = 0
        self._came = asyncio.Condition()

    async def open(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/internal/spec", self._spec)
        app.router.add_post("/internal/events", self._ingest)
        app.router.add_post("/internal/log", self._log)
        app.router.add_post("/internal/tool", self._tool)
        app.router.add_post("/internal/tool/check", self._check)
        app.router.add_route("*", "/{rest:.*}", self._model)
        self._http = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()

    async def close(self) -> None:
        await self._runner.cleanup()
        await self._http.close()
        self.path.unlink(missing_ok=True)

    async def until(self, session: str, seq: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self._came:
            await self._came.wait_for(lambda: len(self.events.get(session, {})) >= seq)

    async def _spec(self, request: web.Request) -> web.Response:
        self.specs_asked += 1
        spec = self.specs.get((await request.json())["session"])
        return web.json_response(spec) if spec else web.json_response({"code": "not_found"}, status=404)

    async def _ingest(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.refuse_ingest:
            self.refusals += 1
            return web.json_response({"code": "unavailable"}, status=503)
        self.asked += 1
        have = self.events.setdefault(body["session"], {})
        if body["session"] in self.behind:
            return web.json_response({"code": "log_behind", "acked": 1, "last_seq": 9}, status=409)
        for event in body["events"]:
            if event["seq"] > len(have) + 1:
                return web.json_response({"code": "gap", "acked": len(have)}, status=409)
            self.doubled += event["seq"] in have
            have[event["seq"]] = event
        async with self._came:
            self._came.notify_all()
        ends = [event["seq"] for event in body["events"] if event["type"] == "turn_finished"]
        turns = [{"seq": seq, "cost_usd": self.turn_cost_usd} for seq in ends]
        return web.json_response({"acked": len(have), "turns": turns})

    async def _log(self, request: web.Request) -> web.Response:
        asked = await request.json()
        have = self.events.get(asked["session"], {})
        return web.json_response({"events": [have[seq] for seq in sorted(have) if seq > asked["after"]][:50]})

    async def _tool(self, request: web.Request) -> web.Response:
        self.calls.append(await request.json())
        if self.unfinished:
            self.unfinished -= 1
            return web.json_response({"unfinished": True})
        return web.json_response({"text": "Done."})

    async def _check(self, request: web.Request) -> web.Response:
        self.checks.append(await request.json())
        refusal = str(self.checks[-1]["arguments"].get("refusal", ""))
        return web.json_response({"ask": not refusal, "refusal": refusal})

    async def _model(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("x-api-key") in self.refused:
            error = {"type": "invalid_request_error", "message": "bad_token: the token does not verify"}
            return web.json_response({"type": "error", "error": error}, status=400)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "content-length")}
        url = self.model_url + request.path_qs
        async with self._http.request(request.method, url, data=await request.read(), headers=headers) as answer:
            kind = {"content-type": answer.headers.get("content-type", "application/json")}
            response = web.StreamResponse(status=answer.status, headers=kind)
            await response.prepare(request)
            try:
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            except (aiohttp.ClientPayloadError, ConnectionError):  # the model's end, or the CLI's
                if request.transport:
                    request.transport.abort()
            return response


class Box:
    """`async with`: everything runs. `kill` and `start` are for the runner alone."""

    def __init__(
        self, root: Path, *, apart: bool = False, alone_s: float = 60.0, cli: str = CLI, **limits: float
    ) -> None:
        self.cli, self.home, self.apart, self.alone_s = cli, root / "home", apart, alone_s
        self.limits = {"max_live_sessions": 4, "idle_cli_s": 600.0, "orphan_s": 900.0, **limits}
        self.short = Path(tempfile.mkdtemp(prefix="oma-r-"))  # a socket's path has 108 bytes at most
        self.model = ModelServer()
        self.runner: Runner | None = None
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        await self.model.__aenter__()
        self.gateway = Gateway(self.short / "box.sock", self.model.url)
        await self.gateway.open()
        self.http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.short / "runner.sock")))
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self.call("POST", "/v1/stop")
        await self.wait_end()
        await self.http.close()
        await self.gateway.close()
        await self.model.__aexit__()
        shutil.rmtree(self.short)

    async def start(self) -> None:
        listening = socket.socket(socket.AF_UNIX)
        (self.short / "runner.sock").unlink(missing_ok=True)
        listening.bind(str(self.short / "runner.sock"))
        listening.listen(128)
        await (self._start_apart(listening) if self.apart else self._start_here(listening))
        body = {"user": USER, "box": BOX, "key": KEY, "log_key": LOG_KEY, **self.limits}
        await self.call("POST", "/v1/init", body, key=BOOT_KEY)

    async def _start_here(self, listening: socket.socket) -> None:
        gateway = str(self.gateway.path)
        self.runner = Runner(cli=self.cli, home=self.home, gateway=gateway, boot_key=BOOT_KEY, alone_s=self.alone_s)
        await self.runner.open()
        self._served = web.AppRunner(App(self.runner).application(), access_log=None, shutdown_timeout=0.5)
        await self._served.setup()
        await web.SockSite(self._served, listening).start()

    async def _start_apart(self, listening: socket.socket) -> None:
        line = "import sys; from core.runner.daemon import main; sys.exit(main(sys.argv[1:]))"
        options = ["--home", str(self.home), "--box-sock", str(self.gateway.path), "--cli", self.cli]
        fd = listening.fileno()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", line, "--fd", str(fd), *options,
            stdin=asyncio.subprocess.PIPE, pass_fds=[fd], cwd=ROOT,
        )  # fmt: skip
        assert self.process.stdin
        self.process.stdin.write(b'{"boot_key": "%s"}\n' % BOOT_KEY.encode())
        listening.close()

    async def wait_end(self) -> None:
        if self.process:
            await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        if self.runner:
            await asyncio.wait_for(self.runner.ended.wait(), PATIENCE_S)
            await self._served.cleanup()

    async def kill(self) -> None:
        """SIGKILL to the runner and nothing else."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str = KEY, sub: str = USER
    ) -> dict[str, Any]:
        headers = self.headers(key=key, sub=sub)
        async with self.http.request(method, "http://runner" + path, json=body, headers=headers) as answer:
            said: dict[str, Any] = await answer.json()
        return {**said, "status": answer.status} if "status" not in said else said

    def headers(self, *, key: str = KEY, sub: str = USER, box: str = BOX) -> dict[str, str]:
        here = tracing.current.get()  # as core.fleet.runner_client does
        traced = {"traceparent": here.header} if here else {}
        audience = tokens.boot_audience() if key == BOOT_KEY else f"runner:{box}"
        return {"Authorization": "Bearer " + tokens.sign({"sub": sub}, key=key, audience=audience), **traced}

    async def session(self, *, kind: str = "chat", **agent: Any) -> "Talker":
        talker = Talker(self, str(uuid.uuid4()), agent.pop("id", None) or new_agent_id())
        self.gateway.specs[talker.id] = {
            "token": "model-token",
            "provider": "anthropic",
            "agent": {"id": talker.agent, "name": "A", "permission_mode": "acceptEdits", "rules": [], **agent},
            "session": {"id": talker.id, "kind": kind, "locale": "en"},
            "tools": TOOLS if kind == "builder" else [],
        }
        body = {"agent": talker.agent, "kind": kind, "locale": "en", "title": ""}
        assert (await self.call("PUT", f"/v1/sessions/{talker.id}", body))["status"] == 200
        return talker

    def marked(self, session: str) -> list[int]:
        """Pids of everything that carries the session's mark."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if f"OMA_SESSION={session}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found

    def cli_pid(self, session: str) -> int:
        """The CLI itself."""
        for pid in self.marked(session):
            if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(CLI) and "stream-json" in _cmdline(pid):
                return pid
        raise LookupError("this session has no CLI")


def _cmdline(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")


class Talker:
    """A session as a page sees it: it sends messages, watches from a number on, and keeps what arrives."""

    def __init__(self, box: Box, session: str, agent: str) -> None:
        self.box, self.id, self.agent = box, session, agent
        self.seen: list[AnyEvent] = []
        self.path = f"/v1/sessions/{session}"

    @property
    def folder(self) -> Path:
        return self.box.home / "agents" / self.agent

    @property
    def log(self) -> Path:
        return self.box.home / ".oma" / "sessions" / f"{self.id}.jsonl"

    async def say(self, text: str, *, message_id: str = "", steer: bool = False) -> dict[str, Any]:
        body = {
            "message_id": message_id or str(uuid.uuid4()),
            "text": text,
            "via": "web",
            "steer": steer,
            "attachments": [],
        }
        return await self.box.call("POST", self.path + "/messages", body)

    async def answer(self, request: str, decision: str, **more: Any) -> dict[str, Any]:
        body = {"decision": decision, "by": "u web", **more}
        return await self.box.call("POST", f"{self.path}/requests/{request}", body)

    async def interrupt(self) -> dict[str, Any]:
        return await self.box.call("POST", self.path + "/interrupt")

    async def stored(self, after: int = 0) -> list[AnyEvent]:
        answer = await self.box.call("GET", f"{self.path}/events?after={after}&limit=1000")
        return decode_many(msgspec.json.encode(answer["events"]))

    @contextlib.asynccontextmanager
    async def watch(self, after: int = 0) -> AsyncIterator["Watch"]:
        url = f"http://runner{self.path}/watch?after={after}"
        async with self.box.http.ws_connect(url, headers=self.box.headers(), max_msg_size=0) as socket:
            yield Watch(socket)


class Watch:
    """An open `watch`: events in order of arrival."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[AnyEvent] = []
        self._at = 0

    async def until(self, wanted: Callable[[Any], bool] | type[Event], *, limit_s: float = PATIENCE_S) -> Any:
        """The next event that is wanted; those before it are in `seen`."""
        check = (lambda event: isinstance(event, wanted)) if isinstance(wanted, type) else wanted
        async with asyncio.timeout(limit_s):
            while True:
                while self._at < len(self.seen):
                    self._at += 1
                    if check(self.seen[self._at - 1]):
                        return self.seen[self._at - 1]
                frame = await self.socket.receive()
                if frame.type is not aiohttp.WSMsgType.TEXT:
                    raise ConnectionError(f"watch ended: {frame.type} {self.socket.close_code}")
                self.seen.extend(decode_many(frame.data))

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]


def numbers(events: list[AnyEvent]) -> list[int]:
    return [seq_of(event) for event in events if seq_of(event)]
