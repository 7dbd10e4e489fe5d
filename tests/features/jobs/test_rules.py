"""What a posting may not say is null; the catalog's checks then hold whatever a source writes."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.jobs.rules import VALUE_RULES, sound_values
from features.schemas.catalog import JOB_VERSIONS

NUMBERS = st.one_of(st.none(), st.floats(-1e12, 1e12), st.sampled_from([float("nan"), float("inf"), 0.0]))
WORDS = st.one_of(st.none(), st.sampled_from(["remote", "full_time", "senior", "month", "no such word", ""]))
FIELDS = {
    name: NUMBERS if dtype == pl.Float64 else WORDS
    for name, dtype in JOB_VERSIONS.columns.items()
    if any(name in columns for _, columns in VALUE_RULES.values()) and dtype in (pl.Float64, pl.String)
}


@settings(max_examples=200)
@given(st.lists(st.fixed_dictionaries(FIELDS), min_size=1, max_size=5))
def test_no_rule_is_broken_whatever_was_written(rows: list[dict[str, object]]) -> None:
    schema = {name: JOB_VERSIONS.columns[name] for name in FIELDS} | {"salary_gross": pl.Boolean()}
    sound = sound_values(pl.DataFrame(rows, schema=schema, strict=False))
    for is_broken, _ in VALUE_RULES.values():
        assert not sound.select(is_broken.fill_null(value=False).any()).item()


def test_sound_values_stay() -> None:
    row = {"salary_min": 1.0, "salary_max": 2.0, "work_format": "remote", "latitude": 43.2, "longitude": 76.9}
    frame = JOB_VERSIONS.conform(pl.DataFrame({name: [value] for name, value in row.items()}))
    assert sound_values(frame).equals(frame)
