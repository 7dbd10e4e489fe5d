import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.catalog.job_changes import jobs_since, mark_of_jobs, replace_jobs
from assets.lake import Lake
from features.jobs.changes import DESCRIBED_COLUMNS, LEARNED_COLUMNS, PROFILED_COLUMNS
from features.schemas.catalog import JOBS
from tests.factories import AS_OF, jobs

# Job -> (title, description, last sighting in hours); the other jobs are not in the catalog.
catalogs = st.dictionaries(
    st.sampled_from(["hh:0", "hh:1", "hh:2"]),
    st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 2)),
)


def catalog(postings: dict[str, tuple[str, str, int]]) -> pl.DataFrame:
    rows = [
        {"job_id": job, "title": title, "description": text, "last_seen_at": AS_OF + dt.timedelta(hours=hours)}
        for job, (title, text, hours) in postings.items()
    ]
    return jobs(rows).filter(pl.col("job_id").is_in(list(postings)))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(catalogs, min_size=1, max_size=6))
def test_the_jobs_since_a_mark_are_those_that_differed_in_a_later_catalog(
    tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, tuple[str, str, int]]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    marks = []
    for postings in made:
        replace_jobs(lake, catalog(postings))
        marks.append(mark_of_jobs(lake))
    for first, mark in enumerate(marks):
        for column, n_read in (("learned_in", 1), ("ranked_in", 2)):
            expected = set()
            for before, after in zip(made[first:], made[first + 1 :], strict=False):
                known = before.keys() | after.keys()
                expected |= {job for job in known if _read(before, job, n_read) != _read(after, job, n_read)}
            found = jobs_since(lake, mark, column)
            assert found is not None and found.to_list() == sorted(expected)


def _read(postings: dict[str, tuple[str, str, int]], job: str, n: int) -> tuple[object, ...] | None:
    return postings[job][:n] if job in postings else None


@pytest.mark.parametrize("column", [name for name in JOBS.columns if name != "job_id"])
def test_each_column_makes_a_job_differ_for_those_who_read_it(tmp_path: Path, column: str) -> None:
    lake = Lake(tmp_path)
    rows = jobs().with_columns(pl.lit(None, JOBS.columns[column]).alias(column))
    replace_jobs(lake, rows)
    mark = mark_of_jobs(lake)
    other = _value(JOBS.columns[column])
    is_first = pl.col("job_id") == "hh:1"
    replace_jobs(lake, rows.with_columns(pl.when(is_first).then(other).otherwise(column).alias(column)))
    read_by = {
        "profiled_in": column in PROFILED_COLUMNS,
        "learned_in": column in LEARNED_COLUMNS,
        "described_in": column in DESCRIBED_COLUMNS,
        "ranked_in": column != "last_seen_at",
    }
    for changed_in, is_read in read_by.items():
        found = jobs_since(lake, mark, changed_in)
        assert found is not None and found.to_list() == ["hh:1"] * is_read


def _value(dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    if isinstance(dtype, pl.List):
        return pl.concat_list(_value(dtype.inner)).cast(dtype)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return pl.struct(_value(field.dtype).alias(field.name) for field in dtype.fields)  # type: ignore[arg-type]
    return pl.lit(AS_OF if dtype == pl.Datetime("us", "UTC") else True if dtype == pl.Boolean else "7").cast(dtype)


def test_nothing_is_known_of_a_catalog_that_others_wrote(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert mark_of_jobs(lake) is None
    replace_jobs(lake, jobs())
    mark = mark_of_jobs(lake)
    lake.replace("catalog", JOBS, jobs([{"job_id": "hh:1", "title": "Baker"}]))
    assert mark_of_jobs(lake) is None and jobs_since(lake, mark, "ranked_in") is None
    replace_jobs(lake, jobs())
    found = jobs_since(lake, mark, "ranked_in")
    assert found is not None and found.is_empty()  # since the last one that was written here


def test_a_count_that_begins_anew_is_not_compared_with_the_one_before(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    replace_jobs(lake, jobs())
    mark = mark_of_jobs(lake)
    lake.file("catalog", "job_changes").unlink()
    replace_jobs(lake, jobs())
    assert jobs_since(lake, mark, "ranked_in") is None
