"""Claude on Google's Vertex AI: the Messages API at another address, authorised by the workload's identity.

The address has the model's name, the body has `anthropic_version`, and `@` separates dates in model names. Vertex's
answers are forwarded byte for byte; only its errors are translated into the form of the Messages API.
"""

import logging
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from core.domain.errors import BadInput
from core.gateway.http_errors import API_TYPES
from core.gateway.providers import Call
from core.gateway.providers.passthrough import UpstreamRequest, forwarded
from core.gateway.providers.vertex_token import Token
from core.observability.redaction import Redactor

log = logging.getLogger("oma.gateway")

VERSION = msgspec.Raw(b'"vertex-2023-10-16"')
COUNT = "count-tokens"  # stands where the model's name does
# The name becomes part of an address that our token opens; it must not lead to anything else of Vertex.
MODEL = re.compile(r"claude-[a-z0-9-]{1,80}(@[a-z0-9]{1,20})?")
DATED = re.compile(r"-(\d{8})$")
UNKNOWN_BETAS = re.compile(rb"Unexpected value\(s\) (.{1,4000}?) for the `anthropic-beta` header", re.DOTALL)
BETA = re.compile(rb"`([A-Za-z0-9._-]{1,100})`")
KEPT_BETAS = 1000
OVERLOADED = {503: 529}  # Google's word for it, and the Messages API's


class Vertex:
    """The Upstream of core.gateway.providers.passthrough. `secrets` are masked besides the token that is valid now."""

    fix_hint = "that the gateway's identity may use Vertex AI (k8s/setup.sh identities) and the model is enabled there"

    def __init__(
        self, *, token: Token, project: str, region: str, base_url: str = "", secrets: Iterable[str] = ()
    ) -> None:
        self.base_url = base_url.rstrip("/") or base_url_of(region)
        self._models = f"{self.base_url}/projects/{project}/locations/{region}/publishers/anthropic/models"
        self._token, self._secrets = token, tuple(secrets)
        self._tokens: tuple[str, ...] = ()
        self.redactor = Redactor(self._secrets)
        self._unknown: dict[tuple[str, str], None] = {}  # model and beta, the oldest first

    async def upstream_request(self, call: Call) -> UpstreamRequest:
        body = _body(call)
        model = vertex_model(body)
        headers = forwarded(call.headers)
        if call.path.endswith("/count_tokens"):
            headers.pop("anthropic-beta", None)  # none is known there
            body["model"] = msgspec.Raw(msgspec.json.encode(model))
            url = f"{self._models}/{COUNT}:rawPredict"
        else:
            del body["model"]
            verb = "streamRawPredict" if bytes(body.get("stream", b"")) == b"true" else "rawPredict"
            url = f"{self._models}/{model}:{verb}"
        body["anthropic_version"] = VERSION
        if beta := self._known(model, headers.pop("anthropic-beta", "")):
            headers["anthropic-beta"] = beta
        token = await self._token.get()
        self._mask(token)
        return UpstreamRequest(
            url=url, headers=headers | {"authorization": f"Bearer {token}"}, body=msgspec.json.encode(body)
        )

    async def retry_helps(self, refused: UpstreamRequest, status: int, said: bytes) -> bool:
        if status == 401:
            return await self._token.renew(refused.headers["authorization"].removeprefix("Bearer "))
        if status == 400 and (found := UNKNOWN_BETAS.search(said)):
            return self._learn(refused, {beta.decode() for beta in BETA.findall(found[1])})
        return False

    def translate_error(self, status: int, said: bytes) -> tuple[int, bytes]:
        status = OVERLOADED.get(status, status)
        if (message := _googles(said)) is None:
            return status, said
        error = {"type": API_TYPES.get(status, "api_error"), "message": message}
        return status, msgspec.json.encode({"type": "error", "error": error})

    def _known(self, model: str, betas: str) -> str:
        words = (word.strip() for word in betas.split(","))
        return ",".join(word for word in words if word and (model, word) not in self._unknown)

    def _learn(self, refused: UpstreamRequest, unknown: set[str]) -> bool:
        """Remember a beta that Vertex refused: it rejects a whole message for one that it does not know yet."""
        model = refused.url.rpartition("/")[2].partition(":")[0]
        new = unknown & set(refused.headers.get("anthropic-beta", "").split(","))
        log.info("Vertex does not know %s for %s: left out from now on", ", ".join(sorted(new)) or "a beta", model)
        for beta in sorted(new):
            self._unknown[(model, beta)] = None
        while len(self._unknown) > KEPT_BETAS:
            del self._unknown[next(iter(self._unknown))]
        return bool(new)

    def _mask(self, token: str) -> None:
        """Mask this token and the one before it, which open calls may still quote."""
        if token not in self._tokens:
            self._tokens = (token, *self._tokens[:1])
            self.redactor = Redactor([*self._secrets, *self._tokens])


def base_url_of(region: str) -> str:
    """Return the address of a region."""
    host = "aiplatform.googleapis.com"
    match region:
        case "global":
            return f"https://{host}/v1"
        case "us" | "eu":
            return f"https://aiplatform.{region}.rep.googleapis.com/v1"
    return f"https://{region}-{host}/v1"


def vertex_model(body: dict[str, msgspec.Raw]) -> str:
    """Return the model's name at Vertex. Raises: BadInput: it is no Claude model."""
    try:
        model = DATED.sub(r"@\1", msgspec.json.decode(body.get("model", b"null"), type=str))
    except msgspec.DecodeError as error:
        raise BadInput("a request names a model") from error
    if not MODEL.fullmatch(model):
        raise BadInput(f"Vertex has no model {model[:100]!r}")
    return model


def _body(call: Call) -> dict[str, msgspec.Raw]:
    """Decode only the top level of the body; the values stay as they are."""
    try:
        return msgspec.json.decode(call.body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("not a request") from error


def _googles(said: bytes) -> str | None:
    """Return the message of an error in Google's form; None if it has another form."""
    try:
        found: Any = msgspec.json.decode(said)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return said.decode(errors="replace")[:2000] or "no words"
    found = found[0] if isinstance(found, list) and found else found
    error = found.get("error") if isinstance(found, dict) and found.get("type") != "error" else None
    return str(error.get("message", "no words"))[:4000] if isinstance(error, dict) else None
