"""`jobfeed evaluate` from landing files to the report, and the comparison of two runs."""

import errno
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from assets.evaluation import results
from assets.training import embedding_update
from models.evaluation.judging import SUMMARY, USER_METRICS
from pipelines.cli.main import app
from tests.assets.evaluation.landed import future_events, past_events, write_landing
from tests.models.training_world import BagOfWords


def evaluate(data: Path, *options: str, config: Path | None = None) -> Any:
    environment = {"JOBFEED_DATA": str(data), "JOBFEED_CONFIG": str(config or ""), "COLUMNS": "140", "TERM": "dumb"}
    return CliRunner().invoke(app, ["evaluate", *options], env=environment)


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_update, "load_embedder", lambda *_args, **_options: BagOfWords())


def runs(data: Path) -> list[Path]:
    return sorted((data / "evaluation").glob("[!.]*"))


def test_a_folder_of_landing_files_gives_a_table_and_a_report(tmp_path: Path) -> None:
    landing = write_landing(tmp_path / "landing", past_events() + future_events())
    done = evaluate(tmp_path / "data", "--landing", str(landing), "--days", "7")
    assert done.exit_code == 0, done.output
    assert "marketplace" in done.output and "popularity" in done.output
    (folder,) = runs(tmp_path / "data")
    assert {path.name for path in folder.iterdir()} == {
        "per_user.parquet", "summary.parquet", "calibration.parquet", "run.json", "report.html",
    }  # fmt: skip
    assert dict(pl.read_parquet_schema(folder / "summary.parquet")) == SUMMARY
    assert set(USER_METRICS) <= set(pl.read_parquet_schema(folder / "per_user.parquet"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "<script" not in page and "src=" not in page and "href=" not in page
    assert "All interactions of the last 7 days, from 2026-03-01 00:00 to 2026-03-07 23:00 UTC" in page


def test_an_evaluation_that_ends_early_leaves_nothing_that_names_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    landing = write_landing(tmp_path / "landing", past_events() + future_events())
    monkeypatch.setattr(results, "write_bytes", full)  # what is written last
    assert evaluate(tmp_path / "data", "--landing", str(landing)).exit_code == 1
    assert list((tmp_path / "data").rglob("*.parquet")) == []


def test_two_configurations_are_compared_user_by_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landing = write_landing(tmp_path / "landing", past_events())
    config = tmp_path / "config"
    config.mkdir()
    (config / "ranking.yaml").write_text("default_recipe: match\nrecipes: {match: {weights: {tags: 1}}}")
    options = ("--holdout", "random", "--landing", str(landing))
    assert evaluate(tmp_path / "data", *options).exit_code == 0
    first = runs(tmp_path / "data")[0].rename(tmp_path / "data" / "evaluation" / "before")
    assert evaluate(tmp_path / "data", *options, config=config).exit_code == 0
    second = next(path for path in runs(tmp_path / "data") if path != first)
    done = evaluate(tmp_path / "data", "--compare", "before", second.name)
    assert done.exit_code == 0, done.output
    assert "match" in done.output and "marketplace" not in done.output, "only lists that both runs have"
    about = json.loads((second / "run.json").read_text())
    (second / "run.json").write_text(json.dumps({**about, "pairs_digest": "other"}))
    refused = evaluate(tmp_path / "data", "--compare", "before", second.name)
    assert refused.exit_code == 1 and "judged different users" in refused.output
    (second / "run.json").write_text(json.dumps({name: about[name] for name in about if name != "pairs_digest"}))
    older = evaluate(tmp_path / "data", "--compare", "before", second.name)
    assert older.exit_code == 1 and f"{second.name} is of an older version" in older.output
    unknown = evaluate(tmp_path / "data", "--compare", "before", "never")
    assert unknown.exit_code == 1 and "before" in unknown.output


@pytest.mark.parametrize(
    "options", [("--holdout", "sideways"), ("--landing", "/nowhere"), ("--days", "0"), ("--share", "1.5")]
)
def test_wrong_use_ends_with_two(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert evaluate(tmp_path, *options).exit_code == 2


def test_a_lake_without_events_ends_with_one(tmp_path: Path) -> None:
    done = evaluate(tmp_path)
    assert done.exit_code == 1
    assert "no interaction events" in done.output
