"""The ingest assets through Dagster: one run over everything, twice."""

import datetime as dt
import json
from pathlib import Path

import dagster as dg
import pytest

from assets.ingest.assets import ASSETS
from assets.io import LakeIOManager
from assets.lake import Lake
from assets.resources import AS_OF_TAG, RunClock, Workspace

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")

NAMES = {
    "feed_postings", "hh_postings", "file_postings", "sightings", "events", "user_records", "resumes", "erasures",
    "application_log", "unsubscribes", "bounces", "company_facts", "company_news", "quarantine", "ingest_runs",
}  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    files = {
        "feeds/simboard/a.xml": "<rss version='2.0'><channel><title>x</title><item><title>Acme: Clerk</title>"
        "<guid isPermaLink='false'>1</guid></item></channel></rss>",
        "hh/1.json": json.dumps({"id": "1", "name": "Clerk", "description": "<p>Reads</p>"}),
        "jobs/a.jsonl": json.dumps({"source_id": "1", "title": "Clerk"}),
        "interactions/a.jsonl": json.dumps(
            {"event_id": "e1", "user_id": "u1", "event_type": "view", "job_id": "hh:1", "occurred_at": 1772200000}
        )
        + "\n{bad\n",
        "users/a.jsonl": json.dumps({"user_id": "u1", "updated_at": "2026-02-01T00:00:00Z"}),
        "erasures/a.jsonl": json.dumps({"user_id": "u9", "requested_at": "2026-02-01T00:00:00Z"}),
        "unsubscribes/a.jsonl": json.dumps({"user_id": "u1", "requested_at": "2026-02-01T00:00:00Z"}),
        "companies/a.jsonl": json.dumps(
            {"company": "Acme", "fact": "headcount", "value": "9", "source": "site", "observed_at": "2026-02-01"}
        ),
        "bounces/a.jsonl": json.dumps({"user_id": "u1", "type": "hard", "occurred_at": "2026-02-01T00:00:00Z"}),
        "resumes/u1.md": "# Anna Example\n\n## Skills\n\nPython, SQL\n",
    }
    for name, body in files.items():
        path = tmp_path / "data" / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
    return tmp_path / "data"


def materialize(data: Path) -> dg.ExecuteInProcessResult:
    lake = Lake(data / "lake")
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            ASSETS,
            instance=instance,
            resources={
                "workspace": Workspace(data_dir=str(data)),
                "clock": RunClock(),
                "lake_io": LakeIOManager(lake),
            },
            tags={AS_OF_TAG: "2026-03-01T02:00:00Z"},
        )


def stored(lake: Path) -> dict[Path, bytes]:
    """All files but the notes on runs, which name the run."""
    files = (path for path in lake.rglob("*") if path.suffix in (".parquet", ".json"))
    return {path: path.read_bytes() for path in files if ".runs" not in path.parts and path.name != ".erasing.json"}


def test_one_run_ingests_everything_and_the_same_again_changes_no_byte(data: Path) -> None:
    assert materialize(data).success
    before = stored(data / "lake")
    result = materialize(data)
    assert stored(data / "lake") == before
    rows = {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert rows == dict.fromkeys(NAMES, 1) | {
        "sightings": 3,
        "application_log": 0,
        "company_news": 0,
        "ingest_runs": 10,
    }


def test_every_asset_says_what_it_is() -> None:
    assert {asset.key.path[-1] for asset in ASSETS} == NAMES
    for asset in ASSETS:
        spec = asset.get_asset_spec()
        assert spec.description and spec.owners == ["team:jobfeed"] and spec.group_name == "ingest"


def test_the_run_reports_counts_by_source_and_reason(data: Path) -> None:
    result = materialize(data)
    metadata = result.asset_materializations_for_node("bronze__events")[0].metadata
    assert "| interactions | read | 1 | 2 | 1 | 1 | 0 | 0 | 1 | bad_json 1 |" in str(metadata["sources"].value)
    assert "| bad_json | 1 |" in str(metadata["rejects"].value)
    assert dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC).isoformat(" ")[:10] in str(
        result.asset_materializations_for_node("bronze__quarantine")[0].metadata["reasons"].value
    )
