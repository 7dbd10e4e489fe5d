"""Job files of every format, and parts made fewer."""

import datetime as dt
import gzip
import json
import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.ingest import landing_run
from assets.ingest.jobs import ingest as jobs_ingest
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.jobs.postings import last_of_each_day, sightings_of, store_sightings
from assets.lake import Lake
from features.schemas.bronze import FILE_POSTINGS, QUARANTINE, SIGHTINGS
from features.sources import lines

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def test_files_of_all_formats_are_read_and_a_second_run_adds_nothing(lake: Lake, landing: Path) -> None:
    folder = landing / "jobs" / "deep"
    folder.mkdir(parents=True)
    rows = [{"source_id": f"{n}", "title": f"Clerk {n}", "source": "ats"} for n in range(8)]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]) + "{bad\n")
    (folder / "b.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows[2:4]).encode()))
    (folder / "c.csv").write_text("source_id,title,source\n4,Clerk 4,ats\n5,Clerk 5\n")
    pl.DataFrame(rows[6:]).write_parquet(folder / "d.parquet")
    (folder / "e.parquet").write_bytes(b"PAR1 not")
    (folder / "f.xlsx").write_bytes(b"x")
    for n in range(2):
        report = ingest_job_files(lake, landing, as_of=AS_OF + n * HOUR)
        report.metadata()
    assert report.n_files_skipped == 6
    found = lake.scan("bronze", FILE_POSTINGS).collect()
    assert found["job_id"].sort().to_list() == [f"ats:{n}" for n in (0, 1, 2, 3, 4, 6, 7)]
    assert set(found["origin"]) == {f"jobs/deep/{name}" for name in ("a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet")}
    refused = lake.scan("bronze", QUARANTINE).sort("file").select("entry", "reason").collect().rows()
    assert refused == [
        ("line 3", "bad_json"),
        ("line 3", "wrong_number_of_fields"),
        ("file", "unreadable"),
        ("file", "unsupported_format"),
    ]
    assert lake.scan("bronze", SIGHTINGS).collect().height == 7


@pytest.mark.parametrize(
    "title",
    [
        *("\u200b", "\u00ad\u2060", "<b></b>", "&#8203;", "&nbsp;", "<img src=x>", "\u202e\u202c", "\ufeff \u200f"),
        *("\u2800", "\u3164\u3164", "\u115f\u1160", "\uffa0", "&#12644;", "\ufe0f", "\u061c", "\u180e", "\u206a\u206f"),
        *("\U000e0041\U000e007f", "\ue000", "\ufff9\ufffb", "\u0301\u0301", "\u034f", "...", "--", "\u009b"),
    ],
)
def test_a_title_in_which_nothing_can_be_read_is_quarantined(lake: Lake, landing: Path, title: str) -> None:
    (landing / "jobs").mkdir(parents=True)
    rows = [{"source_id": "1", "title": title}, {"source_id": "2", "title": "Clerk"}]
    (landing / "jobs" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ingest_job_files(lake, landing, as_of=AS_OF)
    assert lake.scan("bronze", FILE_POSTINGS).collect()["source_id"].to_list() == ["2"]
    assert lake.scan("bronze", QUARANTINE).collect()["reason"].to_list() == ["missing_title"]


def test_the_same_job_in_a_later_file_is_a_new_version_only_if_it_differs(lake: Lake, landing: Path) -> None:
    folder = landing / "jobs"
    folder.mkdir(parents=True)
    for hour, (name, title) in enumerate((("a", "Clerk"), ("b", "Cook"), ("c", "Clerk"))):
        (folder / f"{name}.jsonl").write_text(json.dumps({"source_id": "1", "title": title}) + "\n" * (hour + 1))
        ingest_job_files(lake, landing, as_of=AS_OF + hour * HOUR)
    # A late or repeated file says nothing new: only what a source says now can bring old content back.
    assert lake.scan("bronze", FILE_POSTINGS).sort("seen_at").collect()["title"].to_list() == ["Clerk", "Cook"]
    assert lake.scan("bronze", SIGHTINGS).collect().height == 3


@pytest.mark.parametrize("name", ["a.jsonl", "b.jsonl", "later/a.jsonl"])
@pytest.mark.parametrize("as_csv", [False, True])
def test_an_unchanged_export_is_a_new_sighting_and_changes_nothing_else(
    lake: Lake, landing: Path, name: str, as_csv: bool
) -> None:
    body = "source_id,title\n1,Clerk\n2,Cook\n3\n" if as_csv else '{"source_id": "1", "title": "Clerk"}\n{bad\n'

    def land(name: str, *, mtime: int, as_of: dt.datetime) -> None:
        path = landing / "jobs" / (name.replace("jsonl", "csv") if as_csv else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
        os.utime(path, (mtime, mtime))
        ingest_job_files(lake, landing, as_of=as_of)

    land("a.jsonl", mtime=1_000, as_of=AS_OF)
    before = lake.scan("bronze", FILE_POSTINGS).collect()
    refused = lake.scan("bronze", QUARANTINE).collect()
    land(name, mtime=2_000, as_of=AS_OF + HOUR)
    land("copy.jsonl", mtime=1_500, as_of=AS_OF + 2 * HOUR)  # a copy of the earlier export, which came late
    assert ingest_job_files(lake, landing, as_of=AS_OF + 3 * HOUR).n_files_read == 0
    assert lake.scan("bronze", FILE_POSTINGS).collect().equals(before)
    # Rejects are kept by file: one of another name states its own.
    same_file = pl.col("file") == refused["file"].item()
    assert lake.scan("bronze", QUARANTINE).filter(same_file).collect().equals(refused)
    seen = lake.scan("bronze", SIGHTINGS).group_by("job_id").agg(pl.col("seen_at").sort()).collect()
    assert seen["seen_at"].to_list() == [[AS_OF, AS_OF + HOUR]] * (2 if as_csv else 1)


@pytest.mark.parametrize(
    ("name", "body", "cut"),
    [
        ("a.csv", "source_id,title\n1,Clerk\n2,Cook of the house\n", 7),
        ("a.csv", "source_id,title\n1,Clerk\n2,Cook\n", 1),
        ("a.jsonl", '{"source_id": "1", "title": "Clerk"}\n{"source_id": "2", "title": "Cook"}\n', 9),
    ],
)
def test_a_job_that_is_still_being_written_waits_for_its_end(
    lake: Lake, landing: Path, name: str, body: str, cut: int
) -> None:
    (landing / "jobs").mkdir(parents=True)
    path = landing / "jobs" / name
    for n, written in enumerate((body[:-cut], body)):
        path.write_text(written)
        changed = (AS_OF + n * HOUR).timestamp()
        os.utime(path, (changed, changed))
        ingest_job_files(lake, landing, as_of=AS_OF + n * HOUR)
        assert lake.scan("bronze", FILE_POSTINGS).collect().height == n + 1
    assert lake.scan("bronze", QUARANTINE).collect().is_empty()


@pytest.mark.parametrize(("n_bad", "listed"), [(5, 5), (6, 6), (40, 6)])
def test_a_flood_of_rejects_is_counted_and_not_kept(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, n_bad: int, listed: int
) -> None:
    monkeypatch.setattr(landing_run, "MAX_REJECTS", 5)
    monkeypatch.setattr(lines, "MAX_BLOCK_LINES", 7)
    (landing / "jobs").mkdir(parents=True)
    body = "{bad\n" * n_bad + '{"source_id": "1", "title": "Clerk"}\n'
    for name in ("a", "b"):
        (landing / "jobs" / f"{name}.jsonl").write_text(body.replace("Clerk", f"Clerk {name}"))
    report = ingest_job_files(lake, landing, as_of=AS_OF)
    report.metadata()
    for name in ("a", "b"):
        refused = lake.scan("bronze", QUARANTINE).filter(pl.col("file") == f"jobs/{name}.jsonl").collect()
        flood = refused.filter(pl.col("reason") == "too_many_rejects")
        assert refused.height == listed
        assert flood["detail"].to_list() == (
            [f"{n_bad} entries were refused; the first 5 are listed"] if n_bad > 5 else []
        )
    assert set(lake.scan("bronze", FILE_POSTINGS).collect()["title"]) == {"Clerk a", "Clerk b"}


@pytest.mark.parametrize(("n_good_before", "is_read"), [(0, False), (20, False), (70, True)])
def test_a_file_of_rejects_for_the_most_part_is_read_no_further(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, n_good_before: int, is_read: bool
) -> None:
    monkeypatch.setattr(landing_run, "MAX_REJECTS", 5)
    monkeypatch.setattr(landing_run, "MAX_REFUSED", 30)
    monkeypatch.setattr(lines, "MAX_BLOCK_LINES", 7)
    (landing / "jobs").mkdir(parents=True)
    good = [f'{{"source_id": "{n}", "title": "Clerk"}}\n' for n in range(n_good_before + 1)]
    (landing / "jobs" / "a.jsonl").write_text("".join([*good[:-1], *["{}\n"] * 60, good[-1]]))
    for _ in range(2):  # the second time nothing is left to read
        ingest_job_files(lake, landing, as_of=AS_OF)
        assert lake.scan("bronze", FILE_POSTINGS).collect().height == n_good_before + is_read
        refused = lake.scan("bronze", QUARANTINE).collect()
        assert refused.height == 6
        [detail] = refused.filter(pl.col("reason") == "too_many_rejects")["detail"]
        assert detail.endswith("listed" if is_read else "the rest of the file was not read")


def _bombs() -> dict[str, pa.Table]:
    rows = 40_000
    long = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 1_000_000]))
    ids = pa.array([str(n) for n in range(rows)])
    titles = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["Clerk"]))
    return {
        "description": pa.table({"source_id": ids, "title": titles, "description": long}),
        "rows": pa.table({"title": pa.nulls(30_000_000, pa.bool_())}),
    }


@pytest.mark.parametrize("name", ["description", "rows"])
def test_a_small_parquet_file_that_unpacks_to_all_memory_is_one_reject(
    lake: Lake, landing: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(jobs_ingest, "MEMORY_BYTES", 500_000_000)
    (landing / "jobs").mkdir(parents=True)
    path = landing / "jobs" / "a.parquet"
    pq.write_table(_bombs()[name], path, compression="zstd")
    assert path.stat().st_size < 1_000_000
    pl.DataFrame([{"source_id": "1", "title": "Cook"}]).write_parquet(landing / "jobs" / "b.parquet")
    ingest_job_files(lake, landing, as_of=AS_OF)
    (reason,) = lake.scan("bronze", QUARANTINE).collect()["reason"].to_list()
    assert reason in ("too_much_memory", "unreadable")  # Polars panics at some allocations and aborts at others
    assert lake.scan("bronze", FILE_POSTINGS).collect()["title"].to_list() == ["Cook"]


def test_compaction_keeps_the_last_sighting_of_each_day_and_every_end(lake: Lake) -> None:
    for hour in range(30):
        sightings = sightings_of(pl.Series(["b:1", "b:2"]), source="b", as_of=AS_OF + hour * HOUR)
        ended = sightings.with_columns(is_gone=(pl.col("job_id") == "b:2") & pl.lit(hour == 3))
        store_sightings(lake, ended)
    assert lake.compact("bronze", SIGHTINGS, more_than=29, keep=last_of_each_day) == 1
    found = lake.scan("bronze", SIGHTINGS).sort("job_id", "seen_at").collect()
    hours = found.with_columns(hour=(pl.col("seen_at") - AS_OF).dt.total_hours())
    assert hours.filter(pl.col("job_id") == "b:1")["hour"].to_list() == [21, 29]
    assert hours.filter(pl.col("job_id") == "b:2")["hour"].to_list() == [3, 21, 29]
    assert lake.compact("bronze", SIGHTINGS, more_than=29) == 1


def test_compaction_heals_what_a_killed_one_left_twice(lake: Lake) -> None:
    for hour in range(4):
        store_sightings(lake, sightings_of(pl.Series(["b:1"]), source="b", as_of=AS_OF + hour * HOUR))
    lake.append("bronze", SIGHTINGS, lake.scan("bronze", SIGHTINGS).sort("seen_at").collect())
    assert lake.scan("bronze", SIGHTINGS).collect().height == 8
    lake.compact("bronze", SIGHTINGS, more_than=1)
    assert lake.scan("bronze", SIGHTINGS).collect().height == 4
