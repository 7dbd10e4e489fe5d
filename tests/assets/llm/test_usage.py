"""The table of what a language model was asked."""

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl

from assets.erasing.purge import purge_kept
from assets.io import LakeIOManager
from assets.lake import Lake
from assets.llm.assets import llm_usage, usage
from assets.llm.questions import Question
from assets.resources import ANNOUNCE_TAG, AS_OF_TAG, RunClock, Workspace
from features.schemas.bronze import ERASURES
from features.schemas.insight import LLM_USAGE
from tests.assets.ingest.http.fault_server import Answer
from tests.assets.llm.model_server import NOW, ModelServer, completion, text_of


def test_calls_are_counted_by_outcome_with_what_they_cost(model: ModelServer, tmp_path: Path) -> None:
    good, bad = Answer(body=completion({"sentiment": "neutral"})), Answer(500)
    model.answer = lambda body: bad if "bad" in text_of(body) else good
    client = model.client(tmp_path, max_attempts=1)
    client.ask("replies", [Question(text) for text in ("a", "b", "bad one", "b")])
    client.ask("replies", [Question("a")])
    found = usage(client.ledger.calls()).rows(named=True)
    assert [(row["outcome"], row["n_calls"], row["input_tokens"]) for row in found] == [
        ("answered", 2, 200), ("status_500", 1, 0),
    ]  # fmt: skip
    assert found[0]["usd"] == 2 * (100 * 1 + 10 * 10) / 1e6
    assert found[1]["usd"] > 2_000 * 10 / 1e6, "what nobody counted is taken for the most that it may cost"
    assert 0 < found[0]["median_seconds"] <= found[0]["p95_seconds"]


def test_the_asset_deletes_answers_that_are_too_old(model: ModelServer, tmp_path: Path) -> None:
    workspace, lake = Workspace(data_dir=str(tmp_path)), Lake(tmp_path / "lake")
    model.client(tmp_path / "lake").ask("replies", [Question("a", "u1")])
    for days, n_asked in ((400, 1), (401, 2)):
        result = dg.materialize(
            [llm_usage], resources={"workspace": workspace, "clock": RunClock(), "lake_io": LakeIOManager(lake)},
            tags={AS_OF_TAG: (NOW + dt.timedelta(days=days)).isoformat(), ANNOUNCE_TAG: "yes"},
        )  # fmt: skip
        assert result.success
        assert lake.scan("insight", LLM_USAGE).collect()["n_calls"].to_list() == [1]
        model.client(tmp_path / "lake").ask("replies", [Question("a", "u1")])
        assert len(model.bodies) == n_asked


def test_an_erasure_deletes_what_was_asked_about_the_user(model: ModelServer, tmp_path: Path) -> None:
    client, lake = model.client(tmp_path / "lake"), Lake(tmp_path / "lake")
    client.ask("replies", [Question("a", "u1"), Question("a", "u2")])
    requests = pl.DataFrame({"user_id": ["u1"], "requested_at": [NOW]})
    assert purge_kept(lake, ERASURES.conform(requests)) == 1
    client.ask("replies", [Question("a", "u1"), Question("a", "u2")])
    assert len(model.bodies) == 3


def test_a_lake_without_a_ledger_has_an_empty_table(model: ModelServer, tmp_path: Path) -> None:
    assert usage(model.client(tmp_path).ledger.calls()).is_empty()
