"""The manifest of landed files: what was read is not read again, whatever it is called."""

import datetime as dt
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from assets.ingest.landing import LandingManifest, list_landed
from assets.ingest.report import RunReport
from assets.lake import Lake

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def put(landing: Path, name: str, body: str = "x") -> Path:
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body)
    return path


def read(lake: Lake, landing: Path, *, at: dt.datetime = AS_OF, retry_at: dt.datetime | None = None) -> list[str]:
    manifest = LandingManifest.load(lake, "jobs", as_of=at)
    names = []
    for file, digest in manifest.unread(list_landed(landing, "jobs")):
        names.append(file.name)
        manifest.record(file, digest, n_rows=1, n_rejects=0, retry_at=retry_at)
    manifest.save(lake)
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


def test_a_rewrite_is_seen_although_size_and_mtime_are_set_back(lake: Lake, landing: Path) -> None:
    path = put(landing, "jobs/a.jsonl", "one")
    replaced = put(landing, "jobs/b.jsonl", "two")
    assert read(lake, landing) == ["jobs/a.jsonl", "jobs/b.jsonl"]
    other = put(landing, "elsewhere/b.jsonl", "six")
    for target, write in ((path, lambda: path.write_text("ten")), (replaced, lambda: other.replace(replaced))):
        status = target.stat()
        write()
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert target.stat().st_mtime_ns == status.st_mtime_ns
    assert read(lake, landing) == ["jobs/a.jsonl", "jobs/b.jsonl"]
    path.chmod(0o640)
    assert read(lake, landing) == []


def test_a_manifest_without_ctime_makes_files_be_hashed_and_not_read_again(lake: Lake, landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    read(lake, landing)
    stored = lake.folder("bronze", "landing_files") / "jobs.parquet"
    pl.read_parquet(stored).drop("ctime_ns").write_parquet(stored)
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
    manifest = LandingManifest.load(lake, "jobs", as_of=AS_OF)
    assert list(manifest.unread(files)) == []
    assert manifest.unreadable == ["jobs/a.jsonl (FileNotFoundError)"]


def test_suffixes_name_format_and_compression(landing: Path) -> None:
    for name in ("a.JSONL.gz", "b.v1.csv", "c"):
        put(landing, f"jobs/{name}")
    assert [file.suffixes for file in list_landed(landing, "jobs")] == [".jsonl.gz", ".csv", ""]


def test_a_file_whose_name_is_no_utf8_is_read_and_remembered(lake: Lake, landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    (landing / "jobs" / os.fsdecode("вакансии.jsonl".encode("cp1251"))).write_text("y")
    assert read(lake, landing) == ["jobs/\\xe2\\xe0\\xea\\xe0\\xed\\xf1\\xe8\\xe8.jsonl", "jobs/a.jsonl"]
    assert read(lake, landing) == []


def test_bad_links_and_links_to_folders_are_reported_and_stop_nothing(landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    (landing / "jobs" / "link.jsonl").symlink_to("a.jsonl")
    (landing / "jobs" / "circle.jsonl").symlink_to("circle.jsonl")
    (landing / "jobs" / "dangling.jsonl").symlink_to("nothing")
    (landing / "jobs" / "folder").symlink_to(landing)
    os.mkfifo(landing / "jobs" / "pipe.jsonl")
    manifest = LandingManifest("jobs", AS_OF)
    names = [file.name for file, _ in manifest.unread(list_landed(landing, "jobs"))]
    assert names == ["jobs/a.jsonl", "jobs/link.jsonl"]
    assert manifest.unreadable == [
        "jobs/circle.jsonl (OSError)",
        "jobs/dangling.jsonl (FileNotFoundError)",
        "jobs/folder (link to a folder)",
    ]


def test_an_unreadable_folder_is_reported(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(landing, "jobs/a.jsonl")
    put(landing, "jobs/closed/b.jsonl")
    scandir = os.scandir

    def refusing(folder: str) -> object:
        if Path(folder).name == "closed":
            raise PermissionError
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert [(file.name, file.problem) for file in list_landed(landing, "jobs")] == [
        ("jobs/a.jsonl", ""),
        ("jobs/closed", "PermissionError"),
    ]


def test_files_that_can_not_be_opened_make_their_source_fail_by_name(landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    (landing / "jobs" / "dangling.jsonl").symlink_to("nothing")
    manifest, report = LandingManifest("jobs", AS_OF), RunReport()
    assert len(list(manifest.unread(list_landed(landing, "jobs")))) == 1
    report.count_files(manifest, source="jobs")
    counts = report.of("jobs")
    assert counts.is_failed
    assert counts.status == "could not be opened: jobs/dangling.jsonl (FileNotFoundError)"


def test_a_link_out_of_landing_is_reported_and_not_read(lake: Lake, landing: Path, tmp_path: Path) -> None:
    secret = put(tmp_path, "elsewhere/secret.jsonl")
    put(landing, "jobs/a.jsonl")
    put(landing, "users/b.jsonl", "y")
    (landing / "jobs" / "out.jsonl").symlink_to(secret)
    (landing / "jobs" / "up.jsonl").symlink_to("../../elsewhere/secret.jsonl")
    (landing / "jobs" / "in.jsonl").symlink_to("../users/b.jsonl")
    manifest = LandingManifest("jobs", AS_OF)
    names = [file.name for file, _ in manifest.unread(list_landed(landing, "jobs"))]
    assert names == ["jobs/a.jsonl", "jobs/in.jsonl"]
    problem = "link out of the landing folder"
    assert manifest.unreadable == [f"jobs/out.jsonl ({problem})", f"jobs/up.jsonl ({problem})"]


@pytest.mark.parametrize("change", ["chmod", "rename", "copy", "copy and delete", "rename and reuse the name"])
def test_a_file_to_retry_is_read_again_however_it_was_touched_or_named_before(
    lake: Lake, landing: Path, change: str
) -> None:
    path = put(landing, "jobs/b.jsonl")
    assert read(lake, landing, retry_at=AS_OF + HOUR) == ["jobs/b.jsonl"]
    if change == "chmod":
        path.chmod(0o640)
    elif change.startswith("rename"):
        path.rename(landing / "jobs" / "c.jsonl")
    else:
        shutil.copy2(path, landing / "jobs" / "a.jsonl")
    if change.endswith("delete"):
        path.unlink()
    reused = [put(landing, "jobs/b.jsonl", "other")] if change.endswith("reuse the name") else []
    assert read(lake, landing) == ["jobs/b.jsonl" for _ in reused]
    again = {"chmod": "b", "rename": "c", "copy": "a", "copy and delete": "a", "rename and reuse the name": "c"}[change]
    assert read(lake, landing, at=AS_OF + HOUR) == [f"jobs/{again}.jsonl"]
    assert read(lake, landing, at=AS_OF + 2 * HOUR) == []


def test_a_file_to_retry_is_due_although_an_older_manifest_has_a_copy_as_read(lake: Lake, landing: Path) -> None:
    put(landing, "jobs/a.jsonl")
    put(landing, "jobs/b.jsonl")
    assert read(lake, landing, retry_at=AS_OF + HOUR) == ["jobs/a.jsonl", "jobs/b.jsonl"]
    stored = lake.folder("bronze", "landing_files") / "jobs.parquet"
    due_only = pl.when(pl.col("path") == "jobs/b.jsonl").then("retry_at")
    pl.read_parquet(stored).with_columns(retry_at=due_only).write_parquet(stored)
    assert read(lake, landing, at=AS_OF + HOUR) == ["jobs/b.jsonl"]


def test_content_that_was_read_again_under_a_new_name_is_read_under_no_further_name(lake: Lake, landing: Path) -> None:
    path = put(landing, "jobs/a.jsonl")
    assert read(lake, landing, retry_at=AS_OF + HOUR) == ["jobs/a.jsonl"]
    path = path.rename(landing / "jobs" / "b.jsonl")
    assert read(lake, landing, at=AS_OF + HOUR) == ["jobs/b.jsonl"]
    path.rename(landing / "jobs" / "c.jsonl")
    assert read(lake, landing, at=AS_OF + 2 * HOUR) == []
