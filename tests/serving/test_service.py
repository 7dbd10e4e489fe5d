"""What surrounds the look-ups: readiness, metrics, log, request ids, compression, and jobs near a point."""

import gzip
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h3
import orjson
import polars as pl
import pytest
import zstandard

from features.nearby import nearby
from serving.__main__ import forget_environment
from serving.service.app import Application
from serving.service.store import Store
from serving.service.telemetry import AccessLog
from tests.factories import AS_OF, jobs
from tests.serving.client import call
from tests.serving.service.test_map_cells import moved
from tests.serving.world import open_store, publish_full, serve


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("published")
    publish_full(folder)
    return open_store(folder)


@pytest.fixture
def app(store: Store) -> Iterator[Application]:
    yield serve(store)


def test_readiness_reports_old_data_but_stays_ready(store: Store) -> None:
    fresh = Application(store, clock=lambda: AS_OF.timestamp() + 3600)
    assert call(fresh, "/readyz").json["status"] == "ready"
    assert call(fresh, "/readyz").json["verified"] is True
    old = call(Application(store, clock=lambda: AS_OF.timestamp() + 27 * 3600), "/readyz")
    assert (old.status, old.json["status"]) == (200, "stale")
    assert old.json["reasons"] == ["the data is 27.0 h old; allowed are 26.0 h"]
    assert old.headers["cache-control"] == "no-store"


def test_readiness_reports_that_nobody_follows_the_pointer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "seconds_since_check", 31.0)
    found = call(serve(store), "/readyz").json
    assert (found["status"], found["reasons"]) == ("stale", ["the pointer was not read for 31 s"])
    assert b"jobfeed_stale 1.0" in call(serve(store), "/metrics").body


def test_metrics_have_as_many_series_as_there_are_routes_whatever_is_requested(app: Application) -> None:
    for number in range(200):
        call(app, f"/v1/users/user-{number}/feed")
        call(app, f"/nothing-{number}")
        call(app, f"/v1/jobs/{number}", f"unknown-{number}=1")
    text = call(app, "/metrics").body.decode()
    series = [line for line in text.splitlines() if line.startswith("jobfeed_requests_total")]
    assert len(series) == 3
    assert 'jobfeed_requests_total{route="unmatched",status="404"} 200.0' in series
    assert "user-1" not in text
    assert f'jobfeed_generation_info{{generation="{call(app, "/readyz").json["generation"]}"}} 1.0' in text
    assert "jobfeed_generation_age_seconds 60.0" in text


def test_the_log_is_written_in_lines_of_json_at_most_a_second_late(store: Store) -> None:
    now, written = [0.0], io.BytesIO()
    app = Application(store, log=AccessLog(written, lambda: now[0]), clock=lambda: 0.0)
    call(app, "/v1/users/anna/feed", "limit=3", headers={"x-request-id": "one"})
    assert written.getvalue() == b""
    now[0] = 1.0
    call(app, "/secret-path", method="BREW")
    first, second = [orjson.loads(line) for line in written.getvalue().splitlines()]
    assert (first["request_id"], first["route"], first["status"]) == ("one", "/v1/users/{user_id}/feed", 200)
    assert first["at"] == "1970-01-01T00:00:00.000+00:00"
    assert first["bytes"] > 500
    assert first["generation"] == second["generation"] == call(app, "/readyz").json["generation"]
    assert (second["method"], second["route"], second["status"]) == ("other", "unmatched", 405)
    for secret in (b"anna", b"limit", b"secret-path", b"BREW"):
        assert secret not in written.getvalue()


def test_a_log_that_cannot_be_written_stops_no_answer(store: Store) -> None:
    class Full:
        def write(self, text: bytes) -> object:
            raise OSError(28, "No space left on device")

        def flush(self) -> object:
            raise AssertionError("nothing was written")

    now = [0.0]
    app = Application(store, log=AccessLog(Full(), lambda: now[0]), clock=lambda: 0.0)
    for now[0] in (0.0, 1.0, 2.0):
        assert call(app, "/v1/users/anna/feed").status == 200


def test_a_sane_request_id_is_kept_and_another_is_replaced(app: Application) -> None:
    assert call(app, "/healthz", headers={"x-request-id": "abc-123.4"}).headers["x-request-id"] == "abc-123.4"
    made = [
        call(app, "/healthz", headers={"x-request-id": odd}).headers["x-request-id"] for odd in ("", "a b", "x" * 200)
    ]
    assert len(set(made)) == 3
    problem = call(app, "/v1/nothing", headers={"x-request-id": "abc"})
    assert problem.json["request_id"] == "abc"


@pytest.mark.parametrize(("accepted", "name"), [("gzip", "gzip"), ("br, zstd", "zstd")])
def test_answers_are_compressed_if_the_caller_accepts_it(app: Application, accepted: str, name: str) -> None:
    plain = call(app, "/v1/users/anna/feed")
    packed = call(app, "/v1/users/anna/feed", headers={"accept-encoding": accepted})
    assert packed.headers["content-encoding"] == name
    assert len(packed.body) < len(plain.body)
    assert int(packed.headers["content-length"]) == len(packed.body)
    unpacked = gzip.decompress(packed.body) if name == "gzip" else zstandard.ZstdDecompressor().decompress(packed.body)
    assert unpacked == plain.body
    assert packed.headers["etag"] != plain.headers["etag"], "an ETag is of one representation"
    assert "accept-encoding" in packed.headers["vary"]


def test_a_repeated_question_gets_the_same_answer(app: Application) -> None:
    first, second = call(app, "/v1/users/anna/feed"), call(app, "/v1/users/anna/feed")
    assert first.body == second.body
    assert call(app, "/v1/users/anna/feed", "lang=ru").body != first.body
    assert call(app, "/v1/users/boris/feed").body != first.body


def test_if_none_match_with_a_star_needs_something_to_be_there(app: Application) -> None:
    assert call(app, "/v1/jobs/hh:1", headers={"if-none-match": "*"}).status == 304
    assert call(app, "/v1/jobs/hh:404", headers={"if-none-match": "*"}).status == 404
    page = call(app, "/")
    assert call(app, "/", headers={"if-none-match": page.headers["etag"]}).status == 304


def test_jobs_nearby_come_by_distance_within_the_radius(app: Application) -> None:
    def found(query: str) -> list[tuple[str, float]]:
        items = call(app, "/v1/nearby", f"lat=43.25&lon=76.9&{query}").json["items"]
        return [(item["job_id"], item["distance_km"]) for item in items]

    assert found("radius_km=5") == [("hh:1", 0.0)]
    assert found("radius_km=25") == [("hh:1", 0.0), ("hh:2", pytest.approx(9.72, abs=0.05))]
    assert [job_id for job_id, _ in found("radius_km=120")] == ["hh:1", "hh:2", "hh:3"]
    assert found("radius_km=120&limit=1") == [("hh:1", 0.0)]


def test_a_job_with_several_places_is_listed_once_by_the_nearest(tmp_path: Path) -> None:
    here, near, far = (43.25, 76.9), (43.25, 77.02), (43.25, 77.3)
    places = {"hh:1": [far, near], "hh:2": [near], "hh:3": [far]}
    app = serve(publish_places(tmp_path, places))

    def found(limit: int) -> list[str]:
        query = f"lat={here[0]}&lon={here[1]}&radius_km=100&limit={limit}"
        return [item["job_id"] for item in call(app, "/v1/nearby", query).json["items"]]

    assert found(20) == ["hh:1", "hh:2", "hh:3"]
    assert found(3) == ["hh:1", "hh:2", "hh:3"]


def test_jobs_at_the_edge_of_a_large_circle_are_found(tmp_path: Path) -> None:
    london, radius_km = (51.5074, -0.1278), 50
    around = [moved(*london, bearing=angle, km=0.99 * radius_km) for angle in range(0, 360, 6)]
    app = serve(publish_places(tmp_path, {f"hh:{number}": [place] for number, place in enumerate(around, start=1)}))
    query = f"lat={london[0]}&lon={london[1]}&radius_km={radius_km}&limit=100"
    assert len(call(app, "/v1/nearby", query).json["items"]) == len(around)


def publish_places(published: Path, places: Mapping[str, Sequence[tuple[float, float]]]) -> Store:
    """A store of jobs at these places; the first one is that of the job's own columns."""
    rows = [
        {
            "job_id": job_id,
            "latitude": first[0],
            "longitude": first[1],
            "locations": [{"latitude": lat, "longitude": lon} for lat, lon in others],
        }
        for job_id, (first, *others) in places.items()
    ]
    placed = jobs(rows)
    features = pl.DataFrame({"job_id": list(places), "recency": 0.5, "engagement": 0.5})
    found = nearby(placed.filter(pl.col("job_id").is_in(list(places))).lazy(), features.lazy())
    publish_full(published, jobs=placed, nearby=found)
    return open_store(published)


@pytest.mark.parametrize("cell", [*sorted(h3.get_pentagons(6)), "pole"])
def test_poles_and_the_date_line_are_answered(app: Application, cell: str) -> None:
    lat, lon = (90, 180) if cell == "pole" else h3.cell_to_latlng(cell)
    assert call(app, "/v1/nearby", f"lat={lat}&lon={lon}&radius_km=200").json["items"] == []


def test_pages_of_the_service_forbid_what_they_do_not_need(app: Application) -> None:
    for path in ("/", "/docs"):
        policy = call(app, path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
    assert call(app, "/static/page.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert call(app, "/static/../app.py").status == 404
    assert call(app, "/static/%2e%2e/app.py").status == 404


def test_a_damaged_value_is_503_not_a_wrong_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.service.lookup import Reader
    from serving.service.store import GenerationError

    publish_full(tmp_path)
    app = serve(open_store(tmp_path))

    def damaged(*_: object) -> bytes:
        raise GenerationError("lookup.mdb: a value is damaged")

    monkeypatch.setattr(Reader, "get_packed", damaged)
    reply = call(app, "/v1/users/anna/feed")
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


def test_a_worker_forgets_the_environment_but_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"TZ": "Asia/Almaty", "PROMETHEUS_MULTIPROC_DIR": "/metrics"}
    environment = {"JOBFEED_TOKEN_KEYS": "secret", "HH_ACCESS_TOKEN": "secret", **kept}
    monkeypatch.setattr(os, "environ", environment)
    forget_environment()
    assert environment == kept
