"""Updates training/similar_jobs: the lists of all jobs, or those that new, changed and closed jobs concern."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from assets.catalog.job_changes import jobs_since, mark_of_jobs
from assets.increments import LayeredTable
from assets.lake import Lake, atomic_path, content_hash
from features.schemas.catalog import JOBS
from features.schemas.training import SIMILAR_JOBS
from models.fitting.artifacts import ArtifactError
from models.fitting.item_knn import JobNeighbours
from models.fitting.job_vectors import JobVectors
from models.fitting.similar_jobs import SimilarClusters, similar_jobs, similar_jobs_again

CLUSTERS_FILE = "similar_jobs_clusters.npz"


class Updated(NamedTuple):
    """The number of rows of the table, and of those that were written."""

    n_rows: int
    n_written: int


def similar_jobs_layers(lake: Lake) -> LayeredTable:
    """The lists of the last daily run under those that changed since."""
    return LayeredTable(lake, "training", SIMILAR_JOBS, by=SIMILAR_JOBS.key)


def update_similar_jobs(
    lake: Lake,
    clusters_path: Path,
    jobs: pl.DataFrame,
    vectors: JobVectors,
    also_applied: JobNeighbours,
    *,
    seed: int,
    version: str,
    only_changes: bool,
) -> Updated:
    """Brings the table up to date; `version` names what the vectors are made with.

    `only_changes`: only lists that may differ are made, if the jobs that changed are known. They are compared by the
    clusters that the others were, which lie in the file `clusters_path`.
    """
    stored = similar_jobs_layers(lake)
    with stored.lock():
        before, mark = stored.made_of, mark_of_jobs(lake)
        made_with = f"{version} {seed} {_digest(also_applied)}"
        now = {JOBS.name: mark, "version": made_with}
        is_known = only_changes and before is not None and before["version"] == made_with
        changed = jobs_since(lake, before[JOBS.name], "ranked_in") if before is not None and is_known else None
        clusters = _stored(clusters_path, vectors) if changed is not None else None
        if changed is None or clusters is None:
            clusters = SimilarClusters.fit(jobs, vectors, seed=seed)
            with atomic_path(clusters_path) as temporary:
                clusters.save(temporary)
            table = similar_jobs(jobs, vectors, also_applied, clusters)
            return Updated(stored.replace(table, now), len(table))
        old = lake.scan("training", SIMILAR_JOBS).collect()
        rows = similar_jobs_again(old, jobs, vectors, also_applied, clusters, changed=changed)
        gone = old.select("job_id").join(jobs.filter(pl.col("status") == "open"), on="job_id", how="anti")
        touched = pl.concat([rows["job_id"], gone["job_id"]])
        n_before = int(old["job_id"].is_in(touched.implode()).sum())
        return Updated(stored.add(rows, gone, now, n_rows_before=n_before), len(rows))


def _stored(path: Path, vectors: JobVectors) -> SimilarClusters | None:
    """The clusters of the last run that compared all jobs; None for those of another space, or that can't be read."""
    try:
        clusters = SimilarClusters.load(path)
    except (FileNotFoundError, ArtifactError):
        return None
    return clusters if clusters.centroids.shape[1] == vectors.vectors.shape[1] else None


def _digest(also_applied: JobNeighbours) -> str:
    pairs = pl.DataFrame({"other": also_applied.indices, "score": also_applied.scores})
    return content_hash(pl.DataFrame({"job_id": also_applied.job_ids})) + content_hash(pairs)
