import polars as pl
import pytest

from features import nearby
from features.schemas.features import JOB_FEATURES, NEARBY
from tests.factories import jobs


def features_of(catalog, recency):
    frame = pl.DataFrame(
        {"job_id": catalog["job_id"], "recency": [recency.get(job) for job in catalog["job_id"]]},
        schema_overrides={"recency": pl.Float32},
    )
    return JOB_FEATURES.conform(frame).lazy()


def test_a_point_lies_in_its_h3_cell_of_resolution_six():
    got = nearby.cells(pl.Series([55.7558, 55.7558, None, 91.0]), pl.Series([37.6173, 37.6173, 1.0, 0.0]))
    assert got.to_list()[2:] == [None, None]
    assert got[0] == got[1]
    assert len(got[0]) == 15
    assert got[0].startswith("86")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_impossible_coordinates_have_no_cell(bad):
    assert nearby.cells(pl.Series([bad]), pl.Series([1.0])).to_list() == [None]


def test_cells_list_open_jobs_by_recency_and_engagement():
    catalog = jobs(
        [
            {"job_id": "hh:1", "status": "expired"},
            {"job_id": "hh:2", "duplicate_of": "hh:3"},
            {"job_id": "hh:4", "latitude": 55.75, "longitude": 37.61},
            {"job_id": "hh:5", "latitude": None},
        ]
    )
    table = nearby.nearby(catalog.lazy(), features_of(catalog, {"hh:7": 0.9, "hh:8": 0.5, "hh:6": 0.5}))
    NEARBY.validate(table)
    lists = {cell[0]: rows["job_id"].to_list() for cell, rows in table.group_by("cell", maintain_order=True)}
    assert sorted(lists.values()) == [["hh:4"], ["hh:7", "hh:6", "hh:8", "hh:3"]]
    assert table["rank"].to_list() in ([1, 1, 2, 3, 4], [1, 2, 3, 4, 1])


def test_a_cell_lists_at_most_a_hundred(monkeypatch):
    monkeypatch.setattr(nearby, "TOP_JOBS", 2)
    catalog = jobs()
    assert nearby.nearby(catalog.lazy(), features_of(catalog, {}))["job_id"].to_list() == ["hh:1", "hh:2"]
