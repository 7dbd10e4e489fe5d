"""An ingest run that ends at any change of a file: the next one leaves what an undisturbed run leaves."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assets.ingest.events.ingest import ingest_events
from assets.ingest.jobs.ingest import ingest_job_files
from assets.ingest.people.ingest import ingest_erasures, ingest_users
from assets.lake import Lake
from tests.disk_faults import DiskFault, install
from tests.tables_of import lake_digests

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
AT = "2026-02-28T10:00:00Z"
LINES = {
    "interactions": {"event_id": "e{n}", "user_id": "u", "event_type": "view", "occurred_at": AT, "job_id": "file:1"},
    "jobs": {"source_id": "{n}", "title": "Clerk {n}"},
    "users": {"user_id": "u{n}", "updated_at": AT, "email": "u{n}@mail.example"},
    "erasures": {"user_id": "gone{n}", "requested_at": AT},
}


@pytest.mark.parametrize(
    ("kind", "ingest"),
    [
        ("interactions", ingest_events), ("jobs", ingest_job_files), ("users", ingest_users),
        ("erasures", ingest_erasures),
    ],
)  # fmt: skip
def test_the_next_run_makes_up_for_one_that_ended_at_any_change(
    kind: str, ingest: Callable[..., object], tmp_path: Path
) -> None:
    landing, folder = tmp_path / "landing", tmp_path / "lake"
    (landing / kind).mkdir(parents=True)
    for name in ("a", "b"):
        lines = [json.dumps(LINES[kind]).replace("{n}", f"{name}{n}") for n in range(3)]
        (landing / kind / f"{name}.jsonl").write_text("\n".join([*lines, "{bad", ""]))
    ingest(Lake(tmp_path / "undisturbed"), landing, as_of=AS_OF)
    expected = lake_digests(tmp_path / "undisturbed")
    at = 0
    while True:
        at += 1
        shutil.rmtree(folder, ignore_errors=True)
        fault = DiskFault(folder, "EIO", at, lasts=True)
        uninstall = install(fault)
        try:
            ingest(Lake(folder), landing, as_of=AS_OF)
        except OSError:
            pass
        finally:
            uninstall()
        ingest(Lake(folder), landing, as_of=AS_OF)
        assert lake_digests(folder) == expected, at
        if fault.n_changes < at:
            break
    assert at > 10, "the fault met no change"
