"""The cluster's name service: a pod that is ready has a name in the headless Service that selects it, and an address.

Real DNS over UDP, on the port that a resolv.conf cannot change. `mounted` is what lets a process ask here, through the
system's own resolver and with the search list of a pod, while the rest of the machine asks whom it always asks.
"""

import asyncio
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.kube.objects import Object, Objects

PORT: Final = 53
ZONE: Final = "cluster.local"
CONF: Final = "nameserver {address}\nsearch {namespace}.svc.{zone} svc.{zone} {zone}\noptions ndots:5 timeout:2\n"
SWITCH: Final = "passwd: files\ngroup: files\nhosts: files dns\n"
# A mount namespace of its own: two files are others there, and the process keeps its pid and gets its signals.
MOUNT: Final = 'mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@"'
A, IN, TTL_S = 1, 1, 5
QUESTION_AT: Final = 12
NOT_THERE, ANSWER, RECURSION_ASKED = 3, 0x8400, 0x0100


class Names(asyncio.DatagramProtocol):
    """`open(address)`; closed with `close`. `asked`: the names, in order."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._transport: asyncio.DatagramTransport | None = None
        self.address = ""
        self.asked: list[str] = []

    async def open(self, address: str) -> None:
        """Raises: OSError: the port is not ours, without root: `sysctl -w net.ipv4.ip_unprivileged_port_start=53`."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(address, PORT))
        self.address = address

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def mounted(self, folder: Path, namespace: str) -> Sequence[str]:
        """Words before a command that then asks here, as a pod of `namespace` does."""
        conf, switch = folder / "resolv.conf", folder / "nsswitch.conf"
        conf.write_text(CONF.format(address=self.address, namespace=namespace, zone=ZONE))
        switch.write_text(SWITCH)
        alone = ["unshare", "--mount", "--propagation", "private", *(["--map-root-user"] if os.geteuid() else [])]
        files = [str(conf), str(Path("/etc/resolv.conf").resolve()), str(switch), "/etc/nsswitch.conf"]
        return [*alone, "sh", "-c", MOUNT, "sh", *files]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport
        self._transport.sendto(self._answer(data), addr)

    def _answer(self, asked: bytes) -> bytes:
        number, flags = struct.unpack_from("!HH", asked)
        labels, at = [], QUESTION_AT
        while length := asked[at]:
            labels.append(asked[at + 1 : at + 1 + length].decode().lower())
            at += 1 + length
        kind, _ = struct.unpack_from("!HH", asked, at + 1)
        self.asked.append(name := ".".join(labels))
        found = self.addresses(name)
        given = found if kind == A else []
        head = ANSWER | (flags & RECURSION_ASKED) | (0 if found else NOT_THERE)
        said = struct.pack("!HHHHHH", number, head, 1, len(given), 0, 0) + asked[QUESTION_AT : at + 5]
        record = struct.pack("!HHHIH", 0xC000 | QUESTION_AT, A, IN, TTL_S, 4)
        return said + b"".join(record + bytes(map(int, address.split("."))) for address in given)

    def addresses(self, name: str) -> list[str]:
        """Return the present addresses of `<pod>.<service>.<namespace>.svc.cluster.local`."""
        found = []
        for place, pod in self._objects.find("", "pods"):
            spec = pod["spec"]
            full = f"{spec.get('hostname')}.{spec.get('subdomain')}.{place.namespace}.svc.{ZONE}"
            if full == name and _ready(pod) and self._selected(pod, spec["subdomain"]):
                found += [one["ip"] for one in pod["status"].get("podIPs", [])]
        return found

    def _selected(self, pod: Object, name: str) -> bool:
        services = [one for place, one in self._objects.find("", "services") if place.name == name]
        wanted = [set(one["spec"]["selector"].items()) for one in services if one["spec"].get("clusterIP") == "None"]
        return any(selector <= set(pod["metadata"].get("labels", {}).items()) for selector in wanted)


def _ready(pod: Object) -> bool:
    said = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in said)
