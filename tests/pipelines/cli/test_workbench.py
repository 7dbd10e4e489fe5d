import datetime as dt
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.instants import future_problem
from assets.resources import ANNOUNCE_TAG, AS_OF_TAG, RunClock
from pipelines.cli.main import app
from pipelines.jobs import JOBS
from pipelines.running import RunSummary


def output(*words: str, exit_code: int) -> str:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == exit_code, result.output
    return result.output


@pytest.mark.parametrize("text", ["b", "=0.5", "b=much", "b=1.5", "b=nan", ""])
def test_readers_refuse_a_share_of_an_arm_that_can_not_be_read(tmp_path: Path, text: str) -> None:
    assert "--lose" in output("readers", str(tmp_path), str(tmp_path), "--lose", text, exit_code=2)


def test_readers_without_a_generation_are_a_failure_and_not_wrong_use(tmp_path: Path) -> None:
    shown = output("readers", str(tmp_path), str(tmp_path), "--lose", "b=0.5", exit_code=1)
    assert "has no generation to read" in " ".join(shown.split())


def test_the_help_of_run_names_every_job() -> None:
    shown = output("run", "--help", exit_code=0)
    assert [job.name for job in JOBS if job.name not in shown] == []


@pytest.mark.parametrize("ahead", [dt.timedelta(minutes=6), dt.timedelta(days=1), dt.timedelta(days=13_000)])
@pytest.mark.parametrize("job", ["daily", "frequent"])
def test_a_run_for_the_future_is_refused_and_names_the_option_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: dt.timedelta, job: str
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    instant = (dt.datetime.now(dt.UTC) + ahead).isoformat()
    shown = " ".join(output("run", job, "--as-of", instant, exit_code=2).replace("│", " ").split())
    assert "is in the future" in shown
    assert "--announce" in shown
    assert not (tmp_path / "data").exists()


def test_clocks_that_differ_by_minutes_are_no_future() -> None:
    now = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    assert future_problem(now + dt.timedelta(minutes=4), now=now) is None
    assert future_problem(now - dt.timedelta(days=400), now=now) is None
    assert future_problem(now + dt.timedelta(minutes=6), now=now) is not None


def test_a_run_with_a_tag_of_the_future_computes_nothing() -> None:
    @dg.op
    def ask(context: dg.OpExecutionContext) -> None:
        RunClock().as_of(context)  # type: ignore[arg-type]

    @dg.job
    def asking() -> None:
        ask()

    tag = {AS_OF_TAG: "2999-01-01"}
    with pytest.raises(dg.Failure, match="is in the future"):
        asking.execute_in_process(tags=tag)
    assert asking.execute_in_process(tags={**tag, ANNOUNCE_TAG: "always"}).success


def test_a_run_that_had_nothing_to_do_once_its_turn_came_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))

    def run_job(_name: str, *, nothing_new: Callable[[], str | None], **_: object) -> RunSummary:
        assert nothing_new() is None
        return RunSummary(succeeded=True, nothing_new_since="2026-03-01T00:00:00+00:00")

    monkeypatch.setattr("pipelines.running.run_job", run_job)
    assert "nothing new since the run as of 2026-03-01T00:00:00+00:00" in output("run", "hourly", exit_code=0)


@pytest.mark.parametrize(
    ("words", "instants"),
    [
        (["--as-of", "2026-03-01", "--until", "2026-03-03"], ["2026-03-01", "2026-03-02", "2026-03-03"]),
        (["--as-of", "2026-03-01", "--until", "2026-03-01"], ["2026-03-01"]),
        (["--as-of", "2026-03-01"], ["2026-03-01"]),
    ],
)
def test_a_run_until_an_instant_is_one_of_every_day(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], instants: list[str]
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    ran: list[str] = []

    def run_job(name: str, *, as_of: dt.datetime, **_: object) -> RunSummary:
        ran.append(f"{as_of:%Y-%m-%d}")
        return RunSummary(succeeded=len(ran) < 3)

    monkeypatch.setattr("pipelines.running.run_job", run_job)
    result = CliRunner().invoke(app, ["run", "daily", *words])
    assert ran == instants
    assert result.exit_code == (1 if len(instants) == 3 else 0)


@pytest.mark.parametrize("words", [["--until", "2026-03-01"], ["--as-of", "2026-03-02", "--until", "2026-03-01"]])
def test_a_run_until_an_instant_needs_an_earlier_one(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["run", "daily", *words])
    assert result.exit_code == 2
    assert "earlier --as-of" in result.output


def test_a_market_is_not_mixed_with_other_files_unless_forced(tmp_path: Path) -> None:
    words = ("simulate", str(tmp_path), "--users", "2", "--jobs", "50", "--events", "0", "--days", "1")
    (tmp_path / "users").mkdir()
    (tmp_path / ".gitkeep").write_text("")
    output(*words, exit_code=0)
    shown = " ".join(output(*words, exit_code=2).replace("│", " ").split())
    assert "holds files" in shown
    assert "--force" in shown
    output(*words, "--force", exit_code=0)
