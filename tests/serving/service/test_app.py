import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import polars as pl
import pytest

from assets.publishing import generations
from features.schemas.insight import DIGESTS, MARKET_TRENDS, SKILL_DEMAND
from serving.service.app import Application
from serving.service.problems import ProblemError
from serving.service.routes import ROUTES, Route, match
from serving.service.store import Store
from tests.factories import AS_OF, jobs, publish_small
from tests.serving.client import call
from tests.serving.world import open_store, serve


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    publish_small(folder)
    return folder


@pytest.fixture(scope="module")
def app(published: Path) -> Iterator[Application]:
    store = Store(published)
    store.refresh()
    yield Application(store)


def test_a_feed_carries_job_cards_and_reasons_in_the_asked_language(app: Application) -> None:
    reply = call(app, "/v1/users/anna/feed", "limit=2&lang=ru")

    assert reply.status == 200
    assert reply.json["source"] == "personal"
    first, second = reply.json["items"]
    assert (first["rank"], first["job_id"], first["match_percent"], first["seen"]) == (1, "hh:1", 85, False)
    assert first["reasons"][0]["text"] == "Подходит по навыкам: Python, SQL"
    assert first["job"]["title"] == "Разработчик 1"
    assert first["job"]["url"] == "https://hh.ru/vacancy/1"
    assert second["seen"] is True


def test_accept_language_is_honoured_by_quality(app: Application) -> None:
    reply = call(app, "/v1/users/anna/feed", headers={"accept-language": "de, ru;q=0.8, en;q=0.9"})
    assert reply.json["language"] == "en"
    assert reply.headers["content-language"] == "en"


def test_a_page_of_a_feed_says_how_long_the_feed_is_and_where_the_next_page_lies(app: Application) -> None:
    shown, path, query = [], "/v1/users/anna/feed", "limit=1&lang=ru&min_score=0.1"
    while path:
        reply = call(app, path, query)
        assert reply.json["total"] == 4
        assert reply.json["language"] == "ru"
        shown += [item["job_id"] for item in reply.json["items"]]
        path, _, query = (reply.json["next"] or "").partition("?")
    assert shown == ["hh:1", "hh:2", "hh:3", "hh:4"]


def test_seen_items_and_low_scores_can_be_left_out(app: Application) -> None:
    reply = call(app, "/v1/users/anna/feed", "exclude_seen=true&min_score=0.6")
    assert [item["job_id"] for item in reply.json["items"]] == ["hh:1", "hh:3"]


def test_matches_say_what_speaks_for_and_against_in_the_language_asked_for(app: Application) -> None:
    reply = call(app, "/v1/users/anna/matches", "lang=ru")
    best, other = reply.json["items"]
    assert (best["rank"], best["compatibility"], other["compatibility"]) == (1, 82, 60)
    assert best["match_factors"] == [{"code": "remote", "text": "Можно работать удалённо"}]
    assert best["reasoning"] == "Отличное совпадение" and best["job"]["job_id"] == best["job_id"]
    assert call(app, "/v1/users/anna/matches").json["items"][0]["reasoning"] == "Strong match"


def test_weak_matches_can_be_left_out(app: Application) -> None:
    strong = call(app, "/v1/users/anna/matches", "min_score=0.8").json["items"]
    first = call(app, "/v1/users/anna/matches", "limit=1").json["items"]
    assert [match["rank"] for match in strong] == [match["rank"] for match in first] == [1]
    assert call(app, "/v1/users/nobody/matches").json["items"] == []


def test_pages_follow_one_another(app: Application) -> None:
    pages = [call(app, "/v1/users/anna/feed", f"limit=2&offset={offset}").json["items"] for offset in (0, 2, 4)]
    assert [[item["rank"] for item in page] for page in pages] == [[1, 2], [3, 4], []]


def test_a_user_id_of_any_script_is_found(app: Application) -> None:
    assert call(app, f"/v1/users/{quote('борис')}/feed").json["items"][0]["job_id"] == "hh:5"


def test_an_unknown_user_gets_the_fallback_feed_of_the_best_segment(app: Application) -> None:
    plain = call(app, "/v1/users/nobody/feed")
    assert (plain.status, plain.json["source"], plain.json["items"][0]["job_id"]) == (200, "global", "hh:1")
    segment = call(app, "/v1/users/nobody/feed", "country=KZ&role=cook")
    assert (segment.json["source"], segment.json["items"][0]["job_id"]) == ("segment", "hh:2")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/users/anna/digest",
        "/v1/users/anna/preferences",
        "/v1/users/anna/skill-gaps",
        "/v1/users/anna/applications",
        "/v1/jobs/hh:1",
        "/v1/jobs/hh:1/similar",
        "/v1/trending",
        "/v1/nearby?lat=43.2&lon=76.9",
        "/v1/market",
        "/v1/metrics/recommendations",
        "/v1/generation",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ],
)
def test_every_endpoint_answers_json(app: Application, path: str) -> None:
    reply = call(app, *path.split("?"))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.json is not None


def test_similar_and_trending_carry_cards(app: Application) -> None:
    assert call(app, "/v1/jobs/hh:1/similar").json["items"][0]["job"]["job_id"] == "hh:2"
    assert call(app, "/v1/trending", "window=24h").json["items"][0]["job"]["job_id"] == "hh:3"


def test_names_are_those_of_the_language_asked_for(tmp_path: Path) -> None:
    rows = [("place", "KZ", "ru", "Казахстан"), ("place", "KZ", "en", "Kazakhstan"), ("role", "a", "ru", "«А»")]
    table = pl.DataFrame(rows, schema=["kind", "name", "language", "text"], orient="row")
    publish_small(tmp_path, display_names=table)
    app = serve(open_store(tmp_path))
    assert call(app, "/v1/names", "lang=ru").json["names"] == {"place": {"KZ": "Казахстан"}, "role": {"a": "«А»"}}
    assert call(app, "/v1/names", "lang=en").json["names"] == {"place": {"KZ": "Kazakhstan"}}


@pytest.mark.parametrize(("language", "said"), [("en", "remote"), ("ru", "удалённо")])
def test_cards_of_all_lists_are_in_the_language_asked_for(app: Application, language: str, said: str) -> None:
    for path, query in (
        ("/v1/users/anna/feed", ""),
        ("/v1/jobs/hh:1/similar", ""),
        ("/v1/trending", ""),
    ):
        reply = call(app, path, f"lang={language}{query}")
        assert reply.headers["content-language"] == language, path
        cards = [found["job"] for found in reply.json["items"]]
        assert {card["texts"]["work_format"] for card in cards} == {said}, path


def test_a_user_whose_id_ends_like_a_date_gets_no_digest_of_another(app: Application) -> None:
    assert call(app, "/v1/users/anna/digest", "date=2026-03-01").json["user_id"] == "anna"
    assert call(app, "/v1/users/anna%2F2026-03-01/digest").status == 404


@pytest.mark.parametrize(
    ("path", "template", "identifier"),
    [
        ("/v1/users/anna/feed", "/v1/users/{user_id}/feed", "anna"),
        ("/v1/users/a/b/digest.html", "/v1/users/{user_id}/digest.html", "a/b"),
        ("/v1/users/feed/feed/matches", "/v1/users/{user_id}/matches", "feed/feed"),
        ("/v1/users/a/applications/b/feed", "/v1/users/{user_id}/feed", "a/applications/b"),
        ("/v1/users/a/applications/b/applications", "/v1/users/{user_id}/applications", "a/applications/b"),
        ("/v1/jobs/hh:1", "/v1/jobs/{job_id}", "hh:1"),
        ("/v1/jobs/board:2026/1", "/v1/jobs/{job_id}", "board:2026/1"),
        ("/v1/jobs/board:2026/1/similar", "/v1/jobs/{job_id}/similar", "board:2026/1"),
        ("/v1/jobs/similar", "/v1/jobs/{job_id}", "similar"),
        ("/v1/trending", "/v1/trending", ""),
    ],
)
def test_an_id_may_hold_slashes_and_the_last_segment_selects_the_endpoint(
    path: str, template: str, identifier: str
) -> None:
    route, found = match(path)
    assert (route.template, found) == (template, identifier)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/users",
        "/v1/users/",
        "/v1/users//feed",
        "/v1/users/anna",
        "/v1/users/anna/feed/",
        "/v1/jobs/",
        "/v1/companies/",
        "/v1",
    ],
)
def test_a_path_without_an_id_or_an_endpoint_is_unknown(path: str) -> None:
    with pytest.raises(ProblemError, match="no such path"):
        match(path)


@pytest.mark.parametrize("name", ["digest", "digest.html", "digest.txt"])
def test_a_digest_may_be_asked_for_in_a_language_and_names_its_own(tmp_path: Path, name: str) -> None:
    row = {
        "user_id": "anna",
        "digest_date": AS_OF.date(),
        "html": '<!doctype html>\n<html lang="ru">',
        "text": "Привет",
    }
    digests = pl.DataFrame([row], schema_overrides=dict(DIGESTS.columns)).pipe(DIGESTS.conform)
    publish_small(tmp_path, digests=digests)
    reply = call(serve(open_store(tmp_path)), f"/v1/users/anna/{name}", "lang=en")
    assert (reply.status, reply.headers["content-language"]) == (200, "ru")


def test_the_market_is_shown_by_area_and_in_short(tmp_path: Path) -> None:
    trends = [
        ("skill", skill, area, AS_OF.date(), n) for area in ("all", "KZ") for n, skill in enumerate(("a", "b", "c"))
    ]
    columns = ["dimension", "value", "area", "week", "n_jobs"]
    demand = pl.DataFrame({"skill": ["SQL"], "area": ["DE"], "n_jobs": [4], "share": [1.0]})
    publish_small(
        tmp_path,
        market_trends=MARKET_TRENDS.conform(pl.DataFrame(trends, schema=columns, orient="row")),
        skill_demand=SKILL_DEMAND.conform(demand),
    )
    app = serve(open_store(tmp_path))

    def market(query: str) -> tuple[str, list[str] | None, list[str] | None]:
        found = call(app, "/v1/market", query).json
        trends, demand = found["market"]["market_trends"], found["market"]["skill_demand"]
        return (
            found["area"],
            [row["value"] for row in trends] if trends is not None else None,
            [row["skill"] for row in demand] if demand is not None else None,
        )

    assert market("") == ("all", ["c", "b", "a"], None)
    assert market("area=KZ&limit=2") == ("KZ", ["c", "b"], None)
    assert market("area=DE&limit=1") == ("DE", None, ["SQL"])
    assert market("area=nowhere") == ("nowhere", None, None)
    assert call(app, "/v1/market", "limit=0").status == 400


def test_a_digest_comes_as_page_and_text(app: Application) -> None:
    page = call(app, "/v1/users/anna/digest.html", f"date={AS_OF.date()}")
    assert (page.status, page.body) == (200, b"<!doctype html><p>hello")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert call(app, "/v1/users/anna/digest.txt").body == b"hello"
    assert call(app, "/v1/users/nobody/digest").status == 404
    assert call(app, "/v1/users/anna/digest", "date=2001-01-01").status == 404


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("/v1/users/anna/feed", "limit=0", "limit"),
        ("/v1/users/anna/feed", "limit=abc", "limit"),
        ("/v1/users/anna/feed", "limit=--1", "limit"),
        ("/v1/users/anna/feed", "offset=-1", "offset"),
        ("/v1/users/anna/feed", "min_score=nan", "min_score"),
        ("/v1/users/anna/feed", "exclude_seen=perhaps", "exclude_seen"),
        ("/v1/users/anna/feed", "lang=de", "lang"),
        ("/v1/users/anna/digest", "date=yesterday", "date"),
        ("/v1/trending", "window=1y", "window"),
        ("/v1/nearby", "lat=91&lon=0", "lat"),
        ("/v1/nearby", "lon=0", "lat"),
        ("/v1/users/" + "x" * 200 + "/feed", "", "user_id"),
        ("/v1/users/a%00b/feed", "", "user_id"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_is_allowed(
    app: Application, path: str, query: str, parameter: str
) -> None:
    reply = call(app, path, query)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["parameter"] == parameter
    assert reply.json["allowed"]


def test_unknown_paths_methods_and_jobs_are_problems(app: Application) -> None:
    assert call(app, "/v1/nothing").status == 404
    assert call(app, "/v1/jobs/hh:404").status == 404
    reply = call(app, "/v1/users/anna/feed", method="POST")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert call(app, "/" + "x" * 9000).status == 414


def test_head_has_the_headers_of_get_without_the_body(app: Application) -> None:
    got, head = call(app, "/v1/users/anna/feed"), call(app, "/v1/users/anna/feed", method="HEAD")
    assert head.body == b""
    own = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in own} == {
        k: v for k, v in got.headers.items() if k not in own
    }


def test_an_unchanged_answer_is_304(app: Application) -> None:
    etag = call(app, "/v1/users/anna/feed").headers["etag"]
    again = call(app, "/v1/users/anna/feed", headers={"if-none-match": f'"other", W/{etag}'})
    assert (again.status, again.body) == (304, b"")
    assert call(app, "/v1/users/anna/feed", "limit=3", headers={"if-none-match": etag}).status == 200


def test_without_a_generation_the_service_is_alive_but_not_ready(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.refresh()
    app = Application(store)
    assert call(app, "/healthz").status == 200
    assert call(app, "/readyz").status == 503
    reply = call(app, "/v1/users/anna/feed")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
def test_without_a_published_generation_every_endpoint_says_so(tmp_path: Path, route: Route) -> None:
    app = Application(Store(tmp_path))
    path = re.sub(r"\{\w+\}", "anna", route.template)
    required = [f"{parameter.name}=1" for parameter in route.parameters if parameter.is_required]
    reply = call(app, path, "&".join(required))
    assert (reply.status, reply.headers["content-type"]) == (503, "application/problem+json")
    assert reply.json["detail"] == "no generation is published yet"
    assert call(app, "/").status == 200


def test_the_store_follows_the_pointer_and_etags_change(tmp_path: Path) -> None:
    publish_small(tmp_path)
    store = Store(tmp_path)
    store.refresh()
    app = Application(store)
    before = call(app, "/v1/jobs/hh:1")
    second = publish_small(
        tmp_path, as_of=AS_OF + dt.timedelta(days=1), jobs=jobs([{"job_id": "hh:1", "title": "New"}])
    )
    store.refresh()
    after = call(app, "/v1/jobs/hh:1")

    assert call(app, "/readyz").json["generation"] == second.manifest.generation
    assert (before.json["title"], after.json["title"]) == ("Разработчик 1", "New")
    assert before.headers["etag"] != after.headers["etag"]


def test_a_damaged_generation_is_refused_and_the_last_good_one_served(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    second = publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=1)).manifest.generation
    lookup = tmp_path / second / "lookup.mdb"
    body = bytearray(lookup.read_bytes())
    body[-10] ^= 255
    lookup.write_bytes(bytes(body))

    store.refresh()
    ready = call(Application(store), "/readyz").json
    assert ready["generation"] == first
    assert "content differs" in ready["refused"]
    generations.rollback(tmp_path, first)
    store.refresh()
    assert call(Application(store), "/readyz").json["refused"] is None


def test_rolling_back_serves_the_earlier_generation_again(tmp_path: Path) -> None:
    first = publish_small(tmp_path).manifest.generation
    store = Store(tmp_path)
    store.refresh()
    second = publish_small(tmp_path, as_of=AS_OF + dt.timedelta(days=1)).manifest.generation
    app, served = Application(store), []
    for name in (second, first, second):
        generations.rollback(tmp_path, name)
        store.refresh()
        served.append(call(app, "/v1/generation").json["generation"])
    assert served == [second, first, second]


def test_metrics_count_requests_by_route_not_by_user(app: Application) -> None:
    call(app, "/v1/users/anna/feed")
    text = call(app, "/metrics").body.decode()
    assert 'jobfeed_requests_total{route="/v1/users/{user_id}/feed",status="200"}' in text
    assert "anna" not in text
