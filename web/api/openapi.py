"""`/api/v1/openapi.json`: what FastAPI knows of paths and queries, and what msgspec knows of bodies and answers."""

from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from auth.problems import MEDIA_TYPE, Problem
from web.api.routing import COMMON, Description, as_json, description_of

BINARY = {"type": "string", "format": "binary"}
REF = "#/components/schemas/{name}"


def install(api: FastAPI, *, prefix: str) -> None:
    """Serve the document at `/openapi.json` of `api`, which is mounted at `prefix`."""

    @cache
    def document() -> dict[str, Any]:
        return described(api, prefix=prefix)

    @api.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return as_json(document())


def described(api: FastAPI, *, prefix: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of `api`."""
    routes = [route for route in api.routes if isinstance(route, APIRoute) and route.include_in_schema]
    found = get_openapi(title=api.title, version=api.version, routes=routes, servers=[{"url": prefix}])
    kinds = {kind for route in routes for kind in _kinds(description_of(route.endpoint))} | {Problem}
    ordered = sorted(kinds, key=repr)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=REF)
    schema_of = dict(zip(ordered, schemas, strict=True))
    found["components"] = {"schemas": components}
    for route in routes:
        [method] = route.methods or {""}
        _complete(found["paths"][route.path_format][method.lower()], description_of(route.endpoint), schema_of)
    return found


def _kinds(description: Description) -> set[Any]:
    return {kind for kind in (description.body, description.answer) if kind not in (None, bytes)}


def _complete(operation: dict[str, Any], description: Description, schema_of: dict[Any, Any]) -> None:
    """Put bodies and answers into what FastAPI wrote."""
    if description.body is not None:
        required = any(field.required for field in msgspec.structs.fields(description.body))
        content = {"application/json": {"schema": schema_of[description.body]}}
        operation["requestBody"] = {"required": required, "content": content}
    if description.takes:
        operation["requestBody"] = {"required": True, "content": {description.takes: {"schema": BINARY}}}
    answers = {description.gives: {"schema": BINARY}} if description.gives else {}
    if description.answer is not bytes:
        answers["application/json"] = {"schema": schema_of[description.answer]}
    refused = {MEDIA_TYPE: {"schema": schema_of[Problem]}}
    operation["responses"] = {
        str(description.status): {
            "description": HTTPStatus(description.status).phrase,
            "content": answers,
        },
        **{
            str(status): {"description": HTTPStatus(status).phrase, "content": refused}
            for status in sorted({*COMMON, *description.problems})
        },
    }
