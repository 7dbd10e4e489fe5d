import datetime as dt
import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from upath import UPath

from assets.config.loading import load_config
from assets.io import TABLES, LakeIOManager, ModelIOManager
from assets.resources import AS_OF_TAG, RunClock, Workspace
from assets.training import assets as training
from assets.training import embedding_update
from assets.training.tuning import tuned_path
from features.schemas.catalog import DAILY_INTERACTIONS, DAILY_JOB_COUNTS, INTERACTIONS
from features.schemas.features import USER_PROFILES
from features.schemas.training import SIMILAR_JOBS
from models.fitting.als import AlsModel
from models.fitting.collaborative import Collaborative
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.tuning import TuningError
from models.fitting.user_knn import UserNeighbours
from models.fitting.user_vectors import UserVectors
from tests.factories import AS_OF, JOB_IDS, jobs
from tests.models.training_world import BagOfWords

# Dagster's own use of pydantic and of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"),
]

UPSTREAM = {
    ("catalog", "jobs"),
    ("catalog", "daily_interactions"),
    ("catalog", "interactions"),
    ("features", "user_profiles"),
}
USERS = [f"u{number}" for number in range(6)]


def daily(as_of: dt.datetime) -> pl.DataFrame:
    """Two groups of users, each applied to its half of the jobs; u5 turned the last one down."""
    then = as_of - dt.timedelta(days=2)
    rows = [
        {"user_id": user, "job_id": job, "n_applies": 1, "weight": 10}
        for number, user in enumerate(USERS)
        for job in JOB_IDS[4 * (number % 2) : 4 * (number % 2) + 4]
        if (user, job) != ("u5", JOB_IDS[-1])
    ]
    rows.append({"user_id": "u5", "job_id": JOB_IDS[-1], "n_dismissals": 1, "weight": -5})
    counters = {name: 0 for name in DAILY_INTERACTIONS.columns if name.startswith("n_")}
    made = [{**counters, "date": then.date(), "last_at": then, **row} for row in rows]
    return DAILY_INTERACTIONS.conform(pl.DataFrame(made, infer_schema_length=None))


def profiles(**changes: dict[str, Any]) -> pl.DataFrame:
    rows = [
        {
            "user_id": user,
            "roles": ["engineer"],
            "skills": ["Python"],
            "summary": f"I am {user}",
            "personalization_enabled": True,
            **changes.get(user, {}),
        }
        for user in [*USERS, "newcomer"]
    ]
    return USER_PROFILES.conform(pl.DataFrame(rows, infer_schema_length=None))


class Project:
    """A data folder whose upstream tables are written, and runs of the training stage over it."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(data_dir=str(folder))
        self.write(as_of=AS_OF)

    def write(self, *, as_of: dt.datetime, people: pl.DataFrame | None = None) -> None:
        lake, events = self.workspace.lake, daily(as_of)
        lake.replace("catalog", TABLES["jobs"], jobs([{"job_id": "hh:4", "title": "Разработчик 3"}]))
        lake.replace_partition("catalog", DAILY_INTERACTIONS, "date=2026-02-27", events)
        counts = events.group_by("date", "job_id").agg(pl.col("last_at").max()).sort("job_id")
        lake.replace_partition("catalog", DAILY_JOB_COUNTS, "date=2026-02-27", DAILY_JOB_COUNTS.conform(counts))
        pairs = events.select("user_id", "job_id", "last_at", is_applied=pl.col("n_applies") > 0)
        lake.replace("catalog", INTERACTIONS, INTERACTIONS.conform(pairs))
        lake.replace("features", USER_PROFILES, profiles() if people is None else people)

    def run(self, as_of: dt.datetime = AS_OF) -> dg.ExecuteInProcessResult:
        sources = [dg.AssetSpec(list(key)).with_io_manager_key("lake_io") for key in UPSTREAM]
        resources = {
            "workspace": self.workspace,
            "clock": RunClock(),
            "lake_io": LakeIOManager(self.workspace.lake),
            "model_io": ModelIOManager(UPath(self.workspace.models), training.MODEL_LOADERS),
        }
        return dg.materialize(
            [*training.ASSETS, *sources],
            resources=resources,
            tags={AS_OF_TAG: as_of.isoformat()},
            selection=[asset.key for asset in training.ASSETS],
        )

    def model(self, name: str) -> Any:
        return training.MODEL_LOADERS[name].load(self.workspace.models / "training" / f"{name}.npz")

    def contents(self) -> dict[str, bytes]:
        """Every file that training wrote, but what only helps the next run, and marks of layers, which name inodes."""
        folders = (self.workspace.lake.root / "training", self.workspace.models / "training")
        paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {
            path.name: path.read_bytes()
            for path in paths
            if path.name != "als-previous.npz" and ".layers" not in path.parts
        }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(embedding_update, "load_embedder", lambda *_args, **_options: BagOfWords())
    return Project(tmp_path)


def test_every_model_is_fitted_and_can_be_loaded(project: Project) -> None:
    result = project.run()
    assert result.success
    kinds = [JobVectors, UserVectors, AlsModel, Collaborative, JobNeighbours, UserNeighbours]
    assert list(training.MODEL_LOADERS.values()) == kinds
    als, users = project.model("als"), project.model("user_vectors")
    assert als.user_ids.to_list() == USERS
    assert als.as_of == AS_OF.isoformat()
    assert users.user_ids.to_list() == sorted([*USERS, "newcomer"])
    assert users.has_profile.all()
    assert users.has_history.tolist() == [False, *[True] * 6]
    found = project.workspace.lake.scan("training", SIMILAR_JOBS).collect()
    assert found["job_id"].to_list() == JOB_IDS
    metadata = {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert metadata["training/als"]["n_users"].value == 6
    assert metadata["training/als"]["started_from"].value == "noise"
    assert metadata["training/text_embeddings"]["n_new"].value > 0


def test_running_twice_for_the_same_instant_changes_no_byte(project: Project) -> None:
    next_day = AS_OF + dt.timedelta(days=1)
    for as_of in (AS_OF, next_day):
        project.run(as_of)
        once = project.contents()
        project.run(as_of)
        assert project.contents() == once


def test_the_next_day_starts_from_the_last(project: Project) -> None:
    project.run()
    first = project.model("als")
    project.run(AS_OF + dt.timedelta(days=1))
    assert project.model("als").as_of > first.as_of
    assert (project.workspace.models / "training" / "als-previous.npz").exists()


def test_als_is_fitted_only_where_it_is_chosen(project: Project) -> None:
    path = tuned_path(project.workspace.models)
    path.parent.mkdir(parents=True)
    chosen = [{"model": "item_knn", "weight": 1.0, "settings": {"n_neighbours": 3}}]
    path.write_text(json.dumps({"as_of": "x", "chosen": chosen, "models": {}}))
    assert project.run().success
    assert project.model("als").user_ids.is_empty()
    assert project.model("collaborative").user_ids.to_list() == USERS


@pytest.mark.parametrize(("n_interactions", "is_chosen"), [(4_999, False), (5_000, True), (2_000_001, False)])
def test_the_first_choice_of_a_model_needs_interactions_but_not_so_many_that_it_takes_minutes(
    project: Project, monkeypatch: pytest.MonkeyPatch, n_interactions: int, is_chosen: bool
) -> None:
    asked: list[str] = []

    def choose(*_arguments: object, **_options: object) -> None:
        asked.append("choice")
        raise TuningError("nothing is held out")

    monkeypatch.setattr(training, "count_interactions", lambda _workspace: n_interactions)
    monkeypatch.setattr(training, "tune_models", choose)
    assert project.run().success
    assert asked == ["choice"] * is_chosen


def test_nothing_is_learned_from_users_who_opted_out(project: Project) -> None:
    project.write(as_of=AS_OF, people=profiles(u0={"personalization_enabled": False}))
    project.run()
    assert "u0" not in project.model("als").user_ids.to_list()
    assert "u0" not in project.model("user_neighbours").user_ids.to_list()
    users = project.model("user_vectors")
    assert not users.has_history[users.user_ids.to_list().index("u0")]


def test_a_user_who_is_gone_leaves_no_trace(project: Project) -> None:
    project.run()
    before = project.workspace.lake.scan("training", TABLES["text_embeddings"]).collect().height
    project.workspace.lake.replace("features", USER_PROFILES, profiles().filter(pl.col("user_id") != "u0"))
    kept = daily(AS_OF).filter(pl.col("user_id") != "u0")
    project.workspace.lake.replace_partition("catalog", DAILY_INTERACTIONS, "date=2026-02-27", kept)
    project.workspace.lake.replace("catalog", INTERACTIONS, INTERACTIONS.empty())
    project.run(AS_OF + dt.timedelta(days=1))
    assert project.workspace.lake.scan("training", TABLES["text_embeddings"]).collect().height == before - 1
    for path in (project.workspace.models / "training").iterdir():
        assert b"u0" not in path.read_bytes().replace(b"u0000", b"")


def test_empty_inputs_are_data(tmp_path: Path, project: Project) -> None:
    empty = Project(tmp_path / "empty")
    for stage, name in UPSTREAM:
        if name == "daily_interactions":
            empty.workspace.lake.replace_partition(stage, TABLES[name], "date=2026-02-27", TABLES[name].empty())
        else:
            empty.workspace.lake.replace(stage, TABLES[name], TABLES[name].empty())
    assert empty.run().success
    assert empty.model("als").user_factors.shape == (0, load_config().pipeline.als.factors)
    assert empty.workspace.lake.scan("training", SIMILAR_JOBS).collect().is_empty()


def test_factors_do_not_depend_on_the_order_of_the_rows(project: Project) -> None:
    project.run()
    once = project.model("als").user_factors
    project.workspace.lake.replace_partition("catalog", DAILY_INTERACTIONS, "date=2026-02-27", daily(AS_OF).reverse())
    project.run()
    np.testing.assert_array_equal(project.model("als").user_factors, once)
