"""What a run prints on the terminal."""

import io
import logging

import dagster as dg
import pytest
from rich.console import Console

from pipelines import running

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
