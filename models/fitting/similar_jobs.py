"""Jobs similar to a job: cosine of their vectors, raised where the same people apply to both.

Up to EXACT_JOBS, every job is compared with every other. Above, it is compared with the jobs of the nearest clusters:
an inverted file as in Jégou, Douze, Schmid, "Product quantization for nearest neighbor search" (2011), without the
quantization.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl

from features.schemas.training import SIMILAR_JOBS
from models.arrays import Csr, Floats, Longs, csr_from_coordinates, positions, rows_or_zeros, sorted_ids
from models.fitting.artifacts import Artifact
from models.fitting.clusters import cluster, nearest
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.kernels.dense_rows import top_k
from models.kernels.similar_rows import Rows, most_similar

EXACT_JOBS = 25_000
_BLOCK_ROWS = 512
# Rows of open jobs, rows of similar ones, and scores.
Pairs = tuple[Longs, Longs, Floats]
_PROBED_CLUSTERS = 8


@dataclass(frozen=True)
class SimilarSettings:
    """At most `n_items` per job, none below `min_score`; shared applicants add up to `also_applied_weight`."""

    n_items: int = 20
    min_score: float = 0.3
    also_applied_weight: float = 0.2


@dataclass(frozen=True, eq=False)
class SimilarClusters(Artifact):
    """The clusters that jobs are compared by (c, d): each with those of the nearest ones. Without any, with all."""

    centroids: Floats

    @classmethod
    def fit(cls, jobs: pl.DataFrame, vectors: JobVectors, *, seed: int, exact_jobs: int = EXACT_JOBS) -> Self:
        """Clusters of the jobs that lists may hold; none up to `exact_jobs` of them."""
        shown = jobs.filter(pl.col("status") == "open", pl.col("duplicate_of").is_null())["job_id"].sort()
        rows = rows_or_zeros(vectors.vectors, positions(vectors.job_ids, shown))
        rows = rows[rows.any(axis=1)]
        if len(rows) <= exact_jobs:
            return cls(np.zeros((0, rows.shape[1]), dtype=np.float32))
        return cls(cluster(rows, n_clusters=round(len(rows) ** 0.5), seed=seed).centroids)

    def comparisons(self, vectors: Floats, queries: Longs, candidates: Longs) -> Iterator[tuple[Longs, Longs]]:
        """Blocks of (queries, sorted candidates), both as rows of `vectors`; no query is in two blocks."""
        if not len(queries) or not len(candidates):
            return
        if not len(self.centroids):
            yield from ((block, candidates) for block in _blocks(queries))
            return
        query_label = nearest(vectors[queries], self.centroids)
        candidate_label = nearest(vectors[candidates], self.centroids)
        probed = top_k(np.round(self.centroids @ self.centroids.T, 6), _PROBED_CLUSTERS)
        members = np.argsort(candidate_label, kind="stable")
        bounds = np.searchsorted(candidate_label[members], np.arange(len(self.centroids) + 1))
        for label in np.unique(query_label):
            near = [members[bounds[other] : bounds[other + 1]] for other in probed[label]]
            candidate = np.sort(candidates[np.concatenate(near)])
            if len(candidate):
                yield from ((block, candidate) for block in _blocks(queries[query_label == label]))


def similar_jobs(
    jobs: pl.DataFrame,
    vectors: JobVectors,
    also_applied: JobNeighbours,
    clusters: SimilarClusters,
    *,
    settings: SimilarSettings | None = None,
) -> pl.DataFrame:
    """SIMILAR_JOBS for every open job of `jobs` (job_id, status, duplicate_of), sorted; best first, ties by id.

    A list holds open jobs that are not duplicates, and never the job itself, its representative or its duplicates. A
    job without a vector or without similar jobs has an empty list.
    """
    known = _Known.of(jobs, vectors, also_applied, settings or SimilarSettings())
    queries = np.flatnonzero(known.rows.vectors.any(axis=1))
    found = list(known.best(clusters, queries, known.shown))
    return _as_table(known.job_ids, found, of=np.arange(len(known.job_ids)))


def similar_jobs_again(
    stored: pl.DataFrame,
    jobs: pl.DataFrame,
    vectors: JobVectors,
    also_applied: JobNeighbours,
    clusters: SimilarClusters,
    *,
    changed: pl.Series,
    settings: SimilarSettings | None = None,
) -> pl.DataFrame:
    """The rows of SIMILAR_JOBS that differ from `stored` now that the `changed` jobs (ids) are other ones, or gone.

    `clusters` are those that `stored` was made with. Changed jobs and lists that held one are compared as if all were
    made anew, the other lists with the changed jobs only.
    """
    settings = settings or SimilarSettings()
    known = _Known.of(jobs, vectors, also_applied, settings)
    items = stored.explode("items", empty_as_null=False).select(
        "job_id", pl.col("items").struct.unnest().name.prefix("other_")
    )
    held = items.filter(pl.col("other_job_id").is_in(changed.implode()))["job_id"]
    is_redone = known.job_ids.is_in(pl.concat([changed, held]).implode()).to_numpy()
    is_changed = known.job_ids.is_in(changed.implode()).to_numpy()
    has_vector = known.rows.vectors.any(axis=1)
    redone, others = np.flatnonzero(is_redone & has_vector), np.flatnonzero(~is_redone & has_vector)
    new = known.shown[is_changed[known.shown]]
    found = [*known.best(clusters, redone, known.shown), *known.best(clusters, others, new)]
    touched = np.unique(np.concatenate([np.flatnonzero(is_redone), *(job for job, _, _ in found)]))
    touched_ids = known.job_ids.gather(touched)
    is_kept = pl.Series(~is_redone[touched])
    kept = items.filter(pl.col("job_id").is_in(touched_ids.filter(is_kept).implode()))
    job, other = positions(known.job_ids, kept["job_id"]), positions(known.job_ids, kept["other_job_id"])
    found.append((job.astype(np.int64), other.astype(np.int64), kept["other_score"].to_numpy()))
    table = _as_table(known.job_ids, found, of=touched, n_items=settings.n_items)
    before = stored.filter(pl.col("job_id").is_in(touched_ids.implode()))
    return table.join(before, on=["job_id", "items"], how="anti")


@dataclass(frozen=True)
class _Known:
    """The open jobs, their rows by the groups of duplicates and by shared applicants, and those that lists may hold."""

    settings: SimilarSettings
    job_ids: pl.Series
    rows: Rows
    shown: Longs

    @classmethod
    def of(
        cls, jobs: pl.DataFrame, vectors: JobVectors, also_applied: JobNeighbours, settings: SimilarSettings
    ) -> "_Known":
        opened = jobs.filter(pl.col("status") == "open").sort("job_id")
        opened = opened.with_columns(group=pl.coalesce("duplicate_of", "job_id"))
        known = rows_or_zeros(vectors.vectors, positions(vectors.job_ids, opened["job_id"]))
        group = positions(sorted_ids(opened["group"]), opened["group"])
        boost = _aligned(also_applied, opened["group"], opened["job_id"])
        boost.data *= np.float32(settings.also_applied_weight)
        shown = np.flatnonzero(opened["duplicate_of"].is_null().to_numpy() & known.any(axis=1))
        return cls(settings, opened["job_id"], Rows(known, group, boost), shown)

    def best(self, clusters: SimilarClusters, queries: Longs, candidates: Longs) -> Iterator[Pairs]:
        """The best candidates (sorted) of each query: pairs of rows, and their scores."""
        most, least = self.settings.n_items, self.settings.min_score
        for query, candidate in clusters.comparisons(self.rows.vectors, queries, candidates):
            best, scores = most_similar(self.rows, query, candidate, k=most, least=least)
            row, rank = np.nonzero(best >= 0)
            yield query[row], candidate[best[row, rank]], scores[row, rank]


def _blocks(queries: Longs) -> Iterator[Longs]:
    for start in range(0, len(queries), _BLOCK_ROWS):
        yield queries[start : start + _BLOCK_ROWS]


def _aligned(also_applied: JobNeighbours, row_ids: pl.Series, column_ids: pl.Series) -> Csr:
    """The also_applied scores of the jobs `row_ids` (rows) with the jobs `column_ids` (columns)."""
    known = positions(also_applied.job_ids, row_ids)
    column_of = positions(column_ids, also_applied.job_ids)
    picked = csr_from_coordinates(
        np.arange(len(known)), known, np.ones(len(known)), shape=(len(known), len(also_applied.job_ids))
    )
    scores = (picked @ also_applied.matrix()).tocoo()
    return csr_from_coordinates(scores.row, column_of[scores.col], scores.data, shape=(len(row_ids), len(column_ids)))


def _as_table(job_ids: pl.Series, found: list[Pairs], *, of: Longs, n_items: int | None = None) -> pl.DataFrame:
    """SIMILAR_JOBS of the pairs of the jobs `of` (rows, sorted); of each job the best `n_items`."""
    job, other, score = (
        (np.concatenate(part) for part in zip(*found, strict=True)) if found else (np.zeros(0, np.int64),) * 3
    )
    items = (
        pl.DataFrame({"job_id": job_ids.gather(job), "other": job_ids.gather(other), "score": score})
        .sort(["job_id", "score", "other"], descending=[False, True, False])
        .group_by("job_id", maintain_order=True)
        .agg(items=pl.struct(job_id="other", score=pl.col("score").cast(pl.Float32)).head(n_items or pl.len()))
    )
    return SIMILAR_JOBS.conform(
        pl.DataFrame({"job_id": job_ids.gather(of)})
        .join(items, on="job_id", how="left", maintain_order="left")
        .with_columns(pl.col("items").fill_null([]))
    )
