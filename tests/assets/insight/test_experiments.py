import datetime as dt
from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from assets.insight.experiments import experiments_table, policy_values_table, users_are_split_as_configured
from assets.io import LakeIOManager
from assets.learning.store import update_registry
from assets.resources import AS_OF_TAG, RunClock, Workspace
from features.schemas.bronze import EVENTS
from features.schemas.insight import EXPERIMENTS, EXPOSURES, POLICY_VALUES
from serving.contract.tables import COMPONENTS
from tests.factories import AS_OF
from tests.models.learning.test_registry import FIT


def check(*rows):
    table = EXPERIMENTS.conform(pl.DataFrame(rows)) if rows else EXPERIMENTS.empty()
    result = users_are_split_as_configured(table.lazy())
    assert isinstance(result, dg.AssetCheckResult)
    return result


def arm(name, n_users, p_value):
    row = {"experiment": "e", "metric": "ctr", "arm": name, "share": 0.5, "n_users": n_users}
    return {**row, "sample_ratio_p_value": p_value}


def test_a_lopsided_split_warns_and_names_the_users_of_each_arm():
    result = check(arm("a", 900, 1e-9), arm("b", 500, 1e-9))
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert "a: 900 of 50%, b: 500 of 50%" in (result.description or "")


def test_an_even_split_and_no_experiment_pass():
    assert check(arm("a", 500, 0.002), arm("b", 560, 0.002)).passed
    assert check().passed


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """An experiment of marketplace (u0, u2, …) and learned, whose explored slots users saw a day ago."""
    made = Workspace(data_dir=str(tmp_path / "data"), config_dir=str(tmp_path))
    (tmp_path / "ranking.yaml").write_text(
        "recipes: {marketplace: {weights: {tags: 1}}, match: {weights: {skills: 1}}}\n"
        "experiment: {name: trial, salt: s, arms: [{name: marketplace, share: 0.5, recipe: marketplace}, "
        "{name: learned, share: 0.5, recipe: learned}]}"
    )
    shown(made, [("marketplace", "learned")[n % 2] for n in range(40)])
    return made


def shown(workspace, recipes, *, generation="g"):
    """Everybody saw one of two drawn jobs and clicked on it."""
    at = AS_OF - dt.timedelta(days=1)
    drawn = [
        {"job_id": job_id, "propensity": 0.1, "components": {**dict.fromkeys(COMPONENTS), "tags": tags}}
        for job_id, tags in (("j1", 0.9), ("j2", 0.3))
    ]
    rows = [
        {
            "user_id": f"u{n}", "job_id": "j1", "surface": "feed", "generation": generation, "shown_at": at,
            "experiment": "trial", "arm": ("marketplace", "learned")[n % 2], "recipe": recipe,
            "rank": 25, "explored": True, "propensity": 0.1, "drawn": drawn,
        }
        for n, recipe in enumerate(recipes)
    ]  # fmt: skip
    clicks = [
        {"event_id": f"{generation}-{row['user_id']}", "event_type": "click", "occurred_at": at}
        | {name: row[name] for name in ("user_id", "job_id", "surface")}
        for row in rows
    ]
    for stage, table, made in (("insight", EXPOSURES, rows), ("bronze", EVENTS, clicks)):
        types = {name: table.columns[name] for name in made[0]}
        workspace.lake.append(
            stage, table, table.conform(pl.DataFrame(made, schema=types)), partition=f"date={at.date()}"
        )


def materialize(workspace, one):
    """The metadata of the asset."""
    run = {"workspace": workspace, "clock": RunClock(), "lake_io": LakeIOManager(workspace.lake)}
    exposures = dg.AssetSpec(["insight", "exposures"]).with_io_manager_key("lake_io")
    result = dg.materialize([one, exposures], resources=run, tags={AS_OF_TAG: AS_OF.isoformat()})
    assert result.success
    (made,) = result.asset_materializations_for_node(one.node_def.name)
    return made.metadata


def promote(workspace):
    update_registry(workspace, lambda registry: replace(registry.add(FIT), served=FIT.fit))


def test_the_promoted_recipe_is_compared_and_valued(workspace):
    promote(workspace)
    assert {"waits", "warning"}.isdisjoint(materialize(workspace, experiments_table))
    arms = workspace.lake.scan("insight", EXPERIMENTS).filter(metric="ctr").collect()
    assert arms.select("arm", "recipe", "n_users").rows() == [
        ("marketplace", "marketplace", 20), ("learned", "learned", 20),
    ]  # fmt: skip
    materialize(workspace, policy_values_table)
    values = workspace.lake.scan("insight", POLICY_VALUES).filter(metric="ctr", estimator="snips").collect()
    assert values.filter(recipe="learned")["value"].to_list() == [1.0]


def test_an_experiment_says_that_it_waits_for_a_fit(workspace):
    assert "no fit of learned is in use" in materialize(workspace, experiments_table)["waits"].value
    promote(workspace)
    assert "waits" not in materialize(workspace, experiments_table)


def test_exposures_by_other_recipes_than_the_arms_name_warn(workspace):
    promote(workspace)
    shown(workspace, ["marketplace"] * 40, generation="before")
    assert "20 counted exposures" in materialize(workspace, experiments_table)["warning"].value
