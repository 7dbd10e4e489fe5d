"""The API's description says what the service does: every answer fits the type and the schema that describe it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from serving.contract.tables import COMPONENTS, FEED_SOURCES, TABLES
from serving.service import documentation, openapi
from serving.service.app import Application
from serving.service.responses import Feed, Job, JobCard, Problem, Readiness
from serving.service.routes import ROUTES, Route
from tests.factories import AS_OF
from tests.serving.client import call
from tests.serving.world import open_store, publish_full, serve

DOCUMENT: dict[str, Any] = json.loads(openapi.document())
# Optional parameters of the requests: each is used once, so that all of them are read.
ASKED = {
    "/v1/users/{user_id}/feed": (
        "limit=3&offset=1&exclude_seen=true&min_score=0.1&lang=ru&components=true&country=KZ&role=cook"
    ),
    "/v1/users/{user_id}/matches": "limit=3&min_score=0.1&lang=ru",
    "/v1/users/{user_id}/digest": f"date={AS_OF.date()}&lang=ru",
    "/v1/users/{user_id}/digest.html": f"date={AS_OF.date()}&lang=ru",
    "/v1/users/{user_id}/digest.txt": f"date={AS_OF.date()}&lang=ru",
    "/v1/users/{user_id}/follow-ups": "status=due",
    "/v1/jobs/{job_id}/similar": "limit=1&lang=ru",
    "/v1/names": "lang=ru",
    "/v1/users/{user_id}/calendar.ics": "lang=ru&token=",
    "/v1/trending": "window=24h&area=all&limit=1&lang=en",
    "/v1/companies": "limit=1",
    "/v1/market": "area=all&limit=5",
    "/v1/nearby": "lat=43.25&lon=76.9&radius_km=200&limit=5&lang=ru",
}
IDENTIFIERS = {
    "{user_id}": "anna", "{job_id}": "hh:1", "{application_id}": "app-1", "{company_id}": "name:acme",
    "{other_id}": "name:a",
}  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return serve(open_store(folder))


def path_of(route: Route) -> str:
    path = route.template
    for name, value in IDENTIFIERS.items():
        path = path.replace(name, value)
    return path


def schema_errors(schema: dict[str, Any], value: Any) -> list[str]:
    root = {**schema, "components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(root).iter_errors(value)]


def all_lists_are_filled(value: Any) -> bool:
    if isinstance(value, dict):
        return all(all_lists_are_filled(each) for name, each in value.items() if name not in ("reasons", "tags"))
    return not isinstance(value, list) or len(value) > 0


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.template)
def test_every_endpoint_answers_as_its_description_says(app: Application, route: Route) -> None:
    asked = ASKED.get(route.template, "")
    assert {part.split("=")[0] for part in asked.split("&") if part} == {each.name for each in route.parameters}
    reply = call(app, path_of(route), asked)
    assert reply.status == 200, reply.body
    described = DOCUMENT["paths"][route.template]["get"]["responses"]["200"]
    assert set(described["headers"]) <= set(reply.headers)
    (kind, content) = next(iter(described["content"].items()))
    assert reply.headers["content-type"].split(";")[0] == kind
    if route.response is not None:
        assert schema_errors(content["schema"], reply.json) == []
        assert all_lists_are_filled(reply.json), "an empty list would prove nothing"
        # Strictly the type and no field beside it.
        assert msgspec.to_builtins(msgspec.json.decode(reply.body, type=route.response)) == reply.json


@pytest.mark.parametrize("route", [route for route in ROUTES if route.response], ids=lambda route: route.template)
def test_every_example_fits_its_schema(route: Route) -> None:
    for status, response in DOCUMENT["paths"][route.template]["get"]["responses"].items():
        for content in response.get("content", {}).values():
            assert "example" in content, status
            assert schema_errors(content["schema"], content["example"]) == []


def test_a_wrong_document_would_be_found(app: Application) -> None:
    schema = {"$ref": "#/components/schemas/Feed"}
    document = call(app, "/v1/users/anna/feed").json
    del document["items"][0]["job"]["title"]
    assert schema_errors(schema, document)


def test_problems_and_readiness_fit_their_types(app: Application) -> None:
    problem = call(app, "/v1/users/anna/feed", "limit=0")
    assert schema_errors({"$ref": "#/components/schemas/Problem"}, problem.json) == []
    assert msgspec.json.decode(problem.body, type=Problem).parameter == "limit"
    assert msgspec.json.decode(call(app, "/readyz").body, type=Readiness).status == "ready"


def test_every_route_parameter_and_error_is_described() -> None:
    assert set(DOCUMENT["paths"]) == {route.template for route in ROUTES} | {"/healthz", "/readyz", "/metrics"}
    for route in ROUTES:
        operation = DOCUMENT["paths"][route.template]["get"]
        named = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        assert named == {each.name for each in route.parameters}
        expected = {"200", "304", "400", "401", "403", "414", "421", "429", "431", "503"} | (
            {"404"} if route.can_miss else set()
        )
        assert set(operation["responses"]) == expected


def test_the_types_have_the_columns_of_the_published_tables(app: Application) -> None:
    assert Job.__struct_fields__ == tuple(TABLES["jobs"])
    assert JobCard.__struct_fields__ == tuple(call(app, "/v1/users/anna/feed").json["items"][0]["job"])
    described = DOCUMENT["components"]["schemas"]
    for table, name in (
        ("skill_gaps", "SkillGap"),
        ("preferences", "Preference"),
        ("applications", "Application"),
        ("application_funnel", "FunnelStep"),
        ("application_events", "ApplicationEvent"),
        ("interviews", "Interview"),
        ("offers", "Offer"),
        ("follow_ups", "FollowUp"),
    ):
        assert set(described[name]["properties"]) == set(TABLES[table]) - {"user_id"}
    for table, name in (
        ("market_trends", "MarketTrend"),
        ("skill_demand", "SkillDemand"),
        ("metrics", "Metric"),
        ("digests", "Digest"),
    ):
        assert set(described[name]["properties"]) == set(TABLES[table])
    assert set(described["Feed"]["properties"]["source"]["enum"]) == set(FEED_SOURCES)


def test_every_property_of_every_response_is_described() -> None:
    properties = [
        each for schema in DOCUMENT["components"]["schemas"].values() for each in schema["properties"].values()
    ]
    assert len(properties) > 150
    assert all(each["description"] for each in properties)


def test_component_values_and_weights_recompute_the_score(app: Application) -> None:
    feed = msgspec.json.decode(call(app, "/v1/users/anna/feed", "components=true").body, type=Feed)
    assert feed.weights == {"skills": 1.0}
    for item in feed.items:
        assert item.components is not msgspec.UNSET
        assert tuple(item.components) == COMPONENTS
        assert item.components["skills"] == pytest.approx(item.score)
    assert b'"components"' not in call(app, "/v1/users/anna/feed").body


def test_the_page_of_the_description_names_every_endpoint_and_needs_no_other_host() -> None:
    page = documentation.page().decode()
    for route in ROUTES:
        assert f"GET {route.template}" in page
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert "<script" not in page
    assert "https://hh.ru" in page, "an example's job has a link, shown as text"
    assert 'src="https:' not in page
    assert 'href="https:' not in page


def test_published_folders_hold_what_the_service_reads(tmp_path: Path) -> None:
    publish_full(tmp_path)
    app = serve(open_store(tmp_path))
    assert call(app, "/v1/generation").json["generation"] == call(app, "/readyz").json["generation"]
