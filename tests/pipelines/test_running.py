"""What a run prints on the terminal."""

import datetime as dt
import io
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.retries import RetryMode
from rich.console import Console

from assets.damage import Damage, set_aside
from assets.lake import Lake
from pipelines import running
from pipelines.step_threads import execute
from serving.contract import logs

ROWS = "dagster/row_count"


@pytest.fixture
def logged() -> tuple[logging.Logger, io.StringIO]:
    written = io.StringIO()
    definition = running.progress_logger(Console(file=written, width=200))
    return definition.logger_fn(dg.build_init_logger_context()), written


def test_a_failure_is_not_hidden_by_the_steps_that_needed_it(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged
    logger.error("the disk is full")
    for step in ("a", "b"):
        logger.error(f"Dependencies for step {step} were not executed: ['x']. Not executing.")
    logger.warning("source board: failing [since yesterday]")
    assert written.getvalue().splitlines() == [
        "  error the disk is full",
        "  steps that need what failed are not run",
        "  warning source board: failing [since yesterday]",
    ]


def test_a_run_that_fails_outside_of_its_steps_says_why() -> None:
    @dg.resource
    def missing(_context: dg.InitResourceContext) -> None:
        raise ValueError("the disk of the lake is away")

    @dg.asset(required_resource_keys={"missing"})
    def needing() -> None:
        raise AssertionError("must not begin")

    written = io.StringIO()
    logger = running.progress_logger(Console(file=written, width=200))
    job = dg.define_asset_job("job", dg.AssetSelection.all())
    defs = dg.Definitions([needing], jobs=[job], resources={"missing": missing}, loggers={"console": logger})
    result = defs.resolve_job_def("job").execute_in_process(
        run_config={"loggers": {"console": {}}}, raise_on_error=False
    )
    assert not result.success
    assert "failed" in written.getvalue()
    assert "the disk of the lake is away" in written.getvalue()


def test_messages_reach_the_terminal_without_control_characters(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged
    logger.error("no such file: \x1b[2J.csv\nsecond line")
    assert written.getvalue() == "  error no such file: \\x1b[2J.csv\nsecond line\n"


def test_the_summary_of_a_run_has_what_its_assets_report() -> None:
    def reporting(name: str, **metadata: object) -> dg.AssetsDefinition:
        @dg.asset(key=name.split("/"))
        def report() -> dg.MaterializeResult:
            return dg.MaterializeResult(metadata=metadata)

        return report

    result = dg.materialize(
        [
            reporting("bronze/events", n_quarantined=3),
            reporting("bronze/resumes", n_quarantined=4),
            reporting("ranking/feeds", n_ranked=1234),
            reporting("publishing/generation", generation="g", announced="new, delta", n_jobs=5, **{ROWS: 6}),
        ]
    )
    summary = running.summary_of(result)
    assert summary.line() == ("5 jobs, 6 users, 1,234 feeds ranked, 7 entries quarantined, generation g (new, delta)")
    nothing = running.summary_of(dg.materialize([reporting("training/tuning")]))
    assert (nothing.succeeded, nothing.line()) == (True, "")


def test_a_run_that_failed_outside_of_its_steps_says_why(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = logged

    @dg.op
    def nothing() -> None: ...

    class Broken(dg.Executor):
        @property
        def retries(self) -> RetryMode:
            return RetryMode.DISABLED

        def execute(self, *_: object) -> Iterator[dg.DagsterEvent]:
            raise OSError(28, "No space left on device")

    @dg.executor(name="broken")
    def broken(_context: dg.InitExecutorContext) -> dg.Executor:
        return Broken()

    @dg.job(executor_def=broken, logger_defs={"console": dg.LoggerDefinition(lambda _: logger)})
    def empty() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        execute(empty, instance=instance, tags={}, run_config={"loggers": {"console": {}}})
    assert "No space left on device" in written.getvalue()
    assert "Traceback" not in written.getvalue()


def test_what_steps_tell_becomes_lines_of_the_log_without_the_steps_that_were_not_run() -> None:
    written = io.StringIO()
    handlers = list(logging.getLogger().handlers)
    logs.configure_logs({}, stream=written)
    try:
        logger = running.message_logger().logger_fn(dg.build_init_logger_context())
        logger.info("ranked shard 1 of 2")
        logger.warning("source board: failing, ask anna@mail.example")
        logger.error("Dependencies for step a were not executed: ['x']. Not executing.")
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.captureWarnings(False)
    (line,) = [json.loads(line) for line in written.getvalue().splitlines()]
    assert (line["level"], line["event"], line["reason"]) == (
        "warning",
        "a step tells",
        "source board: failing, ask ***",
    )


class Runs:
    """Stands in for the runs: the first ones fail by a damaged file, later ones succeed."""

    def __init__(self, lake: Lake, *, failing: int) -> None:
        self.lake, self.failing, self.names = lake, failing, list[str]()

    def __call__(self, name: str, _instance: object, _tags: object, _console: object) -> dg.ExecuteInProcessResult:
        self.names.append(name)
        if len(self.names) <= self.failing:
            note = Damage(self.lake.root / "catalog/jobs.parquet", "text")
            note.path.parent.mkdir(parents=True, exist_ok=True)
            note.path.write_bytes(b"")
            set_aside(self.lake, self.lake.root.parent / "models", [note], at=dt.datetime.now(dt.UTC))

        @dg.asset
        def made() -> None:
            if len(self.names) <= self.failing:
                raise ValueError

        return dg.materialize([made], raise_on_error=False)


@pytest.mark.parametrize(
    ("job", "was_due", "failing", "ran", "succeeded"),
    [
        ("frequent", False, 0, ["frequent"], True),
        ("frequent", False, 1, ["frequent", "daily"], True),
        ("hourly", True, 0, ["daily"], True),
        ("daily", False, 1, ["daily", "daily"], True),
        ("weekly", True, 0, ["weekly"], True),
        ("frequent", False, 2, ["frequent", "daily"], False),
        ("frequent", True, 1, ["daily"], False),
    ],
)
def test_a_daily_run_follows_once_files_were_set_aside(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    was_due: bool,
    failing: int,
    ran: list[str],
    succeeded: bool,
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    lake = Lake(tmp_path / "lake")
    runs = Runs(lake, failing=failing)
    monkeypatch.setattr(running, "_executed", runs)
    if was_due:
        lake.root.mkdir()
        (lake.root / ".rebuild.json").write_text("[]")
    assert running.run_job(job, as_of=None, console=Console(file=io.StringIO())).succeeded is succeeded
    assert runs.names == ran


@pytest.mark.parametrize(
    ("waits", "since", "ran"), [(True, "then", []), (True, None, ["hourly"]), (False, "then", ["hourly"])]
)
def test_a_run_that_waited_looks_again_whether_there_is_anything_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: bool, since: str | None, ran: list[str]
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    @contextmanager
    def turn(_lake: Lake, *, on_wait: Callable[[str], None], **_: object) -> Iterator[None]:
        if waits:
            on_wait("hourly waits for the run of daily")
        yield

    runs = Runs(Lake(tmp_path / "data/lake"), failing=0)
    monkeypatch.setattr(running, "run_turn", turn)
    monkeypatch.setattr(running, "_executed", runs)
    console = Console(file=io.StringIO())
    summary = running.run_job("hourly", as_of=None, console=console, nothing_new=lambda: since)
    assert (summary.succeeded, runs.names) == (True, ran)
    assert summary.nothing_new_since == (None if ran else since)


@pytest.mark.parametrize(
    ("made", "unwritable", "problem"),
    [
        (("dagster.yaml", ".dagster/"), "", None),
        (("dagster.yaml", ".dagster/"), ".dagster", "can't be written"),
        (("dagster.yaml",), "", "can't be written"),
        ((".dagster/",), "", "can't be written"),
    ],
)
def test_a_home_with_settings_needs_to_be_written_only_where_records_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: tuple[str, ...], unwritable: str, problem: str | None
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    home = tmp_path / "home"
    home.mkdir()
    for name in made:
        (home / name).mkdir() if name.endswith("/") else (home / name).write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    refused = {home, home / unwritable}
    monkeypatch.setattr(running.os, "access", lambda folder, mode: Path(folder) not in refused)
    monkeypatch.setattr(running, "_executed", Runs(Lake(tmp_path / "data/lake"), failing=0))
    if problem is None:
        assert running.run_job("frequent", as_of=None, console=Console(file=io.StringIO())).succeeded
        return
    with pytest.raises(running.DagsterHomeError, match=problem):
        running.run_job("frequent", as_of=None, console=Console(file=io.StringIO()))


def _garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def _made_twice(path: Path) -> None:
    """As two processes left it that made it at once."""
    with closing(sqlite3.connect(path)) as con:
        con.execute("create table alembic_version (version_num text)")
        con.executemany("insert into alembic_version values (?)", [("29b539ebc72a",), ("5771160a95ad",)])
        con.commit()


@pytest.mark.parametrize("damage", [_garbage, _made_twice])
@pytest.mark.parametrize("name", ["runs.db", "runs/index.db"])
def test_records_of_runs_that_can_not_be_read_are_named_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: Callable[[Path], None]
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(
        f"storage: {{sqlite: {{base_dir: {tmp_path}/.dagster/storage}}}}\ntelemetry: {{enabled: false}}\n"
    )
    damaged = tmp_path / ".dagster/storage/history" / name
    damaged.parent.mkdir(parents=True)
    damage(damaged)
    with pytest.raises(running.DagsterHomeError, match=r"\.dagster can't be used: .*move the folder away"):
        running.run_job("frequent", as_of=None, console=Console(file=io.StringIO()))
