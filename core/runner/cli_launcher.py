"""Starts CLIs: it gets their settings from the gateway, starts the process, and connects the SDK's client."""

import asyncio
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.domain.errors import Conflict, Unavailable
from core.domain.events import Decided
from core.domain.permission_policy import mode_of
from core.protocol.gateway_api import Spec
from core.protocol.versions_api import VersionRef
from core.runner.cli import CliProcess, Json
from core.runner.cli_argv import CliPaths, argv, environment
from core.runner.folder_requests import distrust, wants
from core.runner.gateway_client import GatewayClient
from core.runner.known_secrets import KnownSecrets
from core.runner.model_calls import ModelCalls
from core.runner.pending_requests import ToolRequest, Verdict
from core.runner.permission_judge import PermissionJudge
from core.runner.tool_launcher import ToolLauncher
from core.runner.versions.working_folder import Lease, WorkingFolders

if TYPE_CHECKING:
    from core.runner.cli_client import CliClient

log = logging.getLogger("oma.cli_launcher")

CONNECT_S = 60.0  # MCP servers of the agent may take long to start
_UNKNOWN_SESSION = "No conversation found"


class CliListener(Protocol):
    """The session that a CLI is connected to."""

    id: str
    folder: Path

    @property
    def cli_session(self) -> str: ...
    def on_cli_message(self, said: Json) -> None: ...
    def on_cli_exit(self) -> None: ...
    def on_cli_starting(self, cli_client: "CliClient") -> None: ...
    def on_held_back(self, wanted: tuple[str, ...]) -> None: ...
    def on_decided(self, decided: Decided) -> None: ...
    async def ask(self, request_id: str, request: ToolRequest) -> Verdict: ...
    async def refuse(self, request_id: str, request: ToolRequest) -> Verdict: ...


class CliLauncher:
    """Starts the CLIs of a runner. `known` learns the secrets that they get."""

    def __init__(self, place: CliPaths, gateway: GatewayClient, known: KnownSecrets, calls: ModelCalls) -> None:
        self.place, self.gateway, self.known, self.calls = place, gateway, known, calls
        self._ours: set[int] = set()
        self._folders = WorkingFolders(place.home)

    async def load(self) -> None:
        """Import the modules that a CLI needs, in a thread: it takes a second."""
        await asyncio.to_thread(importlib.import_module, "core.runner.cli_client")

    async def start(self, session: CliListener) -> "CliClient":
        """Start and connect a CLI.

        Raises: Unavailable, NotFound: the gateway does not know the session or does not answer. Unavailable: the CLI
        did not start; the text has its last output. OSError: the folder or a transcript is not as it should be.
        """
        spec = await self.gateway.spec(session.id)
        self.known.learn(spec.secrets.values())  # before a CLI exists that could print them
        lease = await self._prepare(spec)
        session.folder = lease.folder
        try:
            distrust(self.place.home)
            session.on_held_back(wants(lease.folder, spec.agent.rules).held)
            try:
                return await self._connect(session, spec, lease)
            except Unavailable as error:
                if _UNKNOWN_SESSION not in str(error):
                    raise
            self.put_transcript_aside(session.cli_session)  # killed before it held anything to resume
            return await self._connect(session, spec, lease)
        except BaseException:
            lease.release()
            raise

    async def _prepare(self, spec: Spec) -> Lease:
        """The folder in which the CLI will work. Raises: Unavailable: the run's version is damaged. OSError."""
        if spec.version is None:
            folder = self.place.workplace(spec)
            folder.mkdir(parents=True, exist_ok=True)
            return Lease(folder)
        named = VersionRef(commit=spec.version.commit, digest=spec.version.digest)
        try:
            return await self._folders.lease(spec.agent.id, spec.version.number, named)
        except Conflict as error:
            raise Unavailable(str(error), code=error.code) from error

    def put_transcript_aside(self, cli_session: str) -> None:
        """Move the CLI's transcript away, so that its next process starts without memory. Raises: OSError."""
        for transcript in self.place.transcripts(cli_session):
            transcript.rename(transcript.with_suffix(".unusable"))

    async def _connect(self, session: CliListener, spec: Spec, lease: Lease) -> "CliClient":
        await self.load()  # first, because nobody reads a CLI's output before its client exists
        cli = await self._spawn(spec, session.cli_session, lease.folder)
        lease.until(cli.over)
        try:
            module = importlib.import_module("core.runner.cli_client")
            judge = PermissionJudge(
                mode_of(spec.agent.permission_mode),
                tuple(spec.agent.rules),
                folder=lease.folder,
                home=self.place.home,
            )
            client: CliClient = module.CliClient(
                cli, spec, gateway=self.gateway, on_message=session.on_cli_message, on_exit=session.on_cli_exit,
                ask=session.refuse if spec.session.unattended else session.ask, judge=judge, decided=session.on_decided,
            )  # fmt: skip
            await asyncio.wait_for(client.connect(lambda: session.on_cli_starting(client)), CONNECT_S)
        except BaseException as error:
            await cli.close()
            if not isinstance(error, Exception):
                raise
            raise Unavailable(f"{type(error).__name__}: {error}\n{cli.stderr_tail}".strip()) from error
        return client

    async def _spawn(self, spec: Spec, cli_session: str, folder: Path) -> CliProcess:
        place = self.place
        try:
            tools = await ToolLauncher.start(folder, self._ours)
            variables = tools.environment()
            words, environ = argv(spec, place, cli_session, variables), environment(spec, place, variables)
            return await CliProcess.start(words, env=environ, cwd=folder, tools=tools)
        except OSError as error:
            raise Unavailable(f"the CLI cannot be started: {error}") from error
