from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.lake import Lake
from assets.training import embedding_store
from assets.training.embedding_store import PERSONAL, SHARED, Added, add_embeddings, missing_texts, tidy_embeddings
from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.embeddings import TextModel, embed, keyed_texts, text_hashes
from tests.models.training_world import DIMENSIONS, BagOfWords


class Killed(BaseException):
    """Stands for the end of the process."""


class World:
    """A lake, and a count of how often the encoder was loaded and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.asked, self.n_loads = Lake(folder), list[str](), 0
        self.progress: list[tuple[int, int]] = []
        self.fails_after: int | None = None
        self.identity = "words-1"
        self.seconds_left: list[float] | None = None

    def encode(self, texts: Sequence[str], _kind: str) -> np.ndarray:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise Killed
        self.asked += texts
        return BagOfWords().encode(texts)

    def load(self) -> "World":
        self.n_loads += 1
        return self

    def keyed(self, texts: list[str]) -> pl.DataFrame:
        passages = pl.Series(texts, dtype=pl.String)
        return keyed_texts(TextModel(self.identity), passages=passages, queries=passages.clear())

    def add(self, texts: list[str], partition: str = SHARED) -> Added:
        return add_embeddings(
            self.lake,
            partition,
            self.keyed(texts),
            load=self.load,
            on_part=lambda done, total: self.progress.append((done, total)),
            seconds_left=None if self.seconds_left is None else lambda left=self.seconds_left: left.pop(0),
        )

    def keep(self, texts: list[str], partition: str = SHARED) -> tuple[int, int]:
        """How many of the texts are new, and how many others were removed."""
        added = self.add(texts, partition)
        assert added.n_left == 0
        return added.n_new, tidy_embeddings(self.lake, partition, self.keyed(texts))

    def stored(self) -> set[str]:
        return set(self.lake.scan("training", TEXT_EMBEDDINGS).collect()["text_hash"])

    def files(self) -> list[bytes]:
        return [path.read_bytes() for path in self.lake.files("training", TEXT_EMBEDDINGS.name)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def hashes(*texts: str) -> set[str]:
    return set(text_hashes("words-1", pl.Series(texts)))


def test_only_new_texts_are_embedded(world: World) -> None:
    assert world.keep(["a", "b"]) == (2, 0)
    assert world.keep(["b", "c"]) == (1, 0)
    assert sorted(world.asked) == ["a", "b", "c"]


def test_the_same_texts_again_load_no_encoder_and_change_no_byte(world: World) -> None:
    world.keep(["a", "b"])
    before = world.files()
    assert world.keep(["a", "b"]) == (0, 0)
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
    assert world.keep(texts) == (2, 0)
    assert set(world.asked) == set(texts) - embedded
    assert world.progress == [(3, 8), (6, 8), (2, 2)]


def test_no_texts_are_no_error(world: World) -> None:
    assert world.keep([]) == (0, 0)
    assert world.n_loads == 0


def test_a_personal_text_that_is_gone_leaves_nothing(world: World) -> None:
    world.keep(["me", "you", "them"], PERSONAL)
    assert world.keep(["me", "you"], PERSONAL) == (0, 1)
    assert world.stored() == hashes("me", "you")
    world.keep([], PERSONAL)
    assert world.stored() == set()


def test_shared_texts_stay_until_most_of_a_file_is_out_of_use(world: World) -> None:
    world.keep(["a", "b", "c", "d"])
    assert world.keep(["a", "b"]) == (0, 0)
    assert world.keep(["a"]) == (0, 3)
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
    assert world.keep(texts) == (0, 0)


def test_another_model_embeds_everything_again(world: World) -> None:
    world.keep(["a"])
    world.identity = "words-2"
    assert world.keep(["a"])[0] == 1


def test_where_the_time_is_limited_some_texts_are_left(world: World) -> None:
    texts = [f"text {number}" for number in range(1_000)]
    # 128 texts in 2 s; then the 5 s that are left are enough for 320; then 0.
    world.seconds_left = [7, 7, 5, 0]
    assert world.add(texts) == Added(448, 552)
    assert world.progress == [(128, 1_000), (448, 1_000)]
    assert len(missing_texts(world.lake, SHARED, world.keyed(texts))) == 552
    world.seconds_left = [0]
    assert world.add(texts) == Added(0, 552)
    world.seconds_left = None
    assert world.add(texts) == Added(552, 0)
    assert len(world.asked) == 1_000


def test_no_encoder_is_loaded_without_time(world: World) -> None:
    world.seconds_left = [-1]
    assert world.add(["a"]) == Added(0, 1)
    assert world.n_loads == 0


def test_vectors_of_an_earlier_version_are_kept(world: World) -> None:
    made = embed(world.keyed(["a", "b"]), BagOfWords())
    old = made.cast({"vector": pl.Array(pl.Float32, DIMENSIONS)})
    folder = world.lake.folder("training", TEXT_EMBEDDINGS.name) / SHARED
    folder.mkdir(parents=True)
    old.write_parquet(folder / "part-old.parquet")
    assert world.keep(["a", "b", "c"]) == (1, 0)
    assert world.asked == ["c"]
    assert world.stored() == hashes("a", "b", "c")
    found = world.lake.scan("training", TEXT_EMBEDDINGS).filter(pl.col("text_hash").is_in(made["text_hash"].implode()))
    assert found.collect().sort("text_hash").equals(made)


def test_vectors_of_different_lengths_lie_side_by_side(world: World) -> None:
    world.keep(["a"])
    short = pl.DataFrame({"text_hash": ["x"], "vector": [[0.6, 0.8]]}, schema=TEXT_EMBEDDINGS.columns)
    world.lake.append("training", TEXT_EMBEDDINGS, short, partition=SHARED)
    found = world.lake.scan("training", TEXT_EMBEDDINGS).collect()
    assert sorted(found["vector"].list.len().to_list()) == [2, DIMENSIONS]
