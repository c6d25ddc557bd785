"""Turns errors into HTTP answers: our JSON for our own calls, the Messages API's form for the CLI."""

import logging

from aiohttp import web

from core.domain.errors import BadInput, PlatformError
from core.lib.aiohttp_disconnects import Handler

log = logging.getLogger("oma.gateway")

API_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def api_error(status: int, message: str) -> web.Response:
    """Return an error in the form of the Messages API."""
    error = {"type": API_TYPES.get(status, "api_error"), "message": message}
    return web.json_response({"type": "error", "error": error}, status=status)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a PlatformError with `{"code", "detail"}` and its status."""
    try:
        return await handler(request)
    except PlatformError as error:
        if error.status >= 500:
            log.warning("%s %s: %s", request.method, request.rel_url.path[:200], error)
        if request.path.startswith("/v1/"):
            # A CLI would repeat a 401 for minutes, although its token stays invalid.
            return api_error(400 if error.status == 401 else error.status, f"{error.code}: {error}")
        return web.json_response({"code": error.code, "detail": str(error)}, status=error.status)


async def read_body(request: web.Request, *, limit_bytes: int) -> bytes:
    """Return the whole body. Raises: BadInput: it is longer than `limit_bytes`, or broke off."""
    if (request.content_length or 0) > limit_bytes:
        raise BadInput(f"the body is over {limit_bytes} bytes", code="too_large")
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > limit_bytes:
                raise BadInput(f"the body is over {limit_bytes} bytes", code="too_large")
    except web.RequestPayloadError as error:
        raise BadInput("the body broke off") from error
    return bytes(body)
