"""What every page needs and gets from `main.py`: one frozen value instead of module-level state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from starlette.requests import Request

from core.model import User
from core.settings import Settings
from core.spawner import Isolation

if TYPE_CHECKING:
    from core.agents import Agents
    from core.conversations import Conversations


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Each page's `install(desk)` keeps this and nothing else."""

    settings: Settings
    agents: "Agents"
    conversations: "Conversations"
    auth: Auth
    isolation: Callable[[], Isolation]  # asked at each page: the spawner finds out once, and may find out later
