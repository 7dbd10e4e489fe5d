"""Companies by id, and two of them side by side."""

from urllib.parse import quote

import pytest

from serving.service.app import Application
from tests.serving.client import call
from tests.serving.world import open_store, publish_full, serve


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return serve(open_store(folder))


def test_two_companies_are_compared_by_what_they_seek(app: Application) -> None:
    # The first "/compare/" ends the first id.
    reply = call(app, f"/v1/companies/name:acme/compare/{quote('name:b/compare', safe='')}")
    assert [one["company_id"] for one in reply.json["companies"]] == ["name:acme", "name:b/compare"]
    assert reply.json["skills"] == {"both": ["Python"], "only_first": ["acme"], "only_second": ["b/compare"]}


@pytest.mark.parametrize("path", ["/v1/companies/name:none", "/v1/companies/name:none/compare/name:acme"])
def test_an_unknown_company_is_named(app: Application, path: str) -> None:
    reply = call(app, path)
    assert (reply.status, reply.json["company_id"]) == (404, "name:none")


def test_companies_are_listed_by_their_open_postings(app: Application) -> None:
    reply = call(app, "/v1/companies", "limit=2")
    assert [one["company_id"] for one in reply.json["companies"]] == ["name:a", "name:acme"]


def test_facts_and_news_have_their_source_and_date(app: Application) -> None:
    reply = call(app, "/v1/companies/name:acme")
    (fact,), (entry,) = reply.json["facts"], reply.json["news"]
    assert (fact["source"], fact["url"], fact["observed_at"][-1]) == ("site", None, "Z")
    assert (entry["source"], entry["url"], entry["published_at"][-1]) == ("a.example", "https://a.example/1", "Z")
