"""The ledger: what was read is not read again, whatever it is called."""

import datetime as dt
import os
from pathlib import Path

from assets.ingest.landing import Ledger, list_landed
from assets.lake import Lake

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def put(landing: Path, name: str, body: str = "x") -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)
    return path


def read(lake: Lake, landing: Path, *, at: dt.datetime = AS_OF, retry_at: dt.datetime | None = None) -> list[str]:
    ledger = Ledger.load(lake, "jobs", as_of=at)
    names = []
    for file, digest in ledger.unread(list_landed(landing, "jobs")):
        names.append(file.name)
        ledger.record(file, digest, n_rows=1, n_rejects=0, retry_at=retry_at)
    ledger.save(lake)
    return names


def test_an_unchanged_file_is_read_once_and_a_changed_one_again(lake: Lake, landing: Path) -> None:
    path = put(landing, "jobs/a.jsonl")
    assert read(lake, landing) == ["jobs/a.jsonl"]
    assert read(lake, landing) == []
    path.write_text("longer")
    assert read(lake, landing) == ["jobs/a.jsonl"]


def test_known_content_under_another_name_is_not_read_again(lake: Lake, landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    put(landing, "jobs/copy.jsonl")
    assert read(lake, landing) == ["jobs/a.jsonl"]
    put(landing, "jobs/deep/er/late.jsonl")
    assert read(lake, landing) == []


def test_a_touched_file_is_recognised_by_its_content(lake: Lake, landing: Path) -> None:
    path = put(landing, "jobs/a.jsonl")
    read(lake, landing)
    os.utime(path, ns=(1, 1))
    assert read(lake, landing) == []


def test_a_file_to_retry_is_read_again_only_when_its_time_has_come(lake: Lake, landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    assert read(lake, landing, retry_at=AS_OF + HOUR) == ["jobs/a.jsonl"]
    assert read(lake, landing) == []
    assert read(lake, landing, at=AS_OF + HOUR) == ["jobs/a.jsonl"]
    assert read(lake, landing, at=AS_OF + 2 * HOUR) == []


def test_unfinished_and_hidden_files_and_folders_that_are_missing_are_left_alone(lake: Lake, landing: Path) -> None:
    assert read(lake, landing) == []
    for name in ("jobs/.hidden.jsonl", "jobs/a.jsonl.tmp", "jobs/b.part", "jobs/.git/c.jsonl"):
        put(landing, name)
    assert read(lake, landing) == []


def test_a_file_that_disappears_after_it_was_listed_is_passed_over(lake: Lake, landing: Path) -> None:
    path = put(landing, "jobs/a.jsonl")
    files = list_landed(landing, "jobs")
    path.unlink()
    ledger = Ledger.load(lake, "jobs", as_of=AS_OF)
    assert (list(ledger.unread(files)), ledger.n_unreadable) == ([], 1)


def test_suffixes_tell_format_and_compression(landing: Path) -> None:
    for name in ("a.JSONL.gz", "b.v1.csv", "c"):
        put(landing, f"jobs/{name}")
    assert [file.suffixes for file in list_landed(landing, "jobs")] == [".jsonl.gz", ".csv", ""]
