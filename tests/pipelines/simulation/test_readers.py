"""Readers act on the feeds of a generation; the events of a broken arm are lost in part."""

import datetime as dt
import json

import polars as pl
import pytest

from features.sources.events.files import read_events
from pipelines.simulation.companies import make_companies
from pipelines.simulation.jobs import make_jobs
from pipelines.simulation.market import MarketSize
from pipelines.simulation.readers import ReadersError, read_feeds
from pipelines.simulation.users import make_users
from pipelines.simulation.world import load_world
from serving.contract.generation import GenerationError
from tests.factories import AS_OF, feeds, jobs, publish_small

SIZE = MarketSize(n_users=400, n_jobs=60, n_events=0, n_days=10)
SEED, UNTIL = 3, AS_OF


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A generation with a feed of eight jobs for each user of the market, in one of two arms, and for a stranger."""
    folder, world = tmp_path_factory.mktemp("published"), load_world()
    companies = make_companies(world, n_jobs=SIZE.n_jobs, seed=SEED)
    made = make_jobs(world, companies, n_jobs=SIZE.n_jobs, n_days=SIZE.n_days, until=UNTIL, seed=SEED)
    job_ids = made.frame["job_id"].to_list()[:8]
    users = make_users(world, n_users=SIZE.n_users, n_days=SIZE.n_days, seed=SEED).user_id.to_list()
    lists = feeds(dict.fromkeys([*users, "stranger"], job_ids))
    arm = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("a")).otherwise(pl.lit("b"))
    catalog = jobs([{"job_id": job_id, "company": f"c{n}"} for n, job_id in enumerate(job_ids)])
    publish_small(folder, feeds=lists.with_columns(arm=arm), jobs=catalog)
    return folder


def read(out, published, **options):
    return read_feeds(out, published, SIZE, seed=SEED, until=UNTIL, **options)


def events(out):
    (path,) = (out / "interactions").iterdir()
    return pl.DataFrame([json.loads(line) for line in path.read_text().splitlines()], infer_schema_length=None)


def test_readers_leave_valid_events_that_name_generation_and_position(tmp_path, published):
    summary = read(tmp_path, published)
    log = events(tmp_path)
    assert summary.n_events == len(log)
    assert summary.n_readers == log["user_id"].n_unique() > 300
    assert set(log["generation"]) == {summary.generation}
    assert "stranger" not in log["user_id"]
    assert log["event_id"].is_unique().all()
    shown = log.filter(event_type="impression")
    assert shown.select("user_id", "job_id").is_duplicated().sum() == 0
    assert shown["position"].min() == 1
    assert log.join(shown, on=["user_id", "job_id", "position"], how="anti").is_empty()
    (path,) = (tmp_path / "interactions").iterdir()
    parsed = list(read_events(path, as_of=AS_OF + dt.timedelta(days=1)))
    assert sum(len(part.rows) for part in parsed) == len(log)


def test_the_same_generation_is_read_the_same_way(tmp_path, published):
    read(tmp_path / "one", published)
    read(tmp_path / "two", published)
    assert events(tmp_path / "one").equals(events(tmp_path / "two"))


def test_a_broken_arm_loses_a_share_of_its_readers(tmp_path, published):
    whole = read(tmp_path / "whole", published)
    broken = read(tmp_path / "broken", published, lost={"b": 0.5})
    assert whole.n_lost_readers == 0
    assert broken.n_lost_readers + broken.n_readers == whole.n_readers
    assert 0.15 < broken.n_lost_readers / whole.n_readers < 0.35


def test_an_unknown_arm_and_a_folder_without_a_generation_are_refused(tmp_path, published):
    with pytest.raises(ReadersError, match=r"no feed has the arms \['z'\]"):
        read(tmp_path, published, lost={"z": 0.5})
    with pytest.raises(GenerationError, match="has no generation"):
        read(tmp_path, tmp_path)
