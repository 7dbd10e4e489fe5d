"""Small worlds for the models: users of two trades, and an encoder without a neural network."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.fitting.embeddings import TextModel, TextVectors, embed, keyed_texts, text_vectors
from models.fitting.job_vectors import JobVectors, build_job_vectors
from models.fitting.texts import JOB_TEXTS, distinct_texts
from models.fitting.weights import WeightMatrix, weight_matrix

DIMENSIONS = 512
USERS = [f"u{number}" for number in range(8)]
JOBS = [f"j{number}" for number in range(6)]


def trades(skipped: Sequence[tuple[str, str]] = ()) -> pl.DataFrame:
    """u0..u3 liked j0..j2, u4..u7 liked j3..j5: user_id, job_id, weight."""
    pairs = [
        (user, job, 10.0)
        for half in (0, 1)
        for user in USERS[half * 4 : half * 4 + 4]
        for job in JOBS[half * 3 : half * 3 + 3]
        if (user, job) not in skipped
    ]
    return pl.DataFrame(pairs, schema=["user_id", "job_id", "weight"], orient="row")


def trade_matrix(skipped: Sequence[tuple[str, str]] = ()) -> WeightMatrix:
    return weight_matrix(trades(skipped))


WORDS = TextModel("words-1")


@dataclass(frozen=True)
class BagOfWords:
    """An `Embedder`: each word is a direction."""

    def encode(self, texts: Sequence[str], kind: str = "passage") -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % DIMENSIONS] += 1
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(length, 1e-9), dtype=np.float32)


def job_rows(*rows: dict[str, Any]) -> pl.DataFrame:
    empty = {"title": None, "skills": [], "extract": None, "about": None}
    return pl.DataFrame([{**empty, **row} for row in rows], schema=JOB_TEXTS)


def embedded(*columns: pl.Series) -> TextVectors:
    texts = distinct_texts(*columns)
    keyed = keyed_texts(WORDS, passages=texts, queries=texts.clear())
    return text_vectors(embed(keyed, BagOfWords()).lazy(), space=WORDS.identity, texts=texts)


def job_vectors_of(jobs: pl.DataFrame) -> JobVectors:
    vectors = embedded(jobs["title"], jobs["skills"], jobs["extract"], jobs["about"])
    return build_job_vectors(jobs, vectors, model=WORDS.identity)


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def encoded(text: str) -> np.ndarray:
    return BagOfWords().encode([text])[0]
