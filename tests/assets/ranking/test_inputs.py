from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.io import NotTrainedError
from assets.lake import Lake
from assets.ranking.inputs import in_one_space, lake_tables, load_fitted
from assets.training.embedding_switch import OtherSpaceError
from features.schemas.features import PREFERENCES
from models.fitting.job_vectors import JobVectors
from models.fitting.user_vectors import UserVectors


def test_tolerances_take_no_part_in_ranking(tmp_path: Path) -> None:
    rows = [("skill", "Python"), ("salary_tolerance", "0.85"), ("distance_tolerance", "40")]
    learned = PREFERENCES.conform(pl.DataFrame(rows, schema=["dimension", "value"], orient="row"))
    Lake(tmp_path).replace("features", PREFERENCES, learned)
    assert lake_tables(Lake(tmp_path)).preferences.collect()["value"].to_list() == ["Python"]


def vectors(of_jobs: int, of_users: int, *, model: str = "a") -> tuple[JobVectors, UserVectors]:
    ids, row, nothing = pl.Series(["x"]), np.array([-1], dtype=np.int32), np.zeros(1, dtype=np.bool_)
    jobs = JobVectors(ids, np.ones((1, of_jobs), np.float32), np.zeros((0, of_jobs), np.float32), row, "a")
    half = np.float16
    return jobs, UserVectors(ids, np.ones((1, of_users), half), np.zeros((0, 0), half), row, nothing, nothing, model)


def test_a_side_without_any_vector_takes_the_dimensions_of_the_other() -> None:
    jobs, users = in_one_space(*vectors(0, 3))
    np.testing.assert_array_equal(jobs.vectors, [[0, 0, 0]])
    assert (jobs.about_vectors.shape, users.summary_vectors.shape) == ((0, 3), (0, 3))
    assert users.vectors.shape == (1, 3) and users.summary_vectors.dtype == np.float16
    jobs, users = in_one_space(*vectors(3, 0))
    np.testing.assert_array_equal(users.vectors, [[0, 0, 0]])


def test_vectors_of_two_models_are_not_ranked_with() -> None:
    with pytest.raises(OtherSpaceError, match="a run broke off between them"):
        in_one_space(*vectors(3, 3, model="b"))


def test_before_the_first_daily_run_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotTrainedError, match=r"collaborative.npz is not there: .* `jobfeed run daily` once"):
        load_fitted(tmp_path)
