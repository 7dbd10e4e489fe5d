import datetime as dt
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from assets.config.pipeline import Als
from assets.lake import Lake
from assets.training.tuning import TunedFileError, als_settings, choice, tuned_path
from features.schemas.catalog import DAILY_INTERACTIONS, JOBS
from features.schemas.features import USER_PROFILES
from models.fitting.collaborative import MODELS
from pipelines.cli.main import app

AS_OF = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)


def write_lake(lake: Lake) -> None:
    """Two groups of users who take to jobs of their group, most of them long ago, one each in the last days."""
    rows: list[dict[str, Any]] = []
    for user in range(12):
        for job in range(5):
            then = AS_OF - dt.timedelta(days=2 if job == user % 5 else 20)
            rows.append(
                {
                    "user_id": f"u{user}",
                    "job_id": f"j{job + 5 * (user % 2)}",
                    "date": then.date(),
                    "last_at": then,
                    "n_clicks": 1,
                    "weight": 2,
                }
            )
    frame = DAILY_INTERACTIONS.conform(pl.DataFrame(rows))
    for (day,), part in frame.group_by("date"):
        lake.replace_partition("catalog", DAILY_INTERACTIONS, f"date={day}", part)
    lake.replace("catalog", JOBS, JOBS.conform(pl.DataFrame({"job_id": [f"j{job}" for job in range(10)]})))
    lake.replace("features", USER_PROFILES, USER_PROFILES.empty())


def tune(data: Path, *options: str, config: Path | None = None) -> Any:
    environment = {"JOBFEED_DATA": str(data), "COLUMNS": "120", "TERM": "dumb"}
    if config is not None:
        environment["JOBFEED_CONFIG"] = str(config)
    return CliRunner().invoke(app, ["tune", "--as-of", AS_OF.isoformat(), "--trials", "3", *options], env=environment)


def test_tuning_keeps_what_it_chose_and_all_that_it_tried(tmp_path: Path) -> None:
    write_lake(Lake(tmp_path / "lake"))
    done = tune(tmp_path)
    assert done.exit_code == 0, done.output
    assert "NDCG@20" in done.output
    kept = json.loads(tuned_path(tmp_path / "models").read_text())
    assert {trial["model"] for trial in kept["trials"]} == set(MODELS) == set(kept["models"])
    assert kept["split"] == {
        "kind": "time",
        "reason": "12 users have pairs in the last 7 days",
        "n_users": 12,
        "n_pairs": 12,
    }
    assert kept["ndcg"] >= kept["incumbent_ndcg"] > 0
    found = choice(tmp_path / "models", Als())
    assert found.origin == f"tuned for {AS_OF.isoformat()}"
    assert [member.as_json() for member in found.members] == kept["chosen"]
    assert found.als.iterations == Als().iterations
    once = tuned_path(tmp_path / "models").read_bytes()
    tuned_path(tmp_path / "models").unlink()
    assert tune(tmp_path).exit_code == 0
    assert tuned_path(tmp_path / "models").read_bytes() == once


def test_choices_of_other_days_stay_in_the_history(tmp_path: Path) -> None:
    write_lake(Lake(tmp_path / "lake"))
    for day in (0, 0, 1):
        assert tune(tmp_path, "--as-of", (AS_OF + dt.timedelta(days=day)).isoformat()).exit_code == 0
    history = json.loads(tuned_path(tmp_path / "models").read_text())["history"]
    assert [entry["as_of"] for entry in history] == [(AS_OF + dt.timedelta(days=1)).isoformat(), AS_OF.isoformat()]


def test_a_choice_without_time_for_any_trial_keeps_what_was_chosen(tmp_path: Path) -> None:
    write_lake(Lake(tmp_path / "lake"))
    assert tune(tmp_path).exit_code == 0
    before = json.loads(tuned_path(tmp_path / "models").read_text())
    config = tmp_path / "config"
    config.mkdir()
    (config / "pipeline.yaml").write_text("tuning:\n  budget_seconds: 1.0e-9\n")
    done = tune(tmp_path, config=config)
    assert done.exit_code == 0, done.output
    kept = json.loads(tuned_path(tmp_path / "models").read_text())
    assert kept["is_cut_by_time"] and not kept["is_replaced"] and kept["trials"] == []
    assert kept["chosen"] == before["chosen"]
    assert kept["models"] == before["models"]


def keep(models: Path, *, model: str = "als", **settings: object) -> Path:
    """A file of one chosen model."""
    path = tuned_path(models)
    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = {"model": model, "weight": 1.0, "settings": settings}
    path.write_text(json.dumps({"as_of": "x", "chosen": [chosen], "models": {}}))
    return path


ALS_CHOICE = {"factors": 8, "regularization": 1, "alpha": 2, "popularity_power": 0, "half_life_days": 9}


def test_the_configuration_can_insist_on_its_own_values(tmp_path: Path) -> None:
    keep(tmp_path, **ALS_CHOICE)
    assert als_settings(tmp_path, Als())[0].factors == 8
    found = choice(tmp_path, Als(use_tuned=False))
    assert (found.als.factors, found.origin) == (Als().factors, "configuration")
    assert [member.model for member in found.members] == ["als"]


def test_als_keeps_the_configured_values_where_another_model_is_chosen(tmp_path: Path) -> None:
    keep(tmp_path, model="item_knn", n_neighbours=7)
    found = choice(tmp_path, Als(factors=12))
    assert [(member.model, member.settings.n_neighbours) for member in found.members] == [("item_knn", 7)]
    assert found.als.factors == 12


@pytest.mark.parametrize("content", ["", "[]", '{"as_of": "x", "chosen": [], "models": {}}', '{"settings": {}}'])
def test_a_damaged_file_is_reported_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tuned_path(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(TunedFileError, match="run `jobfeed tune` again"):
        als_settings(tmp_path, Als())


def test_values_that_the_configuration_does_not_allow_are_refused(tmp_path: Path) -> None:
    keep(tmp_path, **{**ALS_CHOICE, "factors": -1})
    with pytest.raises(TunedFileError, match="factors"):
        als_settings(tmp_path, Als())
    keep(tmp_path, model="oracle")
    with pytest.raises(TunedFileError, match="oracle"):
        als_settings(tmp_path, Als())


def test_a_lake_with_nothing_to_choose_by_is_an_error_and_no_crash(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    write_lake(lake)
    lake.replace("catalog", JOBS, JOBS.empty())
    done = tune(tmp_path)
    assert done.exit_code == 1
    assert "of 0 users are held out" in done.output
    assert not tuned_path(tmp_path / "models").exists()
