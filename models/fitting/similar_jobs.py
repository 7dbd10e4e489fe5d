"""Jobs similar to a job: cosine of their vectors, raised where the same people apply to both.

Up to EXACT_JOBS, every job is compared with every other. Above, it is compared with the jobs of the nearest clusters:
an inverted file as in Jégou, Douze, Schmid, "Product quantization for nearest neighbor search" (2011), without the
quantization.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from features.schemas.training import SIMILAR_JOBS
from models.arrays import Csr, Floats, Longs, csr_from_coordinates, positions, sorted_ids
from models.fitting.clusters import cluster
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.kernels.dense_rows import top_k

EXACT_JOBS = 25_000
_BLOCK_ROWS = 512
_PROBED_CLUSTERS = 8


@dataclass(frozen=True)
class SimilarSettings:
    """At most `n_items` per job, none below `min_score`; shared applicants add up to `also_applied_weight`."""

    n_items: int = 20
    min_score: float = 0.3
    also_applied_weight: float = 0.2


def similar_jobs(
    jobs: pl.DataFrame,
    vectors: JobVectors,
    also_applied: JobNeighbours,
    *,
    seed: int,
    settings: SimilarSettings | None = None,
    exact_jobs: int = EXACT_JOBS,
) -> pl.DataFrame:
    """SIMILAR_JOBS for every open job of `jobs` (job_id, status, duplicate_of), sorted; best first, ties by id.

    A list holds open jobs that are not duplicates, and never the job itself, its representative or its duplicates. A
    job without a vector or without similar jobs has an empty list.
    """
    settings = settings or SimilarSettings()
    opened = jobs.filter(pl.col("status") == "open").sort("job_id")
    opened = opened.with_columns(group=pl.coalesce("duplicate_of", "job_id"))
    group = positions(sorted_ids(opened["group"]), opened["group"])
    rows = positions(vectors.job_ids, opened["job_id"])
    known = np.zeros((len(opened), vectors.vectors.shape[1]), dtype=np.float32)
    known[rows >= 0] = vectors.vectors[rows[rows >= 0]]
    shown = np.flatnonzero(opened["duplicate_of"].is_null().to_numpy() & known.any(axis=1))
    queries = np.flatnonzero(known.any(axis=1))
    boost = _aligned(also_applied, opened["group"], opened["job_id"])
    found: list[tuple[Longs, Longs, Floats]] = []
    for query, candidate in _comparisons(known, queries, shown, seed=seed, exact_jobs=exact_jobs):
        scores = known[query] @ known[candidate].T
        scores += np.float32(settings.also_applied_weight) * boost[query][:, candidate].toarray()
        scores = np.round(np.minimum(scores, 1), 6)
        scores[(group[query][:, None] == group[candidate]) | (scores < settings.min_score)] = -np.inf
        best = top_k(scores, settings.n_items)
        row, _ = np.nonzero(best >= 0)
        column = best[best >= 0]
        found.append((query[row], candidate[column], scores[row, column]))
    return _as_table(opened["job_id"], found)


def _comparisons(
    vectors: Floats, queries: Longs, shown: Longs, *, seed: int, exact_jobs: int
) -> Iterator[tuple[Longs, Longs]]:
    """Blocks of (queries, sorted candidates), both as rows of `vectors`; every query is in exactly one block."""
    if not len(queries) or not len(shown):
        return
    if len(shown) <= exact_jobs:
        for start in range(0, len(queries), _BLOCK_ROWS):
            yield queries[start : start + _BLOCK_ROWS], shown
        return
    clusters = cluster(vectors[shown], n_clusters=round(len(shown) ** 0.5), seed=seed)
    query_cluster = clusters.assign(vectors[queries])
    similarity = clusters.centroids @ clusters.centroids.T
    probed = top_k(np.round(similarity, 6), _PROBED_CLUSTERS)
    members = np.argsort(clusters.labels, kind="stable")
    bounds = np.searchsorted(clusters.labels[members], np.arange(len(clusters.centroids) + 1))
    for label in np.unique(query_cluster):
        near = [members[bounds[other] : bounds[other + 1]] for other in probed[label]]
        candidate = np.sort(shown[np.concatenate(near)])
        mine = queries[query_cluster == label]
        for start in range(0, len(mine), _BLOCK_ROWS):
            yield mine[start : start + _BLOCK_ROWS], candidate


def _aligned(also_applied: JobNeighbours, row_ids: pl.Series, column_ids: pl.Series) -> Csr:
    """The also_applied scores of the jobs `row_ids` (rows) with the jobs `column_ids` (columns)."""
    known = positions(also_applied.job_ids, row_ids)
    column_of = positions(column_ids, also_applied.job_ids)
    picked = csr_from_coordinates(
        np.arange(len(known)), known, np.ones(len(known)), shape=(len(known), len(also_applied.job_ids))
    )
    scores = (picked @ also_applied.matrix()).tocoo()
    return csr_from_coordinates(scores.row, column_of[scores.col], scores.data, shape=(len(row_ids), len(column_ids)))


def _as_table(job_ids: pl.Series, found: list[tuple[Longs, Longs, Floats]]) -> pl.DataFrame:
    job, other, score = (
        (np.concatenate(part) for part in zip(*found, strict=True)) if found else (np.zeros(0, np.int64),) * 3
    )
    items = (
        pl.DataFrame({"job_id": job_ids.gather(job), "other": job_ids.gather(other), "score": score})
        .sort(["job_id", "score", "other"], descending=[False, True, False])
        .group_by("job_id", maintain_order=True)
        .agg(items=pl.struct(job_id="other", score=pl.col("score").cast(pl.Float32)))
    )
    return SIMILAR_JOBS.conform(
        pl.DataFrame({"job_id": job_ids})
        .join(items, on="job_id", how="left", maintain_order="left")
        .with_columns(pl.col("items").fill_null([]))
    )
