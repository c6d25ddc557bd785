"""A network that a test makes up: names lead to addresses it says, and public addresses to loopback ports."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.gateway.egress import network as outside_network
from core.gateway.egress.addresses import Address
from core.gateway.egress.network import Network
from core.gateway.egress.tunnel import TunnelEnd

PUBLIC, OTHER = "93.184.215.14", "93.184.215.15"  # nobody is connected there: `dial` leads to loopback


@dataclass
class World:
    """`names`: the answers of a name, one after the other, the last one for ever. `ports`: where an address leads."""

    names: dict[str, list[list[str]]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    own: set[str] = field(default_factory=set)
    resolved: list[str] = field(default_factory=list)
    dialled: list[str] = field(default_factory=list)

    @property
    def outside(self) -> Network:
        return Network(resolve=self.resolve, dial=self.dial, is_own=lambda address: self._is_own(address))

    def _is_own(self, address: Address) -> bool:
        return str(address) in self.own

    async def resolve(self, name: str) -> Sequence[str]:
        self.resolved.append(name)
        answers = self.names.get(name)
        if not answers:
            raise OSError(f"no such name: {name}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(self, address: str, port: int) -> TunnelEnd:
        if address in self.names:  # as a careless program would: it asks again
            address = (await self.resolve(address))[0]
        self.dialled.append(address)
        if address not in self.ports:
            raise ConnectionRefusedError(address)
        return await outside_network.dial("127.0.0.1", self.ports[address])
