"""What every page needs and gets from `main.py`: one frozen value instead of module-level state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from core.model import Login, User, UserId
from core.settings import Settings
from core.spawner import Isolation

if TYPE_CHECKING:
    from core.account import Account
    from core.agents import Agents
    from core.announcements import Announcements
    from core.audit import Audit
    from core.conversations import Conversations
    from core.export import Export
    from core.outbound import OutboundLog
    from core.people import People
    from core.secrets import Secrets


class Auth(Protocol):
    """Who is at the browser, as far as a page needs to know."""

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
        """Where this user is signed in, last seen first."""

    async def sign_out(self, login: str, *, user: UserId) -> None:
        """End one of the user's logins and its sockets. Raises: NotFound: there is no such one, or not theirs."""

    async def sign_out_everywhere(self, user: UserId) -> None:
        """End all logins of the user, this one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Each page's `install(desk)` keeps this and nothing else."""

    settings: Settings
    agents: "Agents"
    conversations: "Conversations"
    auth: Auth
    account: "Account"
    secrets: "Secrets"
    export: "Export"
    outbound: "OutboundLog"
    people: "People"
    announcements: "Announcements"
    audit: "Audit"
    isolation: Callable[[], Isolation]  # asked at each page: the spawner finds out once, and may find out later
