"""Every error under /api as `application/problem+json`, those of the framework too."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from auth.problems import answer, problem
from core.domain.error_catalogue import REQUESTS
from core.domain.errors import PlatformError, RunnerUnavailable

log = logging.getLogger("oma.api")


def install_for_platform_errors(app: FastAPI) -> None:
    """Answer our own errors wherever they are raised; the framework's stay as they are."""

    @app.exception_handler(PlatformError)
    async def refused(request: Request, error: PlatformError) -> Response:
        if error.status >= 500:  # a runner that is away is no fault of this process, and the same again helps
            level = logging.WARNING if isinstance(error, RunnerUnavailable) else logging.ERROR
            log.log(level, "%s %s failed: %s", request.method, request.url.path, error)
        return problem(error)


def install(api: FastAPI) -> None:
    """Answer every error, whoever raises it."""
    install_for_platform_errors(api)

    @api.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).name.lower()
        return answer(code=code, status=error.status_code, detail=_sentence(code), headers=error.headers)

    @api.exception_handler(RequestValidationError)
    async def misread(_: Request, error: RequestValidationError) -> Response:
        return answer(code="bad_input", status=400, detail=_first_of(error))

    @api.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        # Starlette raises the error again after this answer, and the server writes it to the log.
        return answer(code="internal", status=500, detail=_sentence("internal"))


def _sentence(code: str) -> str:
    entry = REQUESTS.get(code)
    return entry.means if entry else "The request cannot be served."


def _first_of(error: RequestValidationError) -> str:
    """A sentence about the first parameter that is wrong, without the value that was sent."""
    first = error.errors()[0]
    return f"{first['msg']}: `{first['loc'][-1]}`."
