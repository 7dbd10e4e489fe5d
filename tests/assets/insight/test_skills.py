"""Skill gaps, progress and learning plans as assets over a lake on disk."""

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.insight.skills import ASSETS
from assets.io import LakeIOManager
from assets.resources import AS_OF_TAG, RunClock, Workspace
from features.schemas.catalog import JOBS
from features.schemas.features import USER_PROFILES
from features.schemas.insight import LEARNING_PLANS, SKILL_GAPS, SKILL_PROGRESS

pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"),
]
DAY = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A lake with four jobs for developers, and a user who knows Python."""
    workspace = Workspace(data_dir=str(tmp_path))
    rows = [{"job_id": f"hh:{number}", "skills": ["Python", "Docker"], "status": "open"} for number in range(4)]
    roles = {"professional_roles": ["python_developer"], "country": "KZ", "work_format": "on_site"}
    workspace.lake.replace("catalog", JOBS, JOBS.conform(pl.DataFrame([row | roles for row in rows])))
    know(workspace, "Python")
    return workspace


def know(workspace: Workspace, *skills: str) -> None:
    row = {"user_id": "anna", "country": "KZ", "remote": "no", "roles": ["python_developer"], "skills": sorted(skills)}
    levels = {"skill_levels": [1.0] * len(skills)}
    profiles = USER_PROFILES.conform(pl.DataFrame([row | levels]))
    workspace.lake.replace("features", USER_PROFILES, profiles)


def run(workspace: Workspace, as_of: dt.datetime) -> dg.ExecuteInProcessResult:
    inputs = ("features/user_profiles", "catalog/jobs")
    sources = [dg.AssetSpec(key.split("/")).with_io_manager_key("lake_io") for key in inputs]
    result = dg.materialize(
        [*sources, *ASSETS],
        selection=dg.AssetSelection.groups("insight"),
        resources={"workspace": workspace, "clock": RunClock(), "lake_io": LakeIOManager(workspace.lake)},
        tags={AS_OF_TAG: as_of.isoformat()},
    )
    assert result.success
    return result


def test_a_learned_skill_is_noted_once_and_leaves_gap_and_plan(workspace: Workspace) -> None:
    lake = workspace.lake
    run(workspace, DAY)
    (gap,) = lake.scan("insight", SKILL_GAPS).collect().to_dicts()
    assert [missing["skill"] for missing in gap["missing"]] == ["Docker"]
    (step,) = lake.scan("insight", LEARNING_PLANS).collect().to_dicts()
    assert (step["skill"], step["n_jobs_opened"], step["n_jobs_reachable"]) == ("Docker", 4, 4)
    assert step["resources"][0]["url"].startswith("https://docs.docker.com")
    assert lake.scan("insight", SKILL_PROGRESS).collect().is_empty()

    know(workspace, "Docker", "Python")
    for _ in range(2):
        result = run(workspace, DAY + dt.timedelta(days=1))
    assert lake.scan("insight", SKILL_PROGRESS).collect().rows() == [
        ("anna", "python_developer", "Docker", dt.date(2026, 3, 2), "missing", "has")
    ]
    assert lake.scan("insight", LEARNING_PLANS).collect().is_empty()
    (materialization,) = result.asset_materializations_for_node("insight__skill_gaps")
    assert {"verdicts", "missing", "n_learned"} <= set(materialization.metadata)


def test_the_configuration_replaces_the_resources(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "ours.csv").write_text(
        "skill,name,url,hours,language\nDocker,Our course,https://example.org/docker,5,en\n", encoding="utf-8"
    )
    (folder / "pipeline.yaml").write_text("learning: {resources: ours.csv}\n", encoding="utf-8")
    configured = Workspace(data_dir=workspace.data_dir, config_dir=str(folder))
    run(configured, DAY)
    (step,) = configured.lake.scan("insight", LEARNING_PLANS).collect().to_dicts()
    assert [resource["name"] for resource in step["resources"]] == ["Our course"] and step["estimated_hours"] == 5
