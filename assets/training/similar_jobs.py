"""Updates training/similar_jobs: the lists of all jobs, or those that new, changed and closed jobs concern."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
        before, clusters = stored.made_of if only_changes else None, _stored(clusters_path, vectors)
        now: dict[str, Any] = {
            JOBS.name: mark_of_jobs(lake),
            "version": f"{version} {seed} {_digest(also_applied)}",
            "without_vector": _without_vector(jobs, vectors),
            "clusters": _digest_of(clusters) if clusters is not None else None,
        }
        changed = _changed(lake, before, now) if before is not None and clusters is not None else None
        if changed is None or clusters is None:
            clusters = SimilarClusters.fit(jobs, vectors, seed=seed)
            with atomic_path(clusters_path) as temporary:
                clusters.save(temporary)
            table = similar_jobs(jobs, vectors, also_applied, clusters)
            return Updated(stored.replace(table, {**now, "clusters": _digest_of(clusters)}), len(table))
        old = lake.scan("training", SIMILAR_JOBS).collect()
        rows = similar_jobs_again(old, jobs, vectors, also_applied, clusters, changed=changed)
        gone = old.select("job_id").join(jobs.filter(pl.col("status") == "open"), on="job_id", how="anti")
        touched = pl.concat([rows["job_id"], gone["job_id"]])
        n_before = int(old["job_id"].is_in(touched.implode()).sum())
        return Updated(stored.add(rows, gone, now, n_rows_before=n_before), len(rows))


def _changed(lake: Lake, before: Mapping[str, Any], now: Mapping[str, Any]) -> pl.Series | None:
    """The ids of the jobs that changed or have a vector since; None if that is not known."""
    if any(before.get(name) != now[name] for name in ("version", "clusters")):
        return None
    changed = jobs_since(lake, before[JOBS.name], "ranked_in")
    if changed is None:
        return None
    embedded = sorted(set(before["without_vector"]) - set(now["without_vector"]))
    return pl.concat([changed, pl.Series("job_id", embedded, pl.String)]).unique().sort()


def _without_vector(jobs: pl.DataFrame, vectors: JobVectors) -> list[str]:
    """The sorted ids of the open jobs without a vector: their text was not embedded yet, or is empty."""
    opened = jobs.filter(pl.col("status") == "open")["job_id"].sort()
    known = vectors.job_ids.filter(pl.Series(vectors.vectors.any(axis=1), dtype=pl.Boolean))
    return opened.filter(~opened.is_in(known.implode())).to_list()


def _stored(path: Path, vectors: JobVectors) -> SimilarClusters | None:
    """The clusters of the last run that compared all jobs; None for those of another space, or that can't be read."""
    try:
        clusters = SimilarClusters.load(path)
    except (FileNotFoundError, ArtifactError):
        return None
    return clusters if clusters.centroids.shape[1] == vectors.vectors.shape[1] else None


def _digest_of(clusters: SimilarClusters) -> str:
    return hashlib.blake2b(clusters.centroids.tobytes(), digest_size=16).hexdigest()


def _digest(also_applied: JobNeighbours) -> str:
    pairs = pl.DataFrame({"other": also_applied.indices, "score": also_applied.scores})
    return content_hash(pl.DataFrame({"job_id": also_applied.job_ids})) + content_hash(pairs)
