"""A run is followed by its events: log lines, the outcome, metrics and a trace, in whatever way it was started."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from assets.lake import Lake
from assets.resources import AS_OF_TAG
from assets.run_outcomes import RunOutcome, read_outcome
from pipelines.executor import in_turn
from pipelines.step_threads import execute, step_threads

AS_OF = "2026-03-01T02:00:00+00:00"
STATE: dict[str, str] = {}


@dg.asset(key=["bronze", "events"])
def events() -> dg.Output[None]:
    return dg.Output(None, metadata={"dagster/row_count": 7})


@dg.asset(key=["catalog", "jobs"], deps=[events])
def jobs(context: dg.AssetExecutionContext) -> None:
    if STATE["error"]:
        raise ValueError(STATE["error"])


@dg.asset_check(asset=events)
def sources_keep_coming() -> dg.AssetCheckResult:
    problem = STATE["problem"]
    return dg.AssetCheckResult(passed=not problem, severity=dg.AssetCheckSeverity.WARN, description=problem or "well")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def run(lake: Lake, *, job: str = "daily", error: str = "", problem: str = "") -> RunOutcome:
    """A run of the two assets as `jobfeed run` and Dagster do it; its outcome."""
    STATE.update(error=error, problem=problem)
    defined = dg.Definitions(
        [events, jobs], asset_checks=[sources_keep_coming], executor=in_turn(step_threads, lake),
        jobs=[dg.define_asset_job(job, dg.AssetSelection.all())],
    ).resolve_job_def(job)  # fmt: skip
    with dg.DagsterInstance.ephemeral() as instance:
        execute(defined, instance=instance, tags={AS_OF_TAG: AS_OF}, run_config={})
    outcome = read_outcome(lake, job)
    assert outcome is not None
    return outcome


def lines(written: io.StringIO) -> list[dict[str, object]]:
    found = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in found if line["program"] == "run"]


def test_each_line_names_run_job_and_step(lake: Lake, written: io.StringIO) -> None:
    outcome = run(lake, problem="source board: failing")
    told = lines(written)
    assert {(line["run_id"], line["job"]) for line in told} == {(outcome.run_id, "daily")}
    counted = Counter(str(line["event"]) for line in told)
    assert counted == {"run begins": 1, "step done": 3, "check failed": 1, "run done": 1}
    assert (told[0]["event"], told[-1]["event"]) == ("run begins", "run done")
    by_step = {line["step"]: line for line in told if line["event"] == "step done"}
    assert by_step["bronze/events"]["n_rows"] == 7
    assert {"bronze/events", "catalog/jobs"} <= set(by_step)
    (check,) = [line for line in told if line["event"] == "check failed"]
    assert (check["asset"], check["check"], check["level"]) == ("bronze/events", "sources_keep_coming", "warning")
    assert check["reason"] == "source board: failing"
    assert told[0]["as_of"] == AS_OF
    assert float(str(told[-1]["peak_memory_bytes"])) > 1e7


def test_a_failure_is_told_with_its_step_and_reason_and_no_address(lake: Lake, written: io.StringIO) -> None:
    outcome = run(lake, error="can't parse anna@mail.example")
    assert (outcome.succeeded, outcome.failed_step, outcome.last_success_at) == (False, "catalog/jobs", None)
    (failed,) = [line for line in lines(written) if line["event"] == "step failed"]
    assert (failed["step"], failed["level"]) == ("catalog/jobs", "error")
    assert "can't parse ***" in str(failed["reason"])
    assert "anna" not in written.getvalue()
    assert lines(written)[-1]["event"] == "run failed"


def test_a_run_that_is_refused_is_told_too(lake: Lake, written: io.StringIO) -> None:
    outcome = run(lake, job="frequent")
    assert (outcome.succeeded, outcome.steps) == (False, {})
    told = lines(written)[-1]
    assert told["event"] == "run failed" and "DailyFirstError" in str(told["reason"])


def test_the_outcome_has_steps_rows_and_cost(lake: Lake) -> None:
    outcome = run(lake)
    assert outcome.succeeded
    assert outcome.last_success_at == outcome.ended_at
    assert outcome.as_of == AS_OF
    assert outcome.rows == {"bronze/events": 7}
    assert {"bronze/events", "catalog/jobs"} <= set(outcome.steps)
    assert outcome.cpu_seconds > 0
    failed = run(lake, error="full")
    assert failed.last_success_at == outcome.ended_at


def values(path: Path) -> Mapping[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(path.read_text(encoding="utf-8"))
        for sample in family.samples
    }


def test_metrics_are_written_if_a_folder_is_named(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_METRICS_DIR", str(tmp_path))
    outcome = run(lake)
    found = values(tmp_path / "jobfeed-run-daily.prom")
    assert found["jobfeed_run_success['daily']"] == 1
    assert found["jobfeed_asset_rows['bronze/events', 'daily']"] == 7
    assert found["jobfeed_step_seconds['catalog/jobs', 'daily']"] == outcome.steps["catalog/jobs"]
    assert (tmp_path / "jobfeed-data.prom").exists()
    run(lake, error="full")
    found = values(tmp_path / "jobfeed-run-daily.prom")
    assert found["jobfeed_run_success['daily']"] == 0
    assert found["jobfeed_run_last_success_timestamp_seconds['daily']"] == outcome.ended_at


def test_a_disk_on_which_no_outcome_can_be_kept_fails_no_run(lake: Lake, written: io.StringIO) -> None:
    folder = lake.root / ".runs" / "outcomes"
    folder.parent.mkdir(parents=True)
    folder.write_text("a file is in the way")
    with pytest.raises(AssertionError):  # there is no outcome
        run(lake)
    told = lines(written)
    assert [line["event"] for line in told if line["level"] == "warning"] == ["the outcome of the run was not kept"]
    assert told[-2]["event"] == "run done"
