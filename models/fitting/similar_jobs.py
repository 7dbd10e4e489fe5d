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
from models.arrays import Csr, Floats, Longs, csr_from_coordinates, positions, rows_or_zeros, sorted_ids
from models.fitting.clusters import cluster
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
    known = _Known.of(jobs, vectors, also_applied, settings or SimilarSettings())
    vectors_of = known.rows.vectors
    queries = np.flatnonzero(vectors_of.any(axis=1))
    comparisons = _comparisons(vectors_of, queries, known.shown, seed=seed, exact_jobs=exact_jobs)
    return _as_table(known.job_ids, [known.best(query, candidate) for query, candidate in comparisons])


def similar_jobs_again(
    stored: pl.DataFrame,
    jobs: pl.DataFrame,
    vectors: JobVectors,
    also_applied: JobNeighbours,
    *,
    changed: pl.Series,
    settings: SimilarSettings | None = None,
) -> pl.DataFrame:
    """The rows of SIMILAR_JOBS that differ from `stored` now that the `changed` jobs (ids) are other ones, or gone.

    Changed jobs and lists that held one are compared with all jobs, the other lists with the changed jobs only.
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
    found = [known.best(query, known.shown) for query in _blocks(redone)]
    found += [known.best(query, new) for query in _blocks(others) if len(new)]
    kept = items.join(pl.DataFrame({"job_id": known.job_ids.filter(pl.Series(~is_redone))}), on="job_id", how="semi")
    job, other = positions(known.job_ids, kept["job_id"]), positions(known.job_ids, kept["other_job_id"])
    found.append((job.astype(np.int64), other.astype(np.int64), kept["other_score"].to_numpy()))
    table = _as_table(known.job_ids, found, n_items=settings.n_items)
    return table.join(stored, on=["job_id", "items"], how="anti")


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

    def best(self, query: Longs, candidate: Longs) -> Pairs:
        """The best candidates (sorted) of each query: pairs of rows, and their scores."""
        best, scores = most_similar(self.rows, query, candidate, k=self.settings.n_items, least=self.settings.min_score)
        row, rank = np.nonzero(best >= 0)
        return query[row], candidate[best[row, rank]], scores[row, rank]


def _blocks(queries: Longs) -> Iterator[Longs]:
    for start in range(0, len(queries), _BLOCK_ROWS):
        yield queries[start : start + _BLOCK_ROWS]


def _comparisons(
    vectors: Floats, queries: Longs, shown: Longs, *, seed: int, exact_jobs: int
) -> Iterator[tuple[Longs, Longs]]:
    """Blocks of (queries, sorted candidates), both as rows of `vectors`; every query is in exactly one block."""
    if not len(queries) or not len(shown):
        return
    if len(shown) <= exact_jobs:
        for block in _blocks(queries):
            yield block, shown
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
        for block in _blocks(queries[query_cluster == label]):
            yield block, candidate


def _aligned(also_applied: JobNeighbours, row_ids: pl.Series, column_ids: pl.Series) -> Csr:
    """The also_applied scores of the jobs `row_ids` (rows) with the jobs `column_ids` (columns)."""
    known = positions(also_applied.job_ids, row_ids)
    column_of = positions(column_ids, also_applied.job_ids)
    picked = csr_from_coordinates(
        np.arange(len(known)), known, np.ones(len(known)), shape=(len(known), len(also_applied.job_ids))
    )
    scores = (picked @ also_applied.matrix()).tocoo()
    return csr_from_coordinates(scores.row, column_of[scores.col], scores.data, shape=(len(row_ids), len(column_ids)))


def _as_table(job_ids: pl.Series, found: list[Pairs], *, n_items: int | None = None) -> pl.DataFrame:
    """SIMILAR_JOBS of the pairs; of each job the best `n_items`."""
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
        pl.DataFrame({"job_id": job_ids})
        .join(items, on="job_id", how="left", maintain_order="left")
        .with_columns(pl.col("items").fill_null([]))
    )
