import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.learning.store import load_registry, update_registry
from assets.resources import Workspace
from pipelines.cli.main import app
from tests.models.learning.test_registry import FIT


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    return Workspace(data_dir=str(tmp_path))


def shown(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["recipes", *words])
    assert result.exit_code == exit_code, result.output
    return result.output


def test_without_a_fit_the_configured_recipes_are_listed(workspace: Workspace) -> None:
    lines = shown("list").splitlines()
    assert [line.split("│")[1].strip() for line in lines if "default" in line] == ["marketplace"]
    assert "no fit of the learned recipe yet" in lines[-1]
    assert "no fit" in shown("show", exit_code=1)
    assert "nothing to go back from" in shown("rollback", exit_code=1)


def test_a_fit_can_be_shown_promoted_and_rolled_back(workspace: Workspace) -> None:
    other = replace(FIT, fit="learned-20260308", is_promoted=False)
    update_registry(workspace, lambda registry: registry.add(FIT).add(other))
    listed = shown("list")
    assert [line.split("│")[1].strip() for line in listed.splitlines() if "default" in line] == ["learned"]
    assert "1,200 outcomes of 100 users" in listed and "not promoted" in listed
    assert "tags" in shown("show") and "0.6000" in shown("show", other.fit)
    assert json.loads(shown("show", other.fit, "--json")) == asdict(other)
    assert "the next `jobfeed run daily` ranks by it" in shown("promote", other.fit)
    assert load_registry(workspace.models).active == other.fit
    assert FIT.fit in shown("rollback") and "the recipe marketplace" in shown("rollback")
    assert "fits are" in shown("promote", "x", exit_code=1)
