"""The API's description (OpenAPI 3.1), made from the table of routes and the response types."""

from collections.abc import Mapping
from typing import Any

import msgspec

from serving.contract.tables import SCHEMA_VERSION
from serving.service import application_responses, company_responses, examples, insight_responses, responses
from serving.service.parameters import PRINTABLE
from serving.service.requests import JSON
from serving.service.responses import Health, Problem, Readiness
from serving.service.routes import ROUTES, Access, Route, longest_identifier

_DESCRIPTION = """Read-only look-ups in the published generation of job feeds.

Every answer belongs to one generation, named in `x-generation`. Answers carry an `ETag`; ask again with
`If-None-Match`. Errors are problem details (RFC 9457) with the `request_id` of the log. An unknown or repeated
parameter is an error, so that a typing mistake is noticed. Ids are percent-encoded. They may hold slashes: the last
segment of the path selects the endpoint, so a job whose id ends in `/similar` can't be looked up, nor an application
whose id, or its last segment, is `feed` or another endpoint of a user. In the path of one application, the first
`/applications/` ends the user's id; in that of two companies, the first `/compare/` ends the id of the first.
"""
_USED = {"400": "A parameter is wrong: `parameter` names it, `allowed` describes what is accepted"}
_TOKEN = {
    "401": "The token is missing, unknown or expired",
    "403": "The token is another user's",
    "429": "The token is over its rate limit; `Retry-After` says when to ask again",
}
_LARGE = {
    "414": "The path is too long",
    "421": "Without tokens, this Host name is not answered",
    "431": "The headers are too long",
}
_SERVICE = {"503": "No generation is served yet; `Retry-After` says when to ask again"}
_MISSING = {"404": "The served generation has no such thing"}
_HEADERS = {
    "etag": "Tag of this answer in this generation",
    "cache-control": "How long the answer may be cached",
    "vary": "Request headers that the answer depends on",
    "x-generation": "The generation that the answer belongs to",
    "x-request-id": "The id that was sent, or a new one; also in the log",
}

_TYPES: Mapping[str, type[msgspec.Struct]] = {
    **vars(responses),
    **vars(insight_responses),
    **vars(application_responses),
    **vars(company_responses),
}


def document() -> bytes:
    """The OpenAPI document."""
    types = [*{route.response: None for route in ROUTES if route.response}, Problem, Health, Readiness]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for name, component in components.items():
        _describe_columns(_TYPES[name], component)
    schema_of = dict(zip(types, schemas, strict=True))
    paths = {route.template: {"get": _operation(route, schema_of)} for route in ROUTES}
    paths |= {path: {"get": operation} for path, operation in _system_operations(schema_of).items()}
    described = {
        "openapi": "3.1.0",
        "info": {"title": "jobfeed", "version": SCHEMA_VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{}, {"token": []}],
        "tags": [{"name": "users"}, {"name": "jobs"}, {"name": "service"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An application's token, or a signed token of one user. "
                    "Not required if the service runs on loopback without tokens.",
                }
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(described), indent=2)


def _describe_columns(kind: type[msgspec.Struct], component: dict[str, Any]) -> None:
    """Adds the contract's descriptions to the properties that are columns."""
    columns = getattr(kind, "columns", {})
    for name, schema in component["properties"].items():
        if "description" not in schema:
            schema["description"] = columns[name].text


def _operation(route: Route, schema_of: dict[Any, Any]) -> dict[str, object]:
    kind = route.content_type.split(";")[0]
    if route.response is None:
        content: dict[str, object] = {"schema": {"type": "string"}}
    else:
        content = {"schema": schema_of[route.response], "example": examples.example(route.response)}
    failures = {**(_USED if route.parameters or route.identifier else {"400": "An unknown parameter"}), **_TOKEN}
    failures |= (_MISSING if route.can_miss else {}) | _LARGE | _SERVICE
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    success = {"description": route.summary, "headers": headers, "content": {kind: content}}
    return {
        "operationId": route.handler.__name__,
        "tags": ["users" if route.access is Access.USER else "jobs"],
        "summary": route.summary,
        "description": (route.handler.__doc__ or "").strip(),
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {
            "200": success,
            "304": {"description": "Unchanged since the ETag in `If-None-Match`"},
            **{status: _failure(text, schema_of) for status, text in failures.items()},
        },
    }


def _failure(text: str, schema_of: dict[Any, Any]) -> dict[str, object]:
    example = examples.example(Problem)
    return {
        "description": text,
        "content": {"application/problem+json": {"schema": schema_of[Problem], "example": example}},
    }


def _path_parameters(route: Route) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": longest_identifier(name), "pattern": PRINTABLE},
            "example": examples.IDENTIFIERS[name],
        }
        for name in (route.identifier, route.second)
        if name is not None
    ]


def _query_parameters(route: Route) -> list[dict[str, object]]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "required": parameter.is_required,
            "description": parameter.description,
            "schema": parameter.schema,
        }
        for parameter in route.parameters
    ]


def _system_operations(schema_of: dict[Any, Any]) -> dict[str, dict[str, object]]:
    health = {JSON: {"schema": schema_of[Health]}}
    ready = {JSON: {"schema": schema_of[Readiness], "example": examples.example(Readiness)}}
    exposition = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": _system_operation("healthz", "Whether the process is alive", {"200": ("It is", health)}),
        "/readyz": _system_operation(
            "readyz",
            "Whether look-ups are answered, from what, and why the answers may be old",
            {"200": ("Look-ups are answered", ready), "503": ("No generation is served yet", ready)},
        ),
        "/metrics": _system_operation(
            "metrics_exposition", "Metrics for Prometheus", {"200": ("Text exposition", exposition)}
        ),
    }


def _system_operation(name: str, summary: str, answers: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, object]:
    responses = {status: {"description": text, "content": content} for status, (text, content) in answers.items()}
    return {"operationId": name, "tags": ["service"], "summary": summary, "security": [], "responses": responses}
