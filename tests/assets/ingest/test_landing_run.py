"""Landed files that change or fail while a run reads them: nothing of them is lost, and nothing is read without end."""

import datetime as dt
import errno
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.config.sources import Sources
from assets.ingest import landing as landing_module
from assets.ingest.events.ingest import ingest_events
from assets.ingest.hh.client import hh_client
from assets.ingest.hh.ingest import ingest_hh
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.landing import LandingManifest, list_landed
from assets.lake import Lake
from features.schemas.bronze import EVENTS, FILE_POSTINGS, HH_POSTINGS, QUARANTINE

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def event(number: int) -> str:
    at = (AS_OF - DAY).isoformat()
    return json.dumps(
        {"event_id": f"e{number}", "user_id": "u", "job_id": "file:1", "event_type": "view", "occurred_at": at}
    )


def put(landing: Path, name: str, text: str, *, written_at: dt.datetime = AS_OF - HOUR) -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    os.utime(path, (written_at.timestamp(),) * 2)
    return path


def ids(lake: Lake) -> list[str]:
    return lake.scan("bronze", EVENTS).collect()["event_id"].sort().to_list()


def reasons(lake: Lake) -> list[str]:
    return lake.scan("bronze", QUARANTINE).collect()["reason"].to_list()


def is_idle(lake: Lake, landing: Path, *, kind: str = "interactions", at: dt.datetime) -> bool:
    manifest = LandingManifest.load(lake, kind, as_of=at)
    return all(manifest.is_read(file) for file in list_landed(landing, kind))


def once_after_the_hash(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    digest, waiting = landing_module.file_digest, [change]

    def hashed(path: Path) -> str:
        found = digest(path)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(landing_module, "file_digest", hashed)


def fail(monkeypatch: pytest.MonkeyPatch, path: Path, *, times: int = 1_000_000) -> list[int]:
    """Makes that many readings of the file fail, not its hashing, which has no buffer. Returns an item for each."""
    really, failed = Path.open, []

    def opened(self: Path, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        if self == path and buffering != 0 and len(failed) < times:
            failed.append(1)
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return really(self, mode, buffering, *rest, **named)

    monkeypatch.setattr(Path, "open", opened)
    return failed


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_log_that_is_rotated_while_it_is_read_is_read_under_its_new_name(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, is_replaced: bool
) -> None:
    path = put(landing, "interactions/events.jsonl", event(1) + "\n")

    def rotate() -> None:
        path.rename(path.with_name("events.1.jsonl"))
        if is_replaced:
            put(landing, "interactions/events.jsonl", event(2) + "\n")

    once_after_the_hash(monkeypatch, rotate)
    ingest_events(lake, landing, as_of=AS_OF)
    ingest_events(lake, landing, as_of=AS_OF + HOUR)
    assert ids(lake) == (["e1", "e2"] if is_replaced else ["e1"])
    assert is_idle(lake, landing, at=AS_OF + 2 * HOUR)


def test_a_log_that_grows_while_it_is_read_is_read_once_more(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(landing, "interactions/events.jsonl", event(1) + "\n", written_at=AS_OF)
    once_after_the_hash(monkeypatch, lambda: path.write_text(f"{event(1)}\n{event(2)}"))
    ingest_events(lake, landing, as_of=AS_OF)
    assert ids(lake) == ["e1"]
    os.utime(path, (AS_OF.timestamp(),) * 2)
    for _ in range(2):
        ingest_events(lake, landing, as_of=AS_OF + HOUR)
    assert ids(lake) == ["e1", "e2"] and reasons(lake) == []
    assert is_idle(lake, landing, at=AS_OF + 2 * HOUR)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_file_of_which_reading_failed_is_read_by_the_next_run(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fields = json.loads(event(1))
    text = event(1) if name == "a.jsonl" else f"{','.join(fields)}\n{','.join(fields.values())}"
    path = put(landing, f"interactions/{name}", text + "\n")
    fail(monkeypatch, path, times=1)
    ingest_events(lake, landing, as_of=AS_OF)
    assert ids(lake) == [] and reasons(lake) == ["read_failed"]
    assert not is_idle(lake, landing, at=AS_OF + HOUR)
    ingest_events(lake, landing, as_of=AS_OF + HOUR)
    assert ids(lake) == ["e1"]
    assert is_idle(lake, landing, at=AS_OF + 2 * HOUR)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_job_files_of_which_reading_failed_are_read_by_the_next_run(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text = '{"source_id": "1", "title": "Clerk"}\n' if name == "a.jsonl" else "source_id,title\n1,Clerk\n"
    fail(monkeypatch, put(landing, f"jobs/{name}", text), times=1)
    for hour in range(2):
        ingest_job_files(lake, landing, as_of=AS_OF + hour * HOUR)
    assert lake.scan("bronze", FILE_POSTINGS).collect()["title"].to_list() == ["Clerk"]
    assert reasons(lake) == ["read_failed"]
    assert is_idle(lake, landing, kind="jobs", at=AS_OF + 2 * HOUR)


def test_pages_of_headhunter_that_fail_or_go_while_they_are_read_are_read_by_the_next_run(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = hh_client(Sources(), token=None)
    path = put(landing, "hh/a.json", '{"id": "1", "name": "Clerk"}')
    put(landing, "hh/b.json", '{"id": "2", "name": "Cook"}')
    fail(monkeypatch, put(landing, "hh/c.json", '{"id": "3", "name": "Clown"}'), times=1)
    once_after_the_hash(monkeypatch, lambda: path.rename(path.with_name("d.json")))
    n_read = [ingest_hh(lake, landing, client, as_of=AS_OF + hour * HOUR).n_files_read for hour in range(3)]
    assert n_read == [3, 2, 0]
    assert sorted(lake.scan("bronze", HH_POSTINGS).collect()["title"].unique()) == ["Clerk", "Clown", "Cook"]
    assert is_idle(lake, landing, kind="hh", at=AS_OF + 3 * HOUR)


def test_a_file_that_fails_for_ever_is_tried_ever_less_often_but_at_least_daily(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = fail(monkeypatch, put(landing, "interactions/a.jsonl", event(1) + "\n"))
    tried_at = []
    for hour in range(96):
        n_before = len(failed)
        ingest_events(lake, landing, as_of=AS_OF + hour * HOUR)
        tried_at += [hour] if len(failed) > n_before else []
    assert tried_at == [0, 1, 3, 7, 15, 31, 55, 79]
    monkeypatch.undo()
    ingest_events(lake, landing, as_of=AS_OF + 103 * HOUR)
    assert ids(lake) == ["e1"]


def test_a_damaged_file_is_not_read_again(lake: Lake, landing: Path) -> None:
    path = put(landing, "interactions/a.jsonl.gz", "".join(event(n) + "\n" for n in range(9)))
    path.write_bytes(path.read_bytes()[:-9])
    put(landing, "interactions/b.jsonl.gz", "x").write_bytes(b"no gzip at all")
    put(landing, "interactions/c.parquet", "no Parquet at all")
    put(landing, "interactions/d.parquet", "PAR1 no Parquet at all PAR1")
    ingest_events(lake, landing, as_of=AS_OF)
    assert set(reasons(lake)) == {"unreadable"}
    assert is_idle(lake, landing, at=AS_OF + HOUR)


def test_a_copy_that_can_be_read_makes_up_for_one_that_can_not(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(monkeypatch, put(landing, "interactions/a.jsonl", event(1) + "\n"))
    put(landing, "interactions/b.jsonl", event(1) + "\n")
    ingest_events(lake, landing, as_of=AS_OF)
    assert ids(lake) == ["e1"]
    assert is_idle(lake, landing, at=AS_OF + HOUR)
    files = lake.folder("bronze", "landing_files") / "interactions.parquet"
    assert pl.read_parquet(files)["retry_at"].to_list() == [None, None]
