"""Posting versions are normalised once, and again when the code or the vocabulary changes."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.catalog.normalising import current_versions, normalise_new, normaliser_name
from assets.config.files import SHIPPED_VOCABULARY
from assets.lake import Lake
from features.schemas.bronze import POSTINGS
from features.schemas.catalog import JOB_VERSIONS

AT = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def _postings(*rows: dict[str, Any]) -> pl.LazyFrame:
    welder = {"job_id": "x:1", "source": "x", "source_id": "1", "seen_at": AT, "content_hash": "a", "title": "Welder"}
    frame = pl.DataFrame(
        [{**welder, **row} for row in rows], schema_overrides=dict(POSTINGS.columns), infer_schema_length=None
    )
    return POSTINGS.conform(frame).lazy()


def _versions(lake: Lake) -> pl.DataFrame:
    frame = lake.scan("catalog", JOB_VERSIONS).collect()
    JOB_VERSIONS.validate(frame)
    return frame.sort("job_id", "content_hash")


def test_only_new_versions_are_normalised(lake: Lake) -> None:
    first = normalise_new(lake, [_postings({}), _postings()], vocabulary=SHIPPED_VOCABULARY)
    again = normalise_new(lake, [_postings({}), _postings()], vocabulary=SHIPPED_VOCABULARY)
    more = normalise_new(
        lake, [_postings({}, {"content_hash": "b"}), _postings({"job_id": "y:1"})], vocabulary=SHIPPED_VOCABULARY
    )
    assert [(done.n_new, done.n_rows) for done in (first, again, more)] == [(1, 1), (0, 1), (2, 3)]
    assert _versions(lake).select("job_id", "content_hash").rows() == [("x:1", "a"), ("x:1", "b"), ("y:1", "a")]


def test_a_version_in_two_tables_or_twice_in_one_is_kept_once_as_first_seen(lake: Lake) -> None:
    later = {"seen_at": AT + dt.timedelta(days=1)}
    normalise_new(lake, [_postings(later, {}), _postings({})], vocabulary=SHIPPED_VOCABULARY)
    assert _versions(lake)["seen_at"].to_list() == [AT]


def test_another_vocabulary_normalises_all_anew(lake: Lake, tmp_path: Path) -> None:
    normalise_new(lake, [_postings({}, {"content_hash": "b"})], vocabulary=SHIPPED_VOCABULARY)
    other = tmp_path / "vocabulary"
    shutil.copytree(SHIPPED_VOCABULARY, other)
    (other / "note.txt").write_text("changed")
    done = normalise_new(lake, [_postings({}, {"content_hash": "b"})], vocabulary=other)
    assert (done.n_new, done.n_rows) == (2, 2)
    assert set(_versions(lake)["normaliser"]) == {normaliser_name(other)}


def test_versions_left_by_another_normaliser_are_not_read(lake: Lake) -> None:
    normalise_new(lake, [_postings({})], vocabulary=SHIPPED_VOCABULARY)
    left = _versions(lake).with_columns(normaliser=pl.lit("v0-old"))
    lake.append("catalog", JOB_VERSIONS, left, partition="normaliser=v0-old")
    assert current_versions(lake, normaliser_name(SHIPPED_VOCABULARY)).collect().height == 1


def test_batches_make_the_same_rows(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"job_id": f"x:{i}", "title": f"Engineer {i}"} for i in range(25)]
    normalise_new(lake, [_postings(*rows)], vocabulary=SHIPPED_VOCABULARY)
    monkeypatch.setattr("assets.catalog.normalising.BATCH_ROWS", 4)
    other = Lake(tmp_path / "other")
    normalise_new(other, [_postings(*rows)], vocabulary=SHIPPED_VOCABULARY)
    assert _versions(other).equals(_versions(lake))
