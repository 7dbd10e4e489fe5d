"""Ten thousand odd requests: every one is answered, a wrong one with a problem that says what was wrong."""

import json
import random
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from serving.service import openapi
from serving.service.app import Application
from serving.service.auth import Authoriser
from serving.service.routes import ROUTES, Route
from tests.serving.client import Reply, call
from tests.serving.world import open_store, publish_full, serve

DOCUMENT = json.loads(openapi.document())
PROBLEM = Draft202012Validator({"$ref": "#/components/schemas/Problem", "components": DOCUMENT["components"]})
REFUSED = {400, 401, 403, 404, 405, 414, 429, 431}
N_REQUESTS = 10_000
METHODS = ("GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "\x00", "G" * 300)
HEADERS = (
    b"accept", b"accept-encoding", b"accept-language", b"authorization", b"cookie", b"host", b"if-modified-since",
    b"if-none-match", b"range", b"x-forwarded-for", b"x-request-id", b"content-length", b"transfer-encoding", b"\xff",
)  # fmt: skip
VALUES = (
    "", "0", "-1", "1e309", "nan", "inf", "٣", "1" * 400, "true", "null", "[]", "{}", "' or 1=1 --", "../../etc/passwd",
    "%00", "\x00", "\n", "\ud800", "💥", "a" * 9000, "2026-02-30", "20260301", "en;q=2", "W/\"", "*", "<script>",
    "${x}",
)  # fmt: skip
SEGMENTS = ("v1", "users", "jobs", "feed", "digest.html", "anna", "..", ".", "", "%", "%zz", "%ff", "%2f", "%00", "~")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return serve(open_store(folder))


def check(reply: Reply, *, method: str) -> None:
    assert reply.status in {200, 304} | REFUSED
    assert reply.headers["x-request-id"]
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["cache-control"] == "no-store"
        if method != "HEAD" and "content-encoding" not in reply.headers:
            assert PROBLEM.is_valid(reply.json)
            assert reply.json["status"] == reply.status
    if method == "HEAD":
        assert reply.body == b""


def odd_bytes(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(0, 40))


def odd_text(rng: random.Random) -> str:
    return rng.choice(VALUES) if rng.random() < 0.8 else odd_bytes(rng).decode("latin-1")


def odd_path(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return "/" + "/".join(rng.choice(SEGMENTS) for _ in range(rng.randrange(0, 7)))
    odd = odd_text(rng)
    raw = odd if rng.random() < 0.2 else quote(odd.encode("utf-8", "surrogatepass"), safe="")
    template = rng.choice(ROUTES).template
    return template.replace("{user_id}", raw).replace("{job_id}", raw)


def odd_query(rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return odd_bytes(rng)
    names = sorted({each.name for route in ROUTES for each in route.parameters})
    pairs = [(rng.choice(names), odd_text(rng)) for _ in range(rng.randrange(0, 4))]
    return "&".join(
        f"{name}={quote_from_bytes(value.encode('utf-8', 'surrogatepass'))}" for name, value in pairs
    ).encode()


def test_ten_thousand_odd_requests_are_refused_with_a_problem(app: Application) -> None:
    rng = random.Random(20260301)
    statuses: dict[int, int] = {}
    for _ in range(N_REQUESTS):
        method = rng.choice(METHODS)
        headers = [
            (rng.choice(HEADERS), odd_text(rng).encode("utf-8", "surrogatepass")) for _ in range(rng.randrange(0, 4))
        ]
        reply = call(app, odd_path(rng), odd_query(rng), method=method, headers=headers)
        check(reply, method=method)
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
    # The odd requests reach what they are meant to reach.
    assert {200, 400, 404, 405, 414} <= set(statuses)


@settings(max_examples=300, deadline=None)
@given(
    route=st.sampled_from(ROUTES),
    identifier=st.text(max_size=40),
    query=st.binary(max_size=60),
    header=st.binary(max_size=60),
    name=st.sampled_from(HEADERS),
)
def test_no_request_fails_the_service(
    app: Application, route: Route, identifier: str, query: bytes, header: bytes, name: bytes
) -> None:
    escaped = quote(identifier.encode("utf-8", "surrogatepass"), safe="")
    path = route.template.replace("{user_id}", escaped).replace("{job_id}", escaped)
    check(call(app, path, query, headers=[(name, header)]), method="GET")


@given(header=st.binary(max_size=80))
def test_no_authorization_header_fails_the_service(app: Application, header: bytes) -> None:
    guarded = serve(app._store, Authoriser((), (b"k" * 32,)))
    assert call(guarded, "/v1/generation", headers=[(b"authorization", header)]).status == 401
    assert call(guarded, "/v1/generation", headers=[(b"authorization", b"Bearer " + header)]).status == 401


@pytest.mark.parametrize("identifier", ["a/b", "a?b", "a#b", "a%b", "..", "é ü", "ключ", "💼", "a&b=c", "x" * 128, "+"])
def test_an_id_of_any_printable_characters_is_one_user(app: Application, identifier: str) -> None:
    reply = call(app, f"/v1/users/{quote(identifier, safe='')}/feed")
    assert (reply.status, reply.json["user_id"]) == (200, identifier)


def test_text_of_the_caller_is_cut_in_answers(app: Application) -> None:
    reply = call(app, "/v1/users/anna/feed", "limit=" + "9" * 3000)
    assert reply.status == 400
    assert len(reply.body) < 600
