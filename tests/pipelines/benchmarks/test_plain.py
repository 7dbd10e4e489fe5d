import polars as pl
import pytest

from assets.sql import query
from pipelines.benchmarks.plain import product_rate


def test_matrix_products_have_a_rate() -> None:
    assert product_rate(1) > 0


def test_the_plain_query_ranks_every_job_without_an_application_or_dismissal() -> None:
    users = pl.DataFrame(
        {
            "user_id": ["u"],
            "latitude": [55.0],
            "longitude": [37.0],
            "max_distance_km": [25.0],
            "interest_tags": [["a", "b"]],
        }
    )
    jobs = pl.DataFrame(
        {
            "job_id": ["here", "far", "done"],
            "latitude": [55.0, 10.0, 55.0],
            "longitude": [37.0, 10.0, 37.0],
            "tags": [["a"], ["b"], ["a"]],
            "engagement": [1.0, 1.0, 1.0],
            "recency": [0.5, 0.5, 0.5],
            "poster_quality": [None, None, None],
        },
        schema_overrides={"poster_quality": pl.Float32},
    )
    ended = pl.DataFrame({"user_id": ["u"], "job_id": ["done"]})
    found = query(
        "benchmarks/plain_feeds", frames={"users": users, "jobs": jobs, "ended": ended}, params={"n_items": 5}
    )
    assert found.select("rank", "job_id").rows() == [(1, "here"), (2, "far")]
    # 0.25 at no distance + 0.20 * one tag of two + 0.15 + 0.10 * 0.5 + 0.10 * the neutral 0.5
    assert found["score"].to_list() == pytest.approx([0.25 + 0.1 + 0.15 + 0.05 + 0.05, 0.1 + 0.15 + 0.05 + 0.05])
