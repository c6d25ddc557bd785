"""Anthropic's Messages API: calls are forwarded unchanged, with the real key."""

from core.config.settings import Secret
from core.gateway.providers import Call
from core.gateway.providers.passthrough import UpstreamRequest, forwarded
from core.observability.redaction import Redactor


class Anthropic:
    """The Upstream of core.gateway.providers.passthrough."""

    fix_hint = "ANTHROPIC_API_KEY"

    def __init__(self, *, key: Secret, base_url: str, redactor: Redactor | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        self.redactor = redactor or Redactor([key])
        self._key = key

    async def upstream_request(self, call: Call) -> UpstreamRequest:
        url = f"{self.base_url}{call.path}" + (f"?{call.query}" if call.query else "")
        return UpstreamRequest(url=url, headers=forwarded(call.headers) | {"x-api-key": str(self._key)}, body=call.body)

    async def retry_helps(self, refused: UpstreamRequest, status: int, said: bytes) -> bool:
        return False

    def translate_error(self, status: int, said: bytes) -> tuple[int, bytes]:
        return status, said
