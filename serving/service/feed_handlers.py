"""The handler of feeds: the hot path. Compiled code joins the items (serving/feed_join)."""

from urllib.parse import quote, urlencode

import msgspec

from serving.contract.feed_codec import FEED_HEADER, PACKED_FEED
from serving.contract.keys import COMPONENTS_PREFIX, DOCUMENT_PREFIX, FALLBACK_PREFIX, FEED_PREFIX
from serving.contract.tables import GLOBAL_SEGMENT, LANGUAGES
from serving.service.lookup import Reader
from serving.service.requests import Answer, Request
from serving.service.view import View


class _Weight(msgspec.Struct):
    recipe: str
    component: str
    weight: float


class _Head(msgspec.Struct):
    recipe: str


_HEAD = msgspec.json.Decoder(_Head)
_WEIGHTS = msgspec.json.Decoder(list[_Weight])
_LANGUAGE_HEADERS = {language: {"content-language": language} for language in LANGUAGES}
_ENCODER = msgspec.json.Encoder()
_EMPTY_HEAD = b'"generated_at":null,"recipe":"fallback","arm":"default","source":"global"'
_EMPTY_FEED = FEED_HEADER.pack(PACKED_FEED, 0, len(_EMPTY_HEAD)) + _EMPTY_HEAD


def feed(view: View, request: Request) -> Answer:
    """The user's feed, or the fallback feed of `country` and `role` for a user without one."""
    values = request.values
    reader = view.reader()
    stored = reader.get_packed(FEED_PREFIX, request.identifier)
    components, weights = None, b""
    if values["components"]:
        components = reader.get(COMPONENTS_PREFIX, request.identifier) if stored is not None else None
        weights = reader.get(DOCUMENT_PREFIX, "recipes") or b"[]"
    if stored is None:
        stored = _fallback(reader, values["country"], values["role"])
    return _page(view, request, stored, components, weights)


def _page(
    view: View, request: Request, stored: memoryview, components: bytes | None = None, weights: bytes = b""
) -> Answer:
    """A page as responses.Feed describes it. Its members are joined as text, which is faster than encoding."""
    values = request.values
    limit, offset = values["limit"], values.get("offset", 0)
    head, items = view.page(
        stored,
        components,
        language=request.language,
        offset=offset,
        limit=limit,
        minimum=values["min_score"],
        hides_seen=values.get("exclude_seen", False),
    )
    total = FEED_HEADER.unpack_from(stored)[1]
    following = f'"{_next(request, offset + limit)}"' if offset + limit < total else "null"
    parts = (
        b'{"user_id":', _ENCODER.encode(request.identifier), f',"generation":"{view.name}",'.encode(), head,
        f',"language":"{request.language}","limit":{limit},"offset":{offset},"total":{total},"next":{following}'.encode(),
        b',"items":[', items, b"]",
        _weights(head, weights) if weights else b"", b"}",
    )  # fmt: skip
    return Answer(b"".join(parts), headers=_LANGUAGE_HEADERS[request.language])


def _next(request: Request, offset: int) -> str:
    """The path and query of the page that begins at `offset`, as this page was asked for."""
    values = request.values
    query = {
        "limit": values["limit"],
        "offset": offset,
        "lang": request.language,
        **{name: "true" for name in ("exclude_seen", "components") if values.get(name)},
        **{name: values[name] for name in ("min_score", "country", "role") if values.get(name)},
    }
    return f"/v1/users/{quote(request.identifier, safe='')}/feed?{urlencode(query)}"


def _weights(head: bytes, stored: bytes) -> bytes:
    """The weights of the feed's recipe, as a member."""
    recipe = _HEAD.decode(b"{" + head + b"}").recipe
    return b',"weights":' + _ENCODER.encode(
        {row.component: row.weight for row in _WEIGHTS.decode(stored) if row.recipe == recipe}
    )


def _fallback(reader: Reader, country: str, role: str) -> memoryview:
    segments = [f"country={country}/role={role}"] if country and role else []
    segments += [f"country={country}"] if country else []
    for segment in [*segments, GLOBAL_SEGMENT]:
        found = reader.get_packed(FALLBACK_PREFIX, segment)
        if found is not None:
            return found
    return memoryview(_EMPTY_FEED)
