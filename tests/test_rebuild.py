"""After a week of runs, every table equals that of one run over all the landed files at the same instant.

The daily runs of the week compute by increments: the last one is less than seven days after the first.
"""

import datetime as dt
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.catalog import normalising
from assets.increments import mark_of
from assets.ingest import assets as ingest_assets
from assets.lake import Lake
from assets.parts import MERGED_PREFIX
from assets.resources import Workspace
from assets.training.embedding_switch import read_serving
from assets.training.tuning import tuned_path
from assets.training.user_vectors import UserSources
from features.schemas.catalog import (
    APPLICATION_EVENTS,
    DAILY_INTERACTIONS,
    FOLLOW_UPS,
    INTERVIEWS,
    USERS,
)
from features.schemas.features import USER_PROFILES
from features.schemas.training import TEXT_EMBEDDINGS
from models.arrays import rows_or_zeros
from models.fitting.collaborative import Member
from models.fitting.item_knn import ItemKnnSettings
from models.fitting.job_vectors import JobVectors
from models.fitting.user_vectors import UserVectors
from pipelines.simulation import market
from tests.market_week import MarketWeek
from tests.rebuilding import link_landing, run_job, unexplained
from tests.table_differences import differences

FIRST = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)
SIZE = market.MarketSize(n_users=40, n_jobs=60, n_events=1_000, n_days=20)
# Hours after the first run.
RUNS = (("frequent", 20), ("daily", 40), ("hourly", 70), ("hourly", 75), ("daily", 94), ("daily", 166))
FOLDED = (USERS, APPLICATION_EVENTS, INTERVIEWS, FOLLOW_UPS)


def keep_item_knn(data: Path) -> None:
    """Chooses a collaborative model that does not start from the last one, as ALS does."""
    chosen = Member("item_knn", 1.0, ItemKnnSettings()).as_json()
    path = tuned_path(data / "models")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"as_of": FIRST.isoformat(), "chosen": [chosen], "models": {}}))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text("tuning: {enabled: false}\n")
    return folder


def rows(**changes: object) -> pl.DataFrame:
    """Two lists of jobs, the second with a change."""
    first = {"user_id": "a", "score": 0.5, "items": [{"job_id": "x", "share": 0.1, "reasons": ["new"]}]}
    second = {"user_id": "b", "score": None, "items": [{"job_id": "y", "share": 0.2, "reasons": ["new", "near"]}]}
    return pl.DataFrame([first, {**second, **changes}])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, {}),
        ({"score": 0.0}, {"score": 1}),
        ({"user_id": "c"}, {"missing": 1, "unexpected": 1}),
        ({"user_id": "a"}, {"repeated keys": 2}),
        ({"items": []}, {"items.missing": 1}),
        ({"items": [{"job_id": "y", "share": 0.2 + 1e-4, "reasons": ["new", "near"]}]}, {}),
        ({"items": [{"job_id": "y", "share": 0.2003, "reasons": ["new", "near"]}]}, {"items.share": 1}),
        ({"items": [{"job_id": "y", "share": 0.2, "reasons": ["near"]}]},
         {"items.reasons.missing": 1, "items.reasons.element": 1}),
    ],
)  # fmt: skip
def test_differences_are_found_wherever_they_are(changes: dict[str, object], found: dict[str, int]) -> None:
    assert differences(rows(**changes), rows(), ["user_id"]) == found
    assert differences(rows(**changes), rows(), ["user_id"], ignored=list(found)) == {} or "repeated keys" in found


def check_user_vectors(workspace: Workspace, as_of: dt.datetime) -> None:
    """The vectors that the run left are those that one gets from its tables alone."""
    lake, folder = workspace.lake, workspace.models / "training"
    found = UserVectors.load(folder / "user_vectors.npz")
    serving = read_serving(lake)
    assert serving is not None
    sources = UserSources(
        lake.scan("features", USER_PROFILES),
        lake.scan("catalog", DAILY_INTERACTIONS),
        lake.scan("training", TEXT_EMBEDDINGS),
        JobVectors.load(folder / "job_vectors.npz"),
    )
    expected, _ = sources.compute(workspace.config.pipeline.embedding, model=serving.model.text_model, as_of=as_of)
    assert found.user_ids.to_list() == expected.user_ids.to_list()
    for name in ("vectors", "has_profile", "has_history"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    summaries = [rows_or_zeros(one.summary_vectors, one.summary_rows) for one in (found, expected)]
    assert np.array_equal(*summaries)


def origins_of(data: Path) -> list[str]:
    """The base from which the layers of each table are counted: another one once all rows were computed."""
    return [mark_of(Lake(data / "lake"), "catalog", table.name)["base"] for table in FOLDED]


@pytest.mark.slow
def test_a_week_of_runs_equals_one_run_over_all_landed_files(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (ingest_assets, normalising):  # so that parts are merged in between
        monkeypatch.setattr(module, "MAX_PARTS", 2)
    data, rebuilt = tmp_path / "data", tmp_path / "rebuilt"
    market.simulate(data / "landing", SIZE, seed=11, until=FIRST)
    for path in (data / "landing").rglob("*.*"):
        os.utime(path, ((FIRST - dt.timedelta(hours=3)).timestamp(),) * 2)
    for folder in (data, rebuilt):
        keep_item_knn(folder)
    run_job(data, "daily", FIRST, config)
    origins = origins_of(data)
    week, since = MarketWeek(data, seed=5), FIRST - dt.timedelta(hours=1)
    for job, hours in RUNS:
        as_of = FIRST + dt.timedelta(hours=hours)
        week.happen(since=since, until=as_of, n_events=60, n_jobs=3, n_users=4)
        run_job(data, job, as_of, config)
        if job == "hourly":
            check_user_vectors(Workspace(data_dir=str(data), config_dir=str(config)), as_of)
        since = as_of
    assert origins_of(data) == origins  # no run computed the whole
    for table in ("bronze/user_records", "bronze/file_postings", "catalog/job_versions"):
        assert list((data / "lake" / table).rglob(f"{MERGED_PREFIX}*.parquet")), table
    link_landing(data, rebuilt)
    run_job(rebuilt, "daily", since, config)
    assert unexplained(data, rebuilt) == {}
