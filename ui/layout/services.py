"""The services that every page gets from the web process: one frozen value instead of module-level state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from core.config.settings import Settings
from core.domain.records import Login, User, UserId
from core.spawner import Isolation

if TYPE_CHECKING:
    from core.services.account import Account
    from core.services.account_export import Export
    from core.services.agent_definitions import AgentDefinitions
    from core.services.agent_tests import AgentTests
    from core.services.agent_transfer import AgentTransfer
    from core.services.agent_versions import AgentVersions
    from core.services.agents import Agents
    from core.services.announcements import Announcements
    from core.services.audit import Audit
    from core.services.connections import ConnectionHistory
    from core.services.conversations import Conversations
    from core.services.files import Files
    from core.services.model_connection import ModelConnections
    from core.services.notify.channels import Channels
    from core.services.notify.presence import Presence
    from core.services.platform_requests import PlatformRequests
    from core.services.runs import Runs
    from core.services.schedules import Schedules
    from core.services.search import Search
    from core.services.secrets import Secrets
    from core.services.session_controls import SessionControls
    from core.services.spending import Spending
    from core.services.terminals import Terminals
    from core.services.users import UserAdmin


class Auth(Protocol):
    """The signed-in user and their logins, as far as pages need them."""

    @property
    def sign_in_methods(self) -> tuple[str, ...]:
        """`local`, `oidc` or both."""

    def current(self) -> User:
        """The signed-in user of the page being rendered. Raises: NotSignedIn."""

    def user_of(self, request: Request) -> User:
        """The signed-in user of this request. Raises: NotSignedIn."""

    async def prefer(self, user: User, *, locale: str = "", theme: str = "") -> None:
        """Remember the language or theme the user chose (empty: leave it as it is)."""

    def login_of(self, request: Request) -> str:
        """The id of the login of this request, empty for strangers."""

    async def devices(self, user: UserId) -> list[Login]:
        """The logins of this user, last seen first."""

    async def sign_out(self, login: str, *, user: UserId) -> None:
        """End one of the user's logins and its sockets. Raises: NotFound: there is no such one, or not theirs."""

    async def sign_out_everywhere(self, user: UserId) -> None:
        """End all logins of the user, this one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Each page's `install(services)` keeps this and nothing else."""

    settings: Settings
    agents: "Agents"
    definitions: "AgentDefinitions"
    versions: "AgentVersions"
    transfer: "AgentTransfer"
    conversations: "Conversations"
    controls: "SessionControls"
    runs: "Runs"
    schedules: "Schedules"
    platform_requests: "PlatformRequests"
    tests: "AgentTests"
    auth: Auth
    account: "Account"
    secrets: "Secrets"
    export: "Export"
    outbound: "ConnectionHistory"
    files: "Files"
    terminals: "Terminals"
    search: "Search"
    people: "UserAdmin"
    spending: "Spending"
    announcements: "Announcements"
    audit: "Audit"
    channels: "Channels"
    presence: "Presence"
    model: "ModelConnections | None" = None
    isolation: Callable[[], Isolation]  # called by each page, because the spawner may learn it only later

    @property
    def provider(self) -> str:
        """The name of the model provider in force."""
        return self.model.provider if self.model else self.settings.provider
