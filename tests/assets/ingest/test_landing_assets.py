import datetime as dt
import os
from pathlib import Path

import dagster as dg

from assets.ingest.landing_assets import LANDING_ASSETS, landed_by, observe


def test_a_folder_is_observed_by_its_files(tmp_path: Path) -> None:
    written = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    for number, name in enumerate(("a.jsonl", "old/b.jsonl", ".hidden.jsonl")):
        path = tmp_path / "interactions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 10)
        at = (written - dt.timedelta(hours=number)).timestamp()
        os.utime(path, (at, at))
    seen = observe(tmp_path, "events")
    assert seen.asset_key == dg.AssetKey(["landing", "interactions"])
    assert {name: value.value for name, value in seen.metadata.items()} == {
        "n_files": 2, "bytes": 20, "newest_file_at": "2026-03-01T12:00:00+00:00",
    }  # fmt: skip


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert {name: value.value for name, value in observe(tmp_path, "resumes").metadata.items()} == {
        "n_files": 0, "bytes": 0,
    }  # fmt: skip


def test_tables_and_folders_belong_together() -> None:
    assert landed_by("file_postings") == "landing/jobs"
    assert len({spec.key for spec in LANDING_ASSETS}) == 12
