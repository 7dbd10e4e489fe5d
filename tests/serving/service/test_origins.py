"""CORS: pages of listed origins read answers, others do not, and nothing is sent unless it is configured."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.service.app import Application
from serving.service.origins import AllowedOrigins, OriginsError
from serving.service.store import Store
from tests.factories import publish_small
from tests.serving.client import call

PAGE = "https://app.example.org"
FEED = "/v1/users/anna/feed"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("published")
    publish_small(folder)
    store = Store(folder)
    store.refresh()
    yield store


def test_by_default_no_page_of_another_origin_reads_an_answer(store: Store) -> None:
    reply = call(Application(store), FEED, headers={"origin": PAGE})
    assert reply.status == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]
    assert "origin" not in reply.headers["vary"]
    assert call(Application(store), FEED, method="OPTIONS", headers={"origin": PAGE}).status == 405


def test_a_listed_origin_reads_answers_and_errors_and_may_ask_with_a_token(store: Store) -> None:
    app = Application(store, origins=AllowedOrigins([PAGE + "/"]))
    for path in (FEED, "/v1/nothing", "/readyz"):
        assert call(app, path, headers={"origin": PAGE}).headers["access-control-allow-origin"] == PAGE
    ahead = call(app, FEED, method="OPTIONS", headers={"origin": PAGE})
    assert (ahead.status, ahead.body) == (204, b"")
    assert "authorization" in ahead.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    "origin", ["https://app.example.org.evil", "http://app.example.org", "null", "", PAGE + ":444"]
)
def test_another_origin_does_not_and_caches_are_told_to_keep_them_apart(store: Store, origin: str) -> None:
    app = Application(store, origins=AllowedOrigins([PAGE]))
    reply = call(app, FEED, headers={"origin": origin})
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["vary"] == "origin"
    assert call(app, FEED, method="OPTIONS", headers={"origin": origin}).status == 405


def test_a_star_allows_every_origin(store: Store) -> None:
    app = Application(store, origins=AllowedOrigins(["*"]))
    assert call(app, FEED, headers={"origin": "null"}).headers["access-control-allow-origin"] == "null"


@pytest.mark.parametrize(
    "origin", ["app.example.org", "https://a/b", "ftp://a", "https://a b", "https://", "https://*.a"]
)
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(OriginsError, match=r"is no origin; expected one such as https://app\.example\.org"):
        AllowedOrigins([origin])
