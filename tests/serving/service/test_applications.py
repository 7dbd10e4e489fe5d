"""The endpoints of applications."""

import pytest

from serving.service.app import Application
from serving.service.routes import match
from tests.serving.client import call
from tests.serving.world import open_store, publish_full, serve


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return serve(open_store(folder))


def test_an_application_comes_with_its_own_events_only(app: Application) -> None:
    found = call(app, "/v1/users/anna/applications/app-1").json
    assert [event["text"] for event in found["events"]] == ["note 1", "note 2"]
    assert (found["application"]["state"], len(found["interviews"]), len(found["offers"])) == ("interview", 1, 1)
    other = call(app, "/v1/users/anna/applications/app%2F2").json
    assert (other["application"]["application_id"], other["events"]) == ("app/2", [])


def test_an_application_of_nobody_or_of_another_user_is_not_found(app: Application) -> None:
    for path in ("/v1/users/anna/applications/none", "/v1/users/boris/applications/app-1"):
        assert call(app, path).status == 404
    assert call(app, "/v1/users/boris/applications").json["applications"] == []
    assert call(app, "/v1/users/anna/applications/a%0Ab").status == 400
    assert call(app, "/v1/users/anna/applications/" + "x" * 129).status == 400


def test_the_applications_of_a_user_come_in_one_list(app: Application) -> None:
    found = call(app, "/v1/users/anna/applications").json["applications"]
    assert [each["application_id"] for each in found] == ["app-1", "app/2"]
    assert found[0]["last_event_at"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "template", "identifier"),
    [
        ("/v1/users/a/applications", "/v1/users/{user_id}/applications", "a"),
        ("/v1/users/a/applications/b", "/v1/users/{user_id}/applications/{application_id}", "a\nb"),
        ("/v1/users/a/b/applications/c/d", "/v1/users/{user_id}/applications/{application_id}", "a/b\nc/d"),
        (
            "/v1/users/a/applications/b/applications/c",
            "/v1/users/{user_id}/applications/{application_id}",
            "a\nb/applications/c",
        ),
        ("/v1/companies/a/compare/b", "/v1/companies/{company_id}/compare/{other_id}", "a\nb"),
        ("/v1/companies/a/b", "/v1/companies/{company_id}", "a/b"),
    ],
)
def test_two_ids_in_a_path_are_told_apart(path: str, template: str, identifier: str) -> None:
    route, found = match(path)
    assert (route.template, found) == (template, identifier)


def test_follow_ups_come_with_the_open_ones_first_and_can_be_asked_for_by_status(app: Application) -> None:
    path = "/v1/users/anna/follow-ups"
    every = call(app, path).json["follow_ups"]
    assert [(one["step"], one["status"]) for one in every] == [(1, "due"), (2, "cancelled")]
    assert every[0]["due_at"] == "2026-03-01T02:00:00Z"
    assert [one["step"] for one in call(app, path, "status=cancelled").json["follow_ups"]] == [2]
    assert call(app, "/v1/users/nobody/follow-ups").json["follow_ups"] == []
    refused = call(app, path, "status=late")
    assert (refused.status, refused.json["parameter"]) == (400, "status")
    assert "due or sent or skipped or cancelled" in refused.json["detail"]
    assert call(app, path + "/1").status == 404
