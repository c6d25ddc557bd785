"""May this agent connect there? The name is judged, the port, the agent's list, and every address of the name."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain import host_patterns
from core.domain.errors import Forbidden, Unavailable
from core.gateway.egress import addresses
from core.gateway.egress.network import Network

# Web, and git over ssh. Not mail: a box that sends it makes this machine a spammer's.
PORTS = frozenset({22, 80, 443})
ADDRESSES = 16  # of one name; more are not looked at, and not tried


class Refused(Forbidden):
    """The text is a sentence for the agent and the user."""

    code = "egress_refused"


class Unreachable(Unavailable):
    """Allowed, but there is nobody."""

    code = "egress_unreachable"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection is asked to go, as it was written."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Judges; connects nothing."""

    outside: Network

    async def addresses(self, target: Target, *, allowed: Sequence[str]) -> list[str]:
        """Addresses that may be dialled for this target, in the resolver's order.

        Raises: Refused. Unreachable: the name does not resolve.
        """
        name = self._name(target, allowed)
        if host_patterns.is_address(name):
            found: Sequence[str] = [name]
        else:
            try:
                found = await self.outside.resolve(name)
            except (OSError, TimeoutError) as error:
                raise Unreachable(f"{name} is not known", code="egress_unknown") from error
        checked = [self._checked(name, address) for address in found[:ADDRESSES]]
        if not checked:
            raise Unreachable(f"{name} is not known", code="egress_unknown")
        return checked  # never the name: it may have changed its mind when it is asked again

    def _name(self, target: Target, allowed: Sequence[str]) -> str:
        try:
            name = host_patterns.canonical(target.host)
            host_patterns.check_public(name)
        except host_patterns.BadHost as error:
            raise Refused(f"{shown(target.host)} is refused: {error}", code="egress_name") from error
        if target.port not in PORTS:
            known = ", ".join(str(port) for port in sorted(PORTS))
            text = f"{name} is refused: port {target.port} is not open to agents ({known} are)"
            raise Refused(text, code="egress_port")
        if not host_patterns.in_list(name, allowed):
            raise Refused(f"{name} is refused: it is not on this agent's list of allowed hosts", code="egress_list")
        return name

    def _checked(self, name: str, text: str) -> str:
        """One address that is no way back into our own networks; one bad one of many spoils the name."""
        try:
            address = addresses.plain(text)
        except ValueError as error:
            raise Refused(f"{name} is refused: its address cannot be read", code="egress_address") from error
        reason = addresses.refused(address)
        if not reason and self.outside.is_own(address):
            reason = "this machine itself"
        if reason:
            leads = "" if name == text else f"it leads to {address}, "
            raise Refused(f"{name} is refused: {leads}{reason}", code="egress_address")
        return str(address)


def shown(text: str) -> str:
    """A host as it may stand in a log or an answer, whatever it was."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[: host_patterns.NAME_CHARS]
