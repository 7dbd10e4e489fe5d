"""What a run prints on the terminal."""

import io
import logging

import dagster as dg
import pytest
from rich.console import Console

from pipelines import running


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
