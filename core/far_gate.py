"""The web's end of gateways that are not its own: a Deployment beside it, which reads from the Store what there is."""

from core.model import Box


class FarGate:
    """In the place of core.gate.Gate. A Box in the Store is all that gateways need; pages are served without one."""

    up = True

    async def register(self, box: Box) -> None:
        """Its record is in the Store."""

    async def unregister(self, box_id: str) -> None:
        """Its record is gone from the Store; gateways notice within seconds (core.gateway.far_doors)."""
