from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.catalog.job_changes import replace_jobs
from assets.lake import Lake
from assets.training.similar_jobs import CLUSTERS_FILE, Updated, similar_jobs_layers, update_similar_jobs
from features.schemas.catalog import JOBS
from features.schemas.training import SIMILAR_JOBS
from models.fitting.item_knn import JobNeighbours, fit_also_applied
from models.fitting.job_vectors import JobVectors
from models.fitting.similar_jobs import SimilarClusters, similar_jobs
from tests.factories import jobs
from tests.models.fitting.test_similar_jobs import ALL, nobody, vectors

N_JOBS = 40


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def catalog(known: JobVectors, **changes: dict[str, str]) -> pl.DataFrame:
    rows = [{"job_id": job_id, "title": "Baker", **changes.get(job_id, {})} for job_id in known.job_ids]
    return jobs(rows).filter(pl.col("job_id").is_in(known.job_ids.implode()))


def update(
    lake: Lake, known: JobVectors, shared: JobNeighbours, *, only_changes: bool = True, version: str = "a"
) -> Updated:
    table = lake.scan("catalog", JOBS).select("job_id", "status", "duplicate_of").collect()
    return update_similar_jobs(
        lake, lake.root / CLUSTERS_FILE, table, known, shared, seed=1, version=version, only_changes=only_changes
    )


def stored(lake: Lake) -> pl.DataFrame:
    return lake.scan("training", SIMILAR_JOBS).collect().sort("job_id")


def test_an_update_writes_only_lists_that_changed_jobs_concern(lake: Lake) -> None:
    rows = np.random.default_rng(3).normal(0, 1, (N_JOBS, 6))
    known = vectors(rows)
    replace_jobs(lake, catalog(known))
    assert update(lake, known, nobody()) == (N_JOBS, N_JOBS)
    assert update(lake, known, nobody()) == (N_JOBS, 0)
    rows[5] = rows[6]
    moved = vectors(rows)
    replace_jobs(lake, catalog(moved, j0005={"title": "Pilot"}, j0009={"status": "closed"}))
    updated = update(lake, moved, nobody())
    assert updated.n_rows == N_JOBS - 1 == len(stored(lake))
    assert 0 < updated.n_written < N_JOBS - 1 and similar_jobs_layers(lake).sequence == 1
    table = lake.scan("catalog", JOBS).select("job_id", "status", "duplicate_of").collect()
    assert stored(lake).equals(similar_jobs(table, moved, nobody(), ALL))


def test_all_lists_are_made_anew_if_anything_but_jobs_differs(lake: Lake) -> None:
    known = vectors(np.random.default_rng(3).normal(0, 1, (N_JOBS, 6)))
    people = [f"u{number}" for number in range(9)]
    pairs = pl.DataFrame({"user_id": people * 2, "job_id": ["j0000"] * 9 + ["j0002"] * 9})
    shared = fit_also_applied(
        pairs.with_columns(last_at=pl.lit(0).cast(pl.Datetime("us", "UTC"))).sort("user_id", "job_id")
    )
    replace_jobs(lake, catalog(known))
    update(lake, known, nobody())
    assert update(lake, known, shared).n_written == N_JOBS
    assert update(lake, known, shared, version="b").n_written == N_JOBS
    assert update(lake, known, shared, version="b", only_changes=False).n_written == N_JOBS
    lake.replace("catalog", JOBS, catalog(known))
    assert update(lake, known, shared, version="b").n_written == N_JOBS


def test_all_lists_are_made_anew_if_the_clusters_are_lost_or_other_ones(lake: Lake) -> None:
    known = vectors(np.random.default_rng(3).normal(0, 1, (N_JOBS, 6)))
    replace_jobs(lake, catalog(known))
    update(lake, known, nobody())
    path = lake.root / CLUSTERS_FILE
    path.write_bytes(b"damaged")
    assert update(lake, known, nobody()).n_written == N_JOBS
    for other in (np.zeros((0, 7)), np.ones((1, 6))):
        SimilarClusters(other.astype(np.float32)).save(path)
        assert update(lake, known, nobody()).n_written == N_JOBS
    assert update(lake, known, nobody()).n_written == 0


def test_a_job_whose_vector_came_later_gets_its_list_and_a_place_in_others(lake: Lake) -> None:
    rows = np.random.default_rng(3).normal(0, 1, (N_JOBS, 6))
    known = vectors(rows)
    replace_jobs(lake, catalog(known))
    rows[5] = 0
    update(lake, vectors(rows), nobody())
    assert stored(lake).filter(job_id="j0005")["items"].list.len().to_list() == [0]
    assert 0 < update(lake, known, nobody()).n_written < N_JOBS
    table = lake.scan("catalog", JOBS).select("job_id", "status", "duplicate_of").collect()
    assert stored(lake).equals(similar_jobs(table, known, nobody(), ALL))
