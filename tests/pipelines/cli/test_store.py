"""What commands do with the URL of an object store, and `jobfeed store` with a folder."""

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.damage import rebuild_due
from assets.lake import Lake
from assets.run_turns import run_turn
from features.schemas.catalog import INTERACTIONS, JOBS
from pipelines.cli.main import app
from pipelines.environment import data_folder, landing_folder
from serving.contract.object_store import StoreExtraError, StoreUrlError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOBFEED_CACHE", str(tmp_path))
    monkeypatch.delenv("JOBFEED_LANDING", raising=False)
    return tmp_path


def test_the_data_folder_of_a_store_lies_in_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = set()
    for url in ("s3://acme-feeds/prod", "s3://acme-feeds/prod/", "s3://acme-feeds/test", "s3://acme/feeds/prod"):
        monkeypatch.setenv("JOBFEED_DATA", url)
        folders.add(data_folder())
        assert landing_folder() == data_folder() / "landing"
    assert len(folders) == 3
    assert {folder.parent for folder in folders} == {cache}
    assert all(folder.name.startswith("acme-feeds-") for folder in folders)
    monkeypatch.setenv("JOBFEED_LANDING", str(cache / "own"))
    assert landing_folder() == cache / "own"


@pytest.mark.parametrize("url", ["gs://bucket/prefix", "s3://", "s3://b/x", "https://bucket"])
def test_a_url_that_names_no_bucket_is_an_error_of_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", url)
    with pytest.raises(StoreUrlError):
        data_folder()
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert "s3://bucket/prefix" in result.output
    assert list(cache.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBFEED_DATA", "s3://acme-feeds/prod")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert "pip install -c constraints.txt -e '.[s3]'" in result.output
    assert issubclass(StoreExtraError, ImportError)


@pytest.mark.parametrize("command", ["serve", "stream"])
def test_the_service_gets_the_url_and_mirrors_itself(
    cache: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _program, words: started.append(words))
    monkeypatch.setenv("JOBFEED_DATA", "s3://acme-feeds/prod")
    CliRunner().invoke(app, [command])
    assert started[0][started[0].index("--data") + 1] == "s3://acme-feeds/prod"
    monkeypatch.setenv("JOBFEED_DATA", str(cache))
    CliRunner().invoke(app, [command])
    assert started[1][started[1].index("--data") + 1] == str(cache)


def test_a_folder_is_checked_and_repaired_by_what_the_last_run_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path))
    lake = Lake(tmp_path / "lake")
    with run_turn(lake, job="daily"):
        gone, altered = (lake.replace("catalog", table, table.empty()) for table in (INTERACTIONS, JOBS))
    whole = CliRunner().invoke(app, ["store", "check", "--read"])
    assert (whole.exit_code, whole.output) == (0, f"{tmp_path}: all files are there\n")

    gone.unlink()
    body = bytearray(altered.read_bytes())
    body[len(body) // 2] ^= 1
    altered.write_bytes(body)
    named = CliRunner().invoke(app, ["store", "check", "--read", "--json"])
    assert named.exit_code == 1
    assert [one["file"] for one in json.loads(named.stdout)] == [str(gone), str(altered)]

    mended = CliRunner().invoke(app, ["store", "repair", "--read"])
    assert mended.exit_code == 0
    assert "now run `jobfeed run daily`" in mended.output
    assert rebuild_due(lake)
    assert not altered.exists()
    assert CliRunner().invoke(app, ["store", "check", "--read"]).exit_code == 0
