from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.lake import Lake
from assets.training import embedding_store
from assets.training.embedding_store import PERSONAL, SHARED, StoredTexts, keep_embeddings
from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.embeddings import text_hashes
from tests.models.training_world import BagOfWords


class Killed(BaseException):
    """Stands for the end of the process."""


class World:
    """A lake, and a count of how often the encoder was loaded and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.asked, self.n_loads = Lake(folder), list[str](), 0
        self.progress: list[tuple[int, int]] = []
        self.fails_after: int | None = None
        self.identity = "words-1"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise Killed
        self.asked += texts
        return BagOfWords().encode(texts)

    def load(self) -> "World":
        self.n_loads += 1
        return self

    def keep(self, texts: list[str], partition: str = SHARED) -> StoredTexts:
        return keep_embeddings(
            self.lake,
            partition,
            pl.Series(texts, dtype=pl.String),
            model=self.identity,
            load=self.load,
            on_part=lambda done, total: self.progress.append((done, total)),
        )

    def stored(self) -> set[str]:
        return set(self.lake.scan("training", TEXT_EMBEDDINGS).collect()["text_hash"])

    def files(self) -> list[bytes]:
        return [path.read_bytes() for path in self.lake.files("training", TEXT_EMBEDDINGS.name)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(embedding_store, "model_identity", lambda name: name)
    return World(tmp_path)


def hashes(*texts: str) -> set[str]:
    return set(text_hashes("words-1", pl.Series(texts)))


def test_only_new_texts_are_embedded(world: World) -> None:
    assert world.keep(["a", "b"]) == StoredTexts(2, 2, 0)
    assert world.keep(["b", "c"]).n_new == 1
    assert sorted(world.asked) == ["a", "b", "c"]


def test_the_same_texts_again_load_no_encoder_and_change_no_byte(world: World) -> None:
    world.keep(["a", "b"])
    before = world.files()
    assert world.keep(["a", "b"]).n_new == 0
    assert world.n_loads == 1
    assert world.files() == before


def test_a_run_that_was_killed_does_not_embed_again_what_it_embedded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding_store, "_SAVED_TEXTS", 3)
    texts = [f"text {number}" for number in range(8)]
    world.fails_after = 6
    with pytest.raises(Killed):
        world.keep(texts)
    embedded = set(world.asked)
    assert len(embedded) == 6
    assert world.stored() == hashes(*embedded)
    world.fails_after, world.asked = None, []
    assert world.keep(texts) == StoredTexts(8, 2, 0)
    assert set(world.asked) == set(texts) - embedded
    assert world.progress == [(3, 8), (6, 8), (2, 2)]


def test_no_texts_are_no_error(world: World) -> None:
    assert world.keep([]) == StoredTexts(0, 0, 0)
    assert world.n_loads == 0


def test_a_personal_text_that_is_gone_leaves_nothing(world: World) -> None:
    world.keep(["me", "you", "them"], PERSONAL)
    assert world.keep(["me", "you"], PERSONAL).n_dropped == 1
    assert world.stored() == hashes("me", "you")
    world.keep([], PERSONAL)
    assert world.stored() == set()


def test_shared_texts_stay_until_most_of_a_file_is_out_of_use(world: World) -> None:
    world.keep(["a", "b", "c", "d"])
    assert world.keep(["a", "b"]).n_dropped == 0
    assert world.keep(["a"]).n_dropped == 3
    assert world.stored() == hashes("a")


def test_a_personal_text_is_kept_apart_from_an_equal_shared_one(world: World) -> None:
    world.keep(["nurse"], PERSONAL)
    world.keep(["nurse"], SHARED)
    world.keep([], PERSONAL)
    assert world.stored() == hashes("nurse")


def test_many_small_files_become_one(world: World) -> None:
    texts = [f"text {number}" for number in range(30)]
    for number in range(30):
        world.keep(texts[: number + 1])
    assert len(world.files()) < 25
    assert world.stored() == hashes(*texts)
    assert world.keep(texts).n_new == 0


def test_another_model_embeds_everything_again(world: World) -> None:
    world.keep(["a"])
    world.identity = "words-2"
    assert world.keep(["a"]).n_new == 1
