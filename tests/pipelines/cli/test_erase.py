from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli.main import app


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["verify"], "`jobfeed erase verify USER`"),
        (["verify", "--also", "anna@mail.example"], "`jobfeed erase verify USER`"),
        (["anna", "--also", "anna@mail.example"], "leave it out here"),
        (["anna", "boris"], "`jobfeed erase USER` or"),
    ],
)
def test_words_that_would_be_taken_for_others_are_refused_and_nothing_is_requested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], expected: str
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    result = CliRunner().invoke(app, ["erase", *words])
    assert result.exit_code == 2
    assert expected in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "data").exists()
