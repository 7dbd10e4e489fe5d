"""`jobfeed config`: the names of the ids in sources.yaml, and the newest ids from HH."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from assets.config.loading import load_config
from pipelines.cli.main import app
from tests.assets.ingest.hh.hh_server import FAULTS, HHServer
from tests.assets.ingest.http.fault_server import fault_server

SOURCES = """
http: {{allowed_private_hosts: [127.0.0.1], max_attempts: 1}}
hh:
  base_url: {url}
  queries:
    - {{name: shymkent, area: [{area}], professional_role: [96]}}
"""


@pytest.fixture
def hh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HHServer]:
    with fault_server() as running:
        monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
        monkeypatch.setenv("JOBFEED_CONFIG", str(tmp_path))
        monkeypatch.setenv("HH_ACCESS_TOKEN", "s3cret")
        monkeypatch.setenv("COLUMNS", "300")
        yield HHServer(running, token="s3cret")


def config(hh: HHServer, folder: Path, area: str) -> None:
    (folder / "sources.yaml").write_text(SOURCES.format(url=hh.url, area=area), encoding="utf-8")


def jobfeed(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["config", *words])
    return result.exit_code, " ".join(result.output.split())


def test_a_check_shows_the_names_of_the_ids(hh: HHServer, tmp_path: Path) -> None:
    config(hh, tmp_path, "161")
    code, printed = jobfeed("check")
    assert code == 0 and "HH shymkent: 161 Arkalyk, Аркалык; 96 Software Developer" in printed


def test_an_id_newer_than_the_shipped_ones_is_known_after_a_refresh(hh: HHServer, tmp_path: Path) -> None:
    config(hh, tmp_path, "990001")
    code, printed = jobfeed("check")
    assert code == 1 and "hh.queries.0.area: '990001' is not one of the" in printed
    hh.tree = {"40": ["160", "990001"]}
    code, printed = jobfeed("dictionaries")
    assert (code, printed) == (0, "HH has 3 areas, 3 professional roles, 3 exchange rates")
    code, printed = jobfeed("check")
    assert code == 0 and "990001 Area 990001" in printed


def test_a_refusal_is_shown_without_the_token(hh: HHServer, tmp_path: Path) -> None:
    config(hh, tmp_path, "160")
    hh.fault = FAULTS["token revoked"]
    code, printed = jobfeed("dictionaries")
    assert code == 1 and "403: oauth/token_revoked; HH does not take" in printed and "s3cret" not in printed


def test_the_settings_that_are_shown_can_be_read_again_and_keep_the_schema(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["config", "show"]).output
    for part in shown.split("# ")[1:]:
        name, text = part.split("\n", 1)
        (tmp_path / name).write_text(text, encoding="utf-8")
        schema = json.loads(CliRunner().invoke(app, ["config", "schema", name]).output)
        jsonschema.validate(yaml.safe_load(text), schema)
        with pytest.raises(jsonschema.ValidationError, match="no_such_key"):
            jsonschema.validate({"no_such_key": 1}, schema)
    assert load_config(tmp_path) == load_config()
    as_json = json.loads(CliRunner().invoke(app, ["config", "show", "--json"]).output)
    assert as_json == load_config().model_dump(mode="json", by_alias=True)


def test_the_schema_of_an_unknown_file_names_the_files() -> None:
    result = CliRunner().invoke(app, ["config", "schema", "recipes.yaml"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "sources.yaml, ranking.yaml, pipeline.yaml" in result.output


def test_a_check_loads_the_embedding_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.assets.training.sentence_models import save_model

    monkeypatch.setenv("JOBFEED_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("JOBFEED_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "config").mkdir()
    pipeline = tmp_path / "config" / "pipeline.yaml"
    pipeline.write_text("embedding: {model: ../tiny}")
    code, printed = jobfeed("check")
    assert code == 1 and "received '../tiny'" in printed and "is not there" in printed
    save_model(tmp_path / "tiny", prompts={"query": "search: "})
    code, printed = jobfeed("check")
    assert code == 0, printed
    assert "embedding model: tiny-" in printed and ", 24 dimensions, query prompt 'search: '" in printed
    pipeline.write_text("embedding: {model: ../tiny, truncate_dim: 32}")
    code, printed = jobfeed("check")
    assert code == 1 and "have 24 dimensions, and truncate_dim asks for 32" in printed
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"cut off")
    code, printed = jobfeed("check")
    assert code == 1 and "can't be loaded" in printed
