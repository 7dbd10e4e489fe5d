"""Tests of the most similar rows against sorting all pairs."""

import numpy as np
import pytest

from models.arrays import csr_from_coordinates
from models.kernels.similar_rows import Rows, most_similar

N_ROWS, LEAST = 300, 0.2


def rows_of(seed: int) -> Rows:
    """Rows of which many are nearly or wholly equal, in groups of one to three, some with a boost."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.2, 1, (20, 16))[rng.integers(0, 20, N_ROWS)]
    vectors += rng.choice([0, 1e-7, 1e-3], N_ROWS)[:, None] * rng.normal(size=vectors.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    vectors[rng.integers(0, N_ROWS, 5)] = 0
    pairs = np.unique(rng.integers(0, N_ROWS, (400, 2)), axis=0)
    boost = csr_from_coordinates(pairs[:, 0], pairs[:, 1], rng.uniform(0, 0.2, len(pairs)), shape=(N_ROWS, N_ROWS))
    return Rows(vectors, rng.integers(0, N_ROWS // 2, N_ROWS).astype(np.int32), boost)


def expected(rows: Rows, query: int, candidate: np.ndarray, k: int) -> list[tuple[int, np.float32]]:
    """Positions in `candidate` and scores, by sorting; sums of the highest precision."""
    found = []
    for position, other in enumerate(candidate):
        cosine = float(rows.vectors[query].astype(np.longdouble) @ rows.vectors[other].astype(np.longdouble))
        score = np.float32(round(min(1.0, cosine + float(rows.boost[query, other])), 6))
        if score >= np.float32(LEAST) and rows.group[query] != rows.group[other]:
            found.append((position, score))
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]


@pytest.mark.parametrize("seed", range(3))
def test_the_best_are_those_of_sorting_all_pairs_in_blocks_of_any_size(seed: int) -> None:
    rows, rng = rows_of(seed), np.random.default_rng(seed)
    candidate = np.sort(rng.choice(N_ROWS, 200, replace=False))
    queries = np.arange(0, N_ROWS, 7)
    for size in (1, 13, len(queries)):
        for start in range(0, len(queries), size):
            block = queries[start : start + size]
            best, scores = most_similar(rows, block, candidate, k=9, least=LEAST)
            for query, found, score in zip(block, best, scores, strict=True):
                pairs = list(zip(found[found >= 0].tolist(), score[found >= 0], strict=True))
                assert pairs == expected(rows, query, candidate, k=9)


def test_without_candidates_or_queries_nothing_is_found() -> None:
    rows, none = rows_of(0), np.zeros(0, dtype=np.int64)
    assert most_similar(rows, np.arange(4), none, k=5, least=LEAST)[0].shape == (4, 0)
    assert most_similar(rows, none, np.arange(4), k=5, least=LEAST)[0].shape == (0, 4)
