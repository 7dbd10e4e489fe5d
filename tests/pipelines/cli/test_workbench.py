from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.main import app
from pipelines.jobs import JOBS


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
