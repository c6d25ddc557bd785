"""Decides whether an agent may connect to a target: checks the name, the port, the agent's list and every address."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain import host_patterns
from core.domain.errors import Forbidden, Unavailable
from core.gateway.egress import addresses
from core.gateway.egress.network import Network

# Web, and git over ssh. Not mail: a box could use this machine for spam.
PORTS = frozenset({22, 80, 443})
ADDRESSES = 16  # of one name; further ones are ignored


class Refused(Forbidden):
    """The connection is not allowed; the text is a sentence for the agent and the user."""

    code = "egress_refused"


class Unreachable(Unavailable):
    """The connection is allowed, but nobody answers."""

    code = "egress_unreachable"


@dataclass(frozen=True, slots=True)
class Target:
    """The host and port of a request, as they were written."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Checks targets; it connects nothing."""

    outside: Network

    async def addresses(self, target: Target, *, allowed: Sequence[str]) -> list[str]:
        """Return the addresses that may be connected to for this target, in the resolver's order.

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
        return checked  # never the name: it may resolve to something else the next time

    def _name(self, target: Target, allowed: Sequence[str]) -> str:
        try:
            name = host_patterns.canonical(target.host)
            host_patterns.check_public(name)
        except host_patterns.BadHost as error:
            raise Refused(f"{printable_host(target.host)} is refused: {error}", code="egress_name") from error
        if target.port not in PORTS:
            known = ", ".join(str(port) for port in sorted(PORTS))
            text = f"{name} is refused: port {target.port} is not open to agents ({known} are)"
            raise Refused(text, code="egress_port")
        if not host_patterns.in_list(name, allowed):
            raise Refused(f"{name} is refused: it is not on this agent's list of allowed hosts", code="egress_list")
        return name

    def _checked(self, name: str, text: str) -> str:
        """Check one address of a name; a name with one bad address is refused as a whole."""
        try:
            address = addresses.unmapped(text)
        except ValueError as error:
            raise Refused(f"{name} is refused: its address cannot be read", code="egress_address") from error
        reason = addresses.refusal_reason(address)
        if not reason and self.outside.is_own(address):
            reason = "this machine itself"
        if reason:
            leads = "" if name == text else f"it leads to {address}, "
            raise Refused(f"{name} is refused: {leads}{reason}", code="egress_address")
        return str(address)


def printable_host(text: str) -> str:
    """Return a host name that is safe to show in a log or an answer."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[: host_patterns.NAME_CHARS]
