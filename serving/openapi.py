"""The API's description (OpenAPI 3.1) and the page that shows it, both from the table of routes."""

import html
import re

import orjson

from serving.contract import SCHEMA_VERSION
from serving.routes import ROUTES, Route

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "parameter": {"type": "string"},
        "allowed": {"type": "string"},
    },
}
_ERRORS = {
    "400": "A parameter is wrong: `parameter` and `allowed` say which and what would be right",
    "401": "No token of a known application",
    "404": "Nothing of that name in the served generation",
    "503": "No generation is served yet",
}


def document() -> bytes:
    """The OpenAPI document."""
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "jobfeed",
                "version": SCHEMA_VERSION,
                "description": "Read-only look-ups in the published generation of job feeds.",
            },
            "paths": {route.template: {"get": _operation(route)} for route in ROUTES},
            "components": {
                "schemas": {"Problem": _PROBLEM},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        },
        option=orjson.OPT_INDENT_2,
    )


def page() -> bytes:
    """A plain page of the endpoints; nothing in it comes from another host."""
    rows = []
    for route in ROUTES:
        names = ", ".join(f"<code>{html.escape(name)}</code>" for name in route.parameters) or "–"
        template, summary = html.escape(route.template), html.escape(route.summary)
        rows.append(f"<tr><td><code>GET {template}</code></td><td>{summary}</td><td>{names}</td></tr>")
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>jobfeed API</title>"
        "<style>body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}"
        "td,th{padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}</style>"
        "<h1>jobfeed API</h1><p>Read-only look-ups in the published generation. "
        "Machine-readable: <a href=/openapi.json>/openapi.json</a>. State: <a href=/healthz>/healthz</a>, "
        "<a href=/readyz>/readyz</a>, <a href=/metrics>/metrics</a>.</p>"
        f"<table><tr><th>Endpoint<th>What<th>Parameters</tr>{''.join(rows)}</table></html>"
    ).encode()


def _operation(route: Route) -> dict[str, object]:
    success = {"description": route.summary, "content": {route.content_type: {"schema": _schema(route)}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    errors = {code: {"description": text, "content": problem} for code, text in _ERRORS.items()}
    return {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {"200": success, "304": {"description": "Unchanged since the ETag"}, **errors},
    }


def _schema(route: Route) -> dict[str, object]:
    return {"type": "object" if route.content_type == "application/json" else "string"}


def _path_parameters(route: Route) -> list[dict[str, object]]:
    names = re.findall(r"\{(\w+)\}", route.template)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(route: Route) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "in": "query",
            "required": bool(about.get("required")),
            "description": about["description"],
            "schema": {key: value for key, value in about.items() if key not in ("description", "required")},
        }
        for name, about in route.parameters.items()
    ]
