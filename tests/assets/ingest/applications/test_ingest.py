"""Application events out of landing/."""

import datetime as dt
import gzip
import json
from pathlib import Path

import polars as pl

from assets.config.loading import load_config
from assets.ingest.applications.ingest import ingest_applications
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import APPLICATION_LOG, ERASURES, QUARANTINE

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
STATES = load_config().applications.words


def line(event_id: str, *, user_id: str = "u1", at: str = "2026-02-01T10:00:00Z", to: str = "applied") -> bytes:
    stated = {"event_id": event_id, "user_id": user_id, "occurred_at": at, "event_type": "status", "to": to}
    return json.dumps({**stated, "job_id": "hh:1", "email": "a@b.example"}).encode() + b"\n"


def put(landing: Path, name: str, body: bytes) -> None:
    path = landing / "applications" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def counts(report: RunReport) -> tuple[int, int, int, int]:
    report.metadata()
    found = report.of("applications")
    return found.n_read, found.n_new, found.n_unchanged, found.n_quarantined


def ingest(lake: Lake, landing: Path, *, at: dt.datetime = AS_OF) -> RunReport:
    return ingest_applications(lake, landing, states=STATES, as_of=at)


def stored(lake: Lake) -> list[str]:
    return lake.scan("bronze", APPLICATION_LOG).collect()["event_id"].sort().to_list()


def test_each_event_is_kept_once_however_often_it_lands(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", line("e1") + line("e2") + line("e1") + b"{bad\n")
    put(landing, "deep/b.jsonl.gz", gzip.compress(line("e2") + line("e3")))
    assert counts(ingest(lake, landing)) == (6, 3, 2, 1)
    assert counts(ingest(lake, landing)) == (0, 0, 0, 0)
    put(landing, "c.jsonl", line("e3") + line("e4"))
    assert counts(ingest(lake, landing)) == (2, 1, 1, 0)
    assert stored(lake) == ["e1", "e2", "e3", "e4"]


def test_csv_and_parquet_land_too(lake: Lake, landing: Path) -> None:
    put(
        landing,
        "a.csv",
        b"event_id,user_id,occurred_at,event_type,to,job_id\ne1,u1,2026-02-01T10:00:00Z,status,saved,hh:1\n",
    )
    frame = pl.DataFrame([{"event_id": "e2", "user_id": "u1", "occurred_at": 1769929200, "event_type": "status",
                           "to": "hired", "job_id": "hh:1"}])  # fmt: skip
    (landing / "applications/deep").mkdir()
    frame.write_parquet(landing / "applications/deep/b.parquet")
    assert counts(ingest(lake, landing)) == (2, 2, 0, 0)
    assert stored(lake) == ["e1", "e2"]


def test_what_is_refused_lies_in_the_quarantine_without_contacts(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", line("e1", to="promoted"))
    put(landing, "a.xml", b"<a/>")
    assert counts(ingest(lake, landing)) == (2, 0, 0, 2)
    refused = lake.scan("bronze", QUARANTINE).collect().sort("reason")
    assert refused["reason"].to_list() == ["unknown_state", "unsupported_format"]
    assert "b.example" not in refused["raw"][0]


def test_an_event_of_the_future_is_read_when_its_time_has_come(lake: Lake, landing: Path) -> None:
    put(landing, "a.jsonl", line("e1", at="2026-03-02T10:00:00Z"))
    assert counts(ingest(lake, landing))[3] == 1
    ingest(lake, landing, at=AS_OF + dt.timedelta(days=2))
    assert stored(lake) == ["e1"]


def test_an_erased_user_does_not_return(lake: Lake, landing: Path) -> None:
    erased = pl.DataFrame({"user_id": ["u1"], "requested_at": [AS_OF]})
    lake.replace("bronze", ERASURES, ERASURES.conform(erased))
    put(landing, "a.jsonl", line("e1") + line("e2", user_id="u2"))
    assert counts(ingest(lake, landing)) == (2, 1, 1, 0)
    assert stored(lake) == ["e2"]
