"""Small worlds for the models: users of two trades, and an encoder that needs no network of weights."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schemas.training import EMBEDDING_DIMENSIONS
from models.fitting.weights import WeightMatrix, weight_matrix

USERS = [f"u{number}" for number in range(8)]
JOBS = [f"j{number}" for number in range(6)]


def trades(skipped: Sequence[tuple[str, str]] = ()) -> pl.DataFrame:
    """u0..u3 took to j0..j2, u4..u7 to j3..j5: user_id, job_id, weight."""
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


@dataclass(frozen=True)
class BagOfWords:
    """An `Embedder`: each word is a direction."""

    identity: str = "words-1"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), EMBEDDING_DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % EMBEDDING_DIMENSIONS] += 1
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(length, 1e-9), dtype=np.float32)
