"""The places of jobs as rows."""

import polars as pl

from features.jobs.locations import places_of_jobs
from features.schemas.catalog import JOBS


def place(city: str | None, country: str | None) -> dict[str, object]:
    return {"city": city, "region": None, "country": country, "latitude": None, "longitude": None}


def test_every_place_of_a_job_is_a_row_and_none_is_twice() -> None:
    jobs = JOBS.conform(
        pl.DataFrame(
            {
                "job_id": ["a", "b", "c"],
                "city": ["Berlin", None, "Oslo"],
                "country": ["DE", None, "NO"],
                "locations": [
                    [place("Berlin", "DE"), place("Paris", "FR"), place("Paris", "FR")],
                    [place(None, "US"), place(None, "CA")],
                    None,
                ],
            },
            schema_overrides={"locations": JOBS.columns["locations"]},
        )
    )
    found = places_of_jobs(jobs.lazy()).collect().sort("job_id", maintain_order=True)
    assert found.select("job_id", "city", "country", "is_first").rows() == [
        ("a", "Berlin", "DE", True),
        ("a", "Paris", "FR", False),
        ("b", None, None, True),
        ("b", None, "US", False),
        ("b", None, "CA", False),
        ("c", "Oslo", "NO", True),
    ]
