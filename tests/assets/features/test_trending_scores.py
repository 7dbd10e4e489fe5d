"""Tests of trending scores that two tables share."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from assets.features import trending_scores as module
from assets.features.trending_scores import scores_of_run
from assets.lake import Lake
from features.schemas.bronze import EVENTS
from features.schemas.catalog import JOBS
from features.trending import trending_scores

AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def events(*ids: str) -> pl.DataFrame:
    return EVENTS.conform(pl.DataFrame({"event_id": ids})).with_columns(
        user_id=pl.lit("u"), job_id=pl.lit("j"), event_type=pl.lit("apply"), occurred_at=pl.lit(AS_OF)
    ).pipe(EVENTS.conform)  # fmt: skip


def test_scores_are_computed_once_until_an_input_or_the_instant_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, calls = Lake(tmp_path), []

    def counted(events: pl.LazyFrame, jobs: pl.LazyFrame, *, as_of: dt.datetime) -> pl.DataFrame:
        calls.append(as_of)
        return trending_scores(events, jobs, as_of=as_of)

    monkeypatch.setattr(module, "trending_scores", counted)

    def scores(as_of: dt.datetime = AS_OF) -> pl.DataFrame:
        return scores_of_run(lake, lake.scan("bronze", EVENTS), lake.scan("catalog", JOBS), as_of=as_of)

    lake.replace("catalog", JOBS, JOBS.conform(pl.DataFrame({"job_id": ["j"], "status": ["open"]})))
    lake.append("bronze", EVENTS, events("1"), partition="date=2026-03-01")
    first = scores()
    assert first["job_id"].to_list() == ["j", "j"]
    assert scores() is first
    assert len(calls) == 1
    lake.append("bronze", EVENTS, events("2"), partition="date=2026-03-01")
    more = scores()
    assert (more["score"] > first["score"]).all()
    lake.replace("catalog", JOBS, JOBS.conform(pl.DataFrame({"job_id": ["other"], "status": ["open"]})))
    assert scores().is_empty()
    scores(AS_OF + dt.timedelta(hours=1))
    assert len(calls) == 4
