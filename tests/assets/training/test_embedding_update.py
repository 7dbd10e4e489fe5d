"""From one embedding model to another: the old vectors serve until all texts have new ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from assets.config.pipeline import Embedding
from assets.lake import Lake
from assets.training import embedding_update
from assets.training.embedding_models import EmbeddingModel
from assets.training.embedding_store import PERSONAL, SHARED
from assets.training.embedding_switch import OtherSpaceError, is_switching, pin_serving, read_serving, require_one_space
from assets.training.embedding_update import Texts, Updated, described, update_embeddings
from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.embeddings import EmbedderError, TextModel, text_vectors

TITLES = [f"job {number}" for number in range(600)]
SKILLS, SUMMARIES = ["python", "job 1"], ["I weld."]
N_TEXTS = 602  # "job 1" is a text of both kinds, and models without prompts embed it once


class Encoder:
    """As many equal numbers as `dimensions`; a text takes it a hundredth of a second of the world's clock."""

    def __init__(self, world: "World", dimensions: int) -> None:
        self.world, self.dimensions = world, dimensions

    def encode(self, texts: Sequence[str], _kind: str) -> np.ndarray:
        self.world.now += 0.01 * len(texts)
        self.world.n_encoded += len(texts)
        return np.full((len(texts), self.dimensions), self.dimensions**-0.5, dtype=np.float32)


class World:
    """A lake, a clock, and models whose names are their numbers of dimensions."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.now, self.n_encoded = Lake(folder), 0.0, 0
        self.broken: set[str] = set()
        self.loaded: list[str] = []
        self.said: list[str] = []
        self.titles = TITLES

    def find(self, settings: Embedding) -> EmbeddingModel:
        if settings.model in self.broken:
            raise EmbedderError(f"{settings.model} is broken")
        return EmbeddingModel(settings.model, "", None, None, None, TextModel(settings.model))

    def load(self, model: EmbeddingModel, _settings: Embedding, **_options: Any) -> Encoder:
        if model.name in self.broken:
            raise EmbedderError(f"{model.name} can't be loaded")
        self.loaded.append(model.name)
        return Encoder(self, int(model.name))

    def run(self, model: int, *, may_switch: bool = True, switch_seconds: float = 2) -> Updated:
        self.loaded.clear()
        return update_embeddings(
            self.lake,
            Texts(pl.Series(self.titles), pl.Series(SKILLS), pl.Series(SUMMARIES)),
            Embedding(model=str(model), switch_seconds=switch_seconds),
            may_switch=may_switch,
            say=self.said.append,
            clock=lambda: self.now,
        )

    def vectors(self, model: int, texts: list[str]) -> np.ndarray:
        table = self.lake.scan("training", TEXT_EMBEDDINGS)
        return text_vectors(table, space=str(model), texts=pl.Series(texts)).vectors

    def lengths(self, partition: str = "*") -> list[int]:
        files = sorted(self.lake.folder("training", TEXT_EMBEDDINGS.name).glob(f"{partition}/*.parquet"))
        return sorted(pl.read_parquet(files)["vector"].list.len().unique().to_list())


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)
    monkeypatch.setattr(embedding_update, "find_model", made.find)
    monkeypatch.setattr(embedding_update, "find_again", lambda model, _settings: made.find(Embedding(model=model.name)))
    monkeypatch.setattr(embedding_update, "load_embedder", made.load)
    return made


def model_of(updated: Updated) -> str:
    return updated.serving.model.text_model.identity


def test_the_first_run_embeds_everything_with_the_configured_model(world: World) -> None:
    done = world.run(16, switch_seconds=0.1)
    assert (done.n_wanted, done.n_new, done.n_left, model_of(done)) == (N_TEXTS, N_TEXTS, 0, "16")
    assert described(done) == {
        "model": "16", "n_texts": N_TEXTS, "n_new": N_TEXTS, "n_dropped": 0, "n_without_vector": 0
    }  # fmt: skip
    assert not is_switching(world.lake)


def test_summaries_are_stored_apart(world: World) -> None:
    world.run(16)
    folder = world.lake.folder("training", TEXT_EMBEDDINGS.name)
    assert [len(pl.read_parquet(sorted((folder / part).glob("*.parquet")))) for part in (SHARED, PERSONAL)] == [601, 1]


def test_another_model_takes_over_after_as_many_runs_as_it_needs_and_the_old_one_serves_till_then(world: World) -> None:
    world.run(16)
    seen = []
    for _ in range(9):
        done = world.run(8)
        seen.append(done.serving.n_done)
        if model_of(done) == "8":
            break
        assert model_of(done) == "16" and is_switching(world.lake)
        assert described(done)["next_model"] == "8"
        assert described(done)["next_model_share"] == round(done.serving.n_done / N_TEXTS, 4)
        assert world.vectors(16, TITLES).shape == (600, 16)
    assert seen == [256, 512, 0]
    assert world.n_encoded == 2 * N_TEXTS, "no text is embedded twice with one model"
    assert world.vectors(8, [*TITLES, *SUMMARIES]).shape == (601, 8)
    assert not is_switching(world.lake)


def test_a_change_that_takes_little_time_is_done_in_one_run(world: World) -> None:
    world.run(16)
    assert model_of(world.run(8, switch_seconds=3600)) == "8"


def test_only_a_run_of_everything_switches(world: World) -> None:
    world.run(16)
    for _ in range(3):
        done = world.run(8, may_switch=False, switch_seconds=3600)
        assert model_of(done) == "16" and done.serving.share == 1
    assert model_of(world.run(8, switch_seconds=3600)) == "8"


def test_the_old_vectors_go_one_run_after_the_switch(world: World) -> None:
    world.run(16)
    world.run(8, switch_seconds=3600)
    assert world.lengths() == [8, 16], "a run that breaks off now leaves models in the old space"
    world.run(8)
    assert world.lengths() == [8]


def test_new_texts_get_vectors_of_both_models_meanwhile(world: World) -> None:
    world.run(16)
    world.run(8, may_switch=False, switch_seconds=3600)
    world.titles = [*TITLES, "a new job"]
    done = world.run(8, may_switch=False, switch_seconds=3600)
    assert (done.n_new, done.n_left, done.serving.share) == (2, 0, 1)
    assert world.vectors(16, ["a new job"]).shape == (1, 16)
    assert world.vectors(8, ["a new job"]).shape == (1, 8)


def test_a_change_that_is_taken_back_keeps_the_old_vectors_and_drops_the_others(world: World) -> None:
    world.run(16)
    world.run(8)
    assert world.lengths(SHARED) == [8, 16]
    encoded = world.n_encoded
    done = world.run(16)
    assert (model_of(done), world.n_encoded, world.lengths()) == ("16", encoded, [16])
    assert not is_switching(world.lake)


def test_a_model_that_does_not_work_is_noted_and_the_old_one_serves_on(world: World) -> None:
    world.run(16)
    world.broken = {"8"}
    world.titles = [*TITLES, "a new job"]
    done = world.run(8)
    assert (model_of(done), done.n_new, done.n_left) == ("16", 1, 0)
    assert described(done)["next_model_problem"] == "8 is broken"
    serving = read_serving(world.lake)
    assert serving is not None and serving.problem == "8 is broken"
    assert "16 serves on: 8 is broken" in world.said
    world.broken = set()
    assert described(world.run(8, switch_seconds=3600)).keys().isdisjoint({"next_model", "next_model_problem"})


def test_a_model_that_can_be_found_but_not_loaded_is_noted_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(16)
    world.broken = {"8"}
    monkeypatch.setattr(
        embedding_update, "find_model", lambda of: EmbeddingModel(of.model, "", None, None, None, TextModel(of.model))
    )
    done = world.run(8)
    assert (model_of(done), done.serving.n_done, done.serving.n_wanted) == ("16", 0, N_TEXTS)
    assert done.serving.problem == "8 can't be loaded"


def test_new_texts_wait_if_the_old_model_is_gone(world: World) -> None:
    world.run(16)
    world.broken = {"16"}
    world.titles = [*TITLES, "a new job"]
    done = world.run(8)
    assert (model_of(done), done.n_left) == ("16", 1)
    assert any("1 new texts have no vector until" in said for said in world.said)


def test_the_first_model_must_work(world: World) -> None:
    world.broken = {"16"}
    with pytest.raises(EmbedderError, match="16 is broken"):
        world.run(16)
    assert read_serving(world.lake) is None


@pytest.mark.parametrize("body", [b"", b"[1]", b"{}", b'{"model": 1}', b'{"share": 1}', bytes(40)])
def test_a_damaged_note_of_the_model_is_made_anew(world: World, body: bytes) -> None:
    world.run(16)
    [note] = world.lake.root.glob("training/*.json")
    before = note.read_bytes()
    note.write_bytes(body)
    assert read_serving(world.lake) is None
    assert model_of(world.run(16)) == "16"
    assert note.read_bytes() == before


def test_a_replay_uses_the_model_that_serves(world: World, tmp_path: Path) -> None:
    world.run(16)
    world.run(8, may_switch=False)
    replay = World(tmp_path / "replay")
    pin_serving(world.lake, replay.lake)
    world.lake = replay.lake
    assert model_of(world.run(8, switch_seconds=3600)) == "16"
    assert world.lengths() == [16]


def test_a_quiet_run_writes_nothing(world: World) -> None:
    world.run(16)
    before = {
        path: path.stat().st_mtime_ns for path in world.lake.root.rglob("*") if path.suffix in (".json", ".parquet")
    }
    world.run(16)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert world.loaded == []


def test_vectors_of_two_models_are_not_compared() -> None:
    require_one_space("a", "a", "x")
    require_one_space("", "a", "x")
    with pytest.raises(OtherSpaceError, match=r"of the model a, and x of b: .* `jobfeed run hourly`"):
        require_one_space("a", "b", "x")
