"""The log of ingest runs, and the promise that all that was read is accounted for, whatever is read how often."""

import datetime as dt
import gzip
import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.config.files import SHIPPED_VOCABULARY
from assets.config.sources import HHSource, Sources
from assets.ingest.events.ingest import ingest_events
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.http.client import HttpClient
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.people.ingest import ingest_erasures, ingest_users
from assets.ingest.people.resumes import ResumeVocabulary, ingest_resumes
from assets.ingest.report import AccountingError, RunReport
from assets.ingest.run_log import plots, recent_runs, record_runs
from assets.lake import Lake
from features.schemas.bronze import INGEST_RUNS
from tests.assets.ingest.http.fault_server import FakeTime, make_client

VOCABULARY = ResumeVocabulary.load(SHIPPED_VOCABULARY)
AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def report(source: str = "board", **counts: object) -> RunReport:
    made = RunReport()
    for name, value in counts.items():
        setattr(made.of(source), name, value)
    return made


def logged(lake: Lake) -> pl.DataFrame:
    return lake.scan("bronze", INGEST_RUNS).collect().sort("source", "ran_at", "attempt")


def test_a_run_leaves_one_row_a_source_with_all_its_counts(lake: Lake) -> None:
    made = report(n_fetched=2, n_read=5, n_new=1, n_changed=1, n_unchanged=1, n_quarantined=2, n_listed=3)
    made.of("board").reasons.update({"bad_json": 2})
    record_runs(lake, made, kind="feed_postings", as_of=AS_OF)
    row = logged(lake).row(0, named=True)
    assert (row["n_fetched"], row["n_read"], row["n_parsed"], row["n_listed"]) == (2, 5, 3, 3)
    assert row["reasons"] == [{"reason": "bad_json", "n": 2}] and row["ran_at"] == AS_OF


def test_a_run_that_read_nothing_leaves_no_row_and_a_failure_does(lake: Lake) -> None:
    record_runs(lake, report(statuses=["not due yet"]), kind="feed_postings", as_of=AS_OF)
    assert logged(lake).is_empty()
    record_runs(lake, report(statuses=["failed: x"], is_failed=True), kind="feed_postings", as_of=AS_OF)
    assert logged(lake)["status"].to_list() == ["failed: x"]


def test_another_attempt_at_the_same_instant_is_kept_beside_the_first(lake: Lake) -> None:
    for _ in range(2):
        record_runs(lake, report(n_fetched=1), kind="feed_postings", as_of=AS_OF)
    record_runs(lake, report(n_fetched=1), kind="hh_postings", as_of=AS_OF)
    assert logged(lake).select("kind", "attempt").sort("kind", "attempt").rows() == [
        ("feed_postings", 0), ("feed_postings", 1), ("hh_postings", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [{"n_read": 1}, {"n_new": 1}, {"n_read": 1, "n_quarantined": 1}])
def test_entries_that_are_not_accounted_for_are_an_error(lake: Lake, wrong: dict[str, object]) -> None:
    with pytest.raises(AccountingError, match="board"):
        record_runs(lake, report(**wrong), kind="feed_postings", as_of=AS_OF)


def test_old_runs_are_ignored(lake: Lake) -> None:
    assert recent_runs(lake).is_empty()
    for days, source in ((0, "old"), (10, "kept"), (31, "last")):
        record_runs(lake, report(source, n_fetched=1), kind="feed_postings", as_of=AS_OF + dt.timedelta(days=days))
    record_runs(lake, report("hh", n_fetched=1), kind="hh_postings", as_of=AS_OF + dt.timedelta(days=31))
    assert recent_runs(lake)["source"].sort().to_list() == ["hh", "kept", "last"]
    assert recent_runs(lake, kind="hh_postings")["source"].to_list() == ["hh"]


def test_the_pictures_are_made_of_any_log(lake: Lake) -> None:
    assert "no data yet" in str(plots(logged(lake), title="feeds")["over_time"].value)
    record_runs(lake, report("a.b[c]", n_fetched=1, n_read=3, n_new=3), kind="feed_postings", as_of=AS_OF)
    pictures = plots(logged(lake), title="feeds")
    assert all("data:image/png;base64," in str(picture.value) for picture in pictures.values())


# --- read = new + changed + unchanged + quarantined, always

TITLES = st.sampled_from(["Clerk", "Senior clerk", ""])
IDS = st.sampled_from("abc")
POSTINGS = st.lists(st.tuples(IDS, TITLES), max_size=6)
WHEN = st.sampled_from(["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "soon", "2027-01-01T00:00:00Z"])
LINES = st.lists(st.tuples(IDS, IDS, WHEN), max_size=6)
MALFORMED = st.sampled_from([b"", b"{", b"\xff\x00", b"[]\n1\nnull\n"])


def rss(entries: list[tuple[str, str]]) -> bytes:
    items = "".join(f"<item><title>{t}</title><guid isPermaLink='false'>{g}</guid></item>" for g, t in entries)
    return f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode()


def jsonl(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


landed_feeds = POSTINGS.map(lambda found: ("feeds/board/{}.xml", rss(found)))
landed_jobs = POSTINGS.map(
    lambda found: ("jobs/{}.jsonl", jsonl([{"source": i, "source_id": i, "title": t} for i, t in found]))
)
landed_hh = st.tuples(IDS, TITLES).map(
    lambda found: ("hh/{}.json", json.dumps({"id": str(ord(found[0])), "name": found[1]}).encode())
)
landed_events = LINES.map(
    lambda found: (
        "interactions/{}.jsonl",
        jsonl([{"event_id": e, "user_id": u, "event_type": "view", "job_id": "x:1", "occurred_at": w}
               for e, u, w in found]),
    )
)  # fmt: skip
landed_users = LINES.map(
    lambda found: ("users/{}.jsonl.gz", gzip.compress(jsonl([{"user_id": u, "updated_at": w} for u, _, w in found])))
)
landed_erasures = LINES.map(
    lambda found: ("erasures/{}.jsonl", jsonl([{"user_id": u, "requested_at": w} for u, _, w in found]))
)
landed_resumes = st.tuples(IDS, st.sampled_from([".txt", ".md", ".json", ".xls"])).map(
    lambda found: (f"resumes/{found[0]}-{{}}{found[1]}", b'{"basics": {"name": "Anna"}, "skills": [{"name": "SQL"}]}')
)
landed_rubbish = st.tuples(
    st.sampled_from(["feeds/board/{}.json", "jobs/{}.csv", "hh/{}.json", "interactions/{}.parquet", "users/{}.jsonl",
                     "erasures/{}.txt", "jobs/{}.jsonl.gz", "interactions/{}.jsonl.zst", "feeds/{}.xml"]),
    MALFORMED,
)  # fmt: skip
LANDED = st.one_of(
    landed_feeds, landed_jobs, landed_hh, landed_events, landed_users, landed_erasures, landed_resumes, landed_rubbish
)


def ingest_all(lake: Lake, landing: Path, client: HttpClient, *, as_of: dt.datetime) -> dict[str, RunReport]:
    hh = HHClient(client, HHSource(), None, is_time_up=lambda: False)
    return {
        "erasures": ingest_erasures(lake, landing, as_of=as_of),
        "feed_postings": ingest_feeds(lake, landing, Sources(), client, as_of=as_of),
        "hh_postings": ingest_hh(lake, landing, hh, as_of=as_of),
        "file_postings": ingest_job_files(lake, landing, as_of=as_of),
        "events": ingest_events(lake, landing, as_of=as_of),
        "user_records": ingest_users(lake, landing, as_of=as_of),
        "resumes": ingest_resumes(lake, landing, vocabulary=lambda: VOCABULARY, as_of=as_of),
    }


@given(days=st.lists(st.lists(LANDED, max_size=4), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_all_that_is_read_is_accounted_for_in_any_mix_and_however_often(
    days: list[list[tuple[str, bytes]]],
) -> None:
    client = make_client(FakeTime())
    with tempfile.TemporaryDirectory() as folder:
        lake, landing = Lake(Path(folder) / "lake"), Path(folder) / "landing"
        for n, files in enumerate(days):
            for number, (name, body) in enumerate(files):
                path = landing / name.format(f"{n}-{number}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            for attempt in range(2):
                for kind, made in ingest_all(lake, landing, client, as_of=AS_OF + n * HOUR).items():
                    record_runs(lake, made, kind=kind, as_of=AS_OF + n * HOUR)
                    assert attempt == 0 or all(counts.is_idle for counts in made.sources.values())
        runs = logged(lake)
        assert runs.filter(pl.col("n_read") != pl.sum_horizontal(
            "n_new", "n_changed", "n_unchanged", "n_quarantined")).is_empty()  # fmt: skip
        assert runs.filter(pl.col("n_parsed") + pl.col("n_quarantined") != pl.col("n_read")).is_empty()
