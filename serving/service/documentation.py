"""The page at /docs: the API's description for people. It has no script and loads nothing from other hosts."""

import html
import json
from typing import Any

import msgspec

from serving.service import openapi

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jobfeed API</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/page.css">
</head>
<body class="docs">
<header><h1>jobfeed API</h1><nav><a href="/">feeds</a> <a href="/openapi.json">openapi.json</a>
<a href="/readyz">readyz</a> <a href="/metrics">metrics</a></nav></header>
<main>
"""


def page() -> bytes:
    """The page, from the OpenAPI document."""
    described = json.loads(openapi.document())
    about = described["info"]["description"].strip().replace("\n\n", "</p><p>")
    parts = [_HEAD, f"<p>{_code_spans(about)}</p>"]
    parts += [_operation(path, item["get"]) for path, item in described["paths"].items()]
    parts.append("<h2>Types</h2>")
    parts += [_type(name, schema) for name, schema in sorted(described["components"]["schemas"].items())]
    return "\n".join([*parts, "</main></body></html>"]).encode()


def _operation(path: str, operation: dict[str, Any]) -> str:
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", []))
    table = f"<table><tr><th>Parameter<th>Allowed<th>What</tr>{rows}</table>" if rows else ""
    answers = "".join(_answer(status, response) for status, response in operation["responses"].items())
    return (
        f'<section><h2 id="{html.escape(operation["operationId"])}"><code>GET {html.escape(path)}</code></h2>'
        f"<p>{html.escape(operation['summary'])}. {_code_spans(html.escape(operation.get('description', '')))}</p>"
        f"{table}<dl>{answers}</dl></section>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    name = html.escape(parameter["name"]) + (" *" if parameter["required"] else "")
    about = parameter.get("description", "in the path")
    return f"<tr><td><code>{name}</code><td>{html.escape(_allowed(schema))}<td>{html.escape(about)}</tr>"


def _allowed(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        allowed = " or ".join(map(str, schema["enum"]))
    elif "minimum" in schema:
        allowed = f"{schema['type']} from {schema['minimum']} to {schema['maximum']}"
    elif "maxLength" in schema:
        allowed = f"at most {schema['maxLength']} characters"
    else:
        allowed = str(schema.get("format", schema["type"]))
    default = schema.get("default")
    return allowed if default in (None, "") else f"{allowed}; default {json.dumps(default).strip(chr(34))}"


def _answer(status: str, response: dict[str, Any]) -> str:
    shown = f"<dt>{status}<dd>{_code_spans(html.escape(response['description']))}"
    for kind, content in response.get("content", {}).items():
        name = str(content["schema"].get("$ref", "")).rsplit("/", 1)[-1]
        link = f' <a href="#type-{name}">{name}</a>' if name else ""
        shown += f" <code>{html.escape(kind)}</code>{link}"
        if status == "200" and "example" in content:
            example = msgspec.json.format(msgspec.json.encode(content["example"]), indent=2).decode()
            shown += f"<details><summary>example</summary><pre>{html.escape(example)}</pre></details>"
    return shown


def _type(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(field)}</code><td>{_kind(about)}<td>{html.escape(about['description'])}</tr>"
        for field, about in schema.get("properties", {}).items()
    )
    about = html.escape(schema.get("description", "")).replace("`", "")
    return f'<section><h3 id="type-{name}">{name}</h3><p>{about}</p><table>{rows}</table></section>'


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f'<a href="#type-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return html.escape(" or ".join(map(str, schema["enum"])))
    return html.escape(str(schema.get("type", "any")))


def _code_spans(text: str) -> str:
    pieces = text.split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))
