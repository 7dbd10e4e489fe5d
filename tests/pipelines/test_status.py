"""`jobfeed status`: each thing that may be wrong is said, and nothing else."""

import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.erasing.requests import request
from assets.lake import Lake
from assets.run_ledger import open_entry
from assets.run_outcomes import RunOutcome, keep_outcome
from assets.run_turns import run_turn
from assets.training.embedding_models import EmbeddingModel
from assets.training.embedding_switch import Serving, write_serving
from models.fitting.embeddings import TextModel
from pipelines.cli.main import app
from pipelines.status import Status, find_status
from tests.factories import AS_OF, publish_small

HOUR = dt.timedelta(hours=1)
MODEL = EmbeddingModel("usem3", "", None, None, None, TextModel("usem3-1"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    publish_small(tmp_path / "published")
    (tmp_path / "lake").mkdir()
    return tmp_path


def status(data: Path, *, at: dt.datetime = AS_OF + HOUR) -> Status:
    return find_status(data, now=at)


def test_all_is_well_with_a_generation_of_now(data: Path) -> None:
    found = status(data)
    assert found.problems == []
    assert (found.age_hours, found.running, found.due) == (1.0, None, {})
    assert found.generation is not None
    assert found.n_jobs


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: (data / "published/current").unlink(), "no generation is published yet"),
        (lambda data: (data / "published/current").write_text("x"), "holds 'x'; expected a generation's name"),
        (lambda data: next((data / "published").glob("*/manifest.json")).write_text("{"), "manifest can't be read"),
        (lambda data: next((data / "published").glob("*/tables/jobs.parquet")).unlink(), "is damaged: "),
        (lambda data: (data / "lake/.rebuild.json").write_text("[]"), "damaged files were set aside"),
        (
            lambda data: open_entry(Lake(data / "lake"), run_id="1", job="hourly", made_by=""),
            "a run of hourly did not end well",
        ),
        (
            lambda data: request(Lake(data / "lake"), "u1", at=AS_OF - 25 * HOUR),
            "1 users asked over a day ago to be erased",
        ),
        (
            lambda data: write_serving(Lake(data / "lake"), Serving(MODEL, following="new", problem="new is broken")),
            "the one before serves on: new is broken",
        ),
    ],
)
def test_what_is_wrong_is_said(data: Path, spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    spoil(data)
    (problem,) = status(data).problems
    assert says in problem


@pytest.mark.parametrize(
    ("at", "says"), [(AS_OF + 27 * HOUR, "is 27 hours old; at most 26"), (AS_OF - HOUR, "is in the future")]
)
def test_a_generation_that_is_too_old_or_of_the_future_is_wrong(data: Path, at: dt.datetime, says: str) -> None:
    (problem,) = status(data, at=at).problems
    assert says in problem


def test_files_that_no_run_has_read_are_due(data: Path) -> None:
    (data / "landing/users").mkdir(parents=True)
    (data / "landing/users/a.jsonl").write_text("{}\n")
    assert status(data).due == {"users": 1}


def test_an_unfinished_run_that_works_now_is_no_problem(data: Path) -> None:
    lake = Lake(data / "lake")
    open_entry(lake, run_id="1", job="hourly", made_by="")
    with run_turn(lake, job="hourly"):
        # In this process nobody else has the turn; another one would see it.
        assert status(data).running is None
    request(lake, "u2", at=AS_OF)
    assert [problem for problem in status(data).problems if "erased" in problem] == []


def test_the_command_ends_with_1_if_something_is_wrong(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(data))
    hours = (dt.datetime.now(dt.UTC) - AS_OF).total_seconds() / 3600 + 1
    well = CliRunner().invoke(app, ["status", "--max-age", str(hours), "--json"])
    assert well.exit_code == 0
    assert json.loads(well.output)["problems"] == []
    old = CliRunner().invoke(app, ["status", "--max-age", "0.5"])
    assert (old.exit_code, "wrong" in old.output, "hours old" in old.output) == (1, True, True)


def test_a_missing_data_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "nothing"))
    shown = CliRunner().invoke(app, ["status"])
    assert shown.exit_code == 1
    assert "is no folder; JOBFEED_DATA names the data folder" in shown.output
    assert not (tmp_path / "nothing").exists()


def outcome(job: str, *, ended: float, succeeded: bool = True, step: str = "") -> RunOutcome:
    at = AS_OF.timestamp() + ended
    return RunOutcome(job, "1", "", at, succeeded, at if succeeded else None, 1.0, 1.0, 1, step)


def test_the_last_run_of_each_job_is_told(data: Path) -> None:
    lake = Lake(data / "lake")
    keep_outcome(lake, outcome("daily", ended=0))
    keep_outcome(lake, outcome("hourly", ended=1800, succeeded=False, step="ranking/feeds"))
    found = status(data)
    assert [(run.job, run.succeeded, run.success_hours, run.failed_step) for run in found.runs] == [
        ("daily", True, 1.0, ""), ("hourly", False, None, "ranking/feeds"),
    ]  # fmt: skip
    assert found.problems == ["a run of hourly did not end well at ranking/feeds; run it again, its messages say why"]


def test_a_failure_is_over_once_a_run_that_does_as_much_succeeded(data: Path) -> None:
    lake = Lake(data / "lake")
    keep_outcome(lake, outcome("frequent", ended=0, succeeded=False, step="bronze/events"))
    keep_outcome(lake, outcome("weekly", ended=0, succeeded=False, step="training/als"))
    keep_outcome(lake, outcome("daily", ended=60))
    assert status(data).problems == [
        "a run of weekly did not end well at training/als; run it again, its messages say why"
    ]


def test_the_way_to_another_embedding_model_is_shown(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert status(data).embeddings is None
    write_serving(Lake(data / "lake"), Serving(MODEL))
    assert status(data).embeddings == {"model": "usem3-1"}
    write_serving(Lake(data / "lake"), Serving(MODEL, following="new-1", n_done=1, n_wanted=3))
    found = status(data)
    assert found.embeddings == {"model": "usem3-1", "next_model": "new-1", "next_model_share": 0.3333}
    assert found.problems == []
    monkeypatch.setenv("JOBFEED_DATA", str(data))
    printed = " ".join(CliRunner().invoke(app, ["status", "--max-age", "1e9"]).output.split())
    assert "vectors usem3-1; new-1 has 33% of the texts and serves when it has all" in printed
