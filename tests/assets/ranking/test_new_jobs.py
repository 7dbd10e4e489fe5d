import datetime as dt
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.catalog.job_changes import replace_jobs
from assets.lake import Lake
from assets.ranking import listed, shards
from assets.ranking.listed import least_scores, who_lists
from assets.ranking.new_jobs import queue_for, waiting_users
from assets.ranking.shards import Report, rank_feeds
from assets.resources import Scope
from features.schemas.ranking import FEEDS, WAITING_USERS
from models.ranking.feed_problems import violations
from tests.assets.ranking.test_shards import tables_of, with_event
from tests.models.ranking.world import AS_OF, SETTINGS, Market, items, make_market

HOUR = dt.timedelta(hours=1)
EVERYBODY = 1_000


@dataclass
class Day:
    """A market whose jobs come and go between runs."""

    market: Market
    lake: Lake
    at: dt.datetime = AS_OF
    hidden: set[str] = field(default_factory=set)

    @property
    def visible(self) -> Market:
        return replace(self.market, jobs=self.market.jobs.filter(~pl.col("job_id").is_in(list(self.hidden))))

    def run(self, scope: Scope, *, budget: int = EVERYBODY, after: dt.timedelta = HOUR) -> Report:
        self.at += after
        return run(self.visible, self.lake, scope, at=self.at, budget=budget)

    def change(self, job_id: str, **values: Any) -> None:
        is_it = pl.col("job_id") == job_id
        columns = [
            pl.when(is_it).then(pl.lit(value, self.market.jobs.schema[name])).otherwise(name).alias(name)
            for name, value in values.items()
        ]
        self.market = replace(self.market, jobs=self.market.jobs.with_columns(columns))

    @property
    def feeds(self) -> pl.DataFrame:
        return self.lake.scan("ranking", FEEDS).collect().sort("user_id")

    def rebuilt(self, folder: Path) -> pl.DataFrame:
        """The feeds of a run for all at the same instant."""
        lake = Lake(folder)
        run(self.visible, lake, "all", at=self.at, budget=EVERYBODY)
        return lake.scan("ranking", FEEDS).collect().sort("user_id")


def run(market: Market, lake: Lake, scope: Scope, *, at: dt.datetime, budget: int) -> Report:
    replace_jobs(lake, market.jobs)
    settings = replace(SETTINGS, reached_users=budget)
    return rank_feeds(
        tables_of(market), market.fitted, lake=lake, settings=settings, shard_users=12, as_of=at, scope=scope
    )


def listing(feeds: pl.DataFrame, jobs: set[str], *, drawn: bool = True) -> set[tuple[str, str]]:
    listed = items(feeds).filter(pl.col("job_id").is_in(list(jobs)), pl.lit(drawn) | ~pl.col("explored"))
    return set(listed.select("user_id", "job_id").iter_rows())


def most_listed(feeds: pl.DataFrame) -> list[str]:
    """The ids of all listed jobs, those in the most lists first."""
    counts = items(feeds).group_by("job_id").len().sort("len", "job_id", descending=[True, False])
    return counts["job_id"].to_list()


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """A market in the evening of the daily run, which did not know every tenth job yet."""
    market = make_market(11, n_jobs=300, n_users=60, n_companies=90)
    shown = market.jobs.filter(pl.col("status") == "open", pl.col("duplicate_of").is_null())["job_id"].sort()
    made = Day(market, Lake(tmp_path / "lake"), hidden=set(shown.gather_every(10)))
    made.run("all", after=dt.timedelta(0))
    return made


def test_new_jobs_reach_those_who_would_have_them_in_a_rebuild(day: Day, tmp_path: Path) -> None:
    new, day.hidden = day.hidden, set()
    before = day.feeds
    report = day.run("touched")
    expected = listing(day.rebuilt(tmp_path / "all"), new, drawn=False)
    assert len(expected) > 100
    missed = expected - listing(day.feeds, new)
    assert len(missed) <= 0.02 * len(expected)
    assert 0 < report.n_ranked <= len(before) and report.n_waiting == 0
    assert day.run("touched").n_ranked == 0


def test_who_is_not_ranked_now_follows_in_the_next_hours(day: Day, tmp_path: Path) -> None:
    whole = Day(day.market, Lake(tmp_path / "whole"), hidden=day.hidden)
    whole.run("all", after=dt.timedelta(0))
    new, day.hidden, whole.hidden = day.hidden, set(), set()
    n_reached = whole.run("touched").n_ranked
    n_runs = math.ceil(n_reached / 8)
    for number in range(n_runs):
        report = day.run("touched", budget=8, after=HOUR / 60)
        assert report.n_ranked == min(8, n_reached - 8 * number)
        assert report.n_waiting == max(0, n_reached - 8 * (number + 1)) == len(waiting_users(day.lake))
    assert {user for user, _ in listing(day.feeds, new)} == {user for user, _ in listing(whole.feeds, new)}
    assert day.run("touched", budget=8).n_ranked == 0


def test_users_are_found_alike_in_small_batches(day: Day, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Day(day.market, Lake(tmp_path / "other"), hidden=day.hidden)
    other.run("all", after=dt.timedelta(0))
    day.hidden, other.hidden = set(), set()
    day.run("touched", budget=10)
    monkeypatch.setattr("assets.ranking.new_jobs.CHUNK_USERS", 25)
    monkeypatch.setattr("assets.ranking.new_jobs._BATCH_USERS", 7)
    other.run("touched", budget=10)
    assert other.feeds.equals(day.feeds)
    assert waiting_users(other.lake).equals(waiting_users(day.lake))
    assert len(waiting_users(day.lake)) > 0


def test_the_nearest_users_of_each_job_come_first(day: Day) -> None:
    day.hidden = set()
    day.run("touched", budget=10)
    ranked = day.feeds.filter(pl.col("generated_at") == day.at)["user_id"]
    left = waiting_users(day.lake)
    assert len(ranked) == 10 < len(left)
    day.run("touched")
    assert left["place"].max() == 10


@pytest.mark.parametrize("scope", ["acted", "touched"])
def test_a_closed_job_leaves_all_lists_and_only_these_change(day: Day, scope: Scope) -> None:
    day.hidden = set()
    day.run("touched")
    job = most_listed(day.feeds)[0]
    before = day.feeds
    day.change(job, status="closed")
    holders = {user for user, _ in listing(before, {job})}
    assert day.run(scope).n_shortened == len(holders) > 0
    assert not listing(day.feeds, {job})
    kept = ~pl.col("user_id").is_in(list(holders))
    assert day.feeds.filter(kept).equals(before.filter(kept))


def test_a_job_that_changed_makes_its_lists_be_ranked_again(day: Day) -> None:
    job = most_listed(day.feeds)[0]
    holders = {user for user, _ in listing(day.feeds, {job})}
    day.change(job, salary_monthly_usd_min=1.0, salary_monthly_usd_max=2.0)
    day.run("touched")
    ranked = set(day.feeds.filter(pl.col("generated_at") == day.at)["user_id"])
    assert holders and holders <= ranked


def test_a_repetition_of_a_job_that_is_shown_concerns_nobody(day: Day) -> None:
    job, other = most_listed(day.feeds)[:2]
    others_events = day.market.interactions.filter(pl.col("job_id") != other)
    day.market = replace(day.market, interactions=others_events)
    day.change(other, status="closed")
    day.run("touched")
    day.change(other, status="open", duplicate_of=job)
    before = day.feeds
    assert day.run("touched").n_ranked == 0 and day.feeds.equals(before)


def test_a_repetition_is_shown_once_the_job_that_it_repeats_has_ended(day: Day) -> None:
    job, other = most_listed(day.feeds)[:2]
    day.change(other, duplicate_of=job)
    day.run("touched")
    assert not listing(day.feeds, {other})
    day.change(job, expires_at=day.at + HOUR)
    day.run("acted", after=2 * HOUR)
    assert not listing(day.feeds, {job, other})
    day.change(job, status="expired")
    day.change(other, duplicate_of=None)
    day.run("touched")
    assert listing(day.feeds, {other})


def test_a_sighting_of_a_job_changes_nothing(day: Day) -> None:
    day.market = replace(day.market, jobs=day.market.jobs.with_columns(last_seen_at=pl.lit(day.at)))
    before = day.feeds
    report = day.run("touched")
    assert report.n_ranked == report.n_shortened == 0 and day.feeds.equals(before)


def test_a_frequent_run_leaves_new_jobs_to_the_next_hourly_run(day: Day) -> None:
    new, day.hidden = day.hidden, set()
    assert day.run("acted").n_ranked == 0
    day.run("touched")
    assert listing(day.feeds, new)


def test_a_run_that_is_killed_forgets_nobody(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    new, day.hidden = day.hidden, set()
    for killed in ("_rank_batches", "_ranked", "_add", "users_losing"):
        with monkeypatch.context() as patch:
            patch.setattr(shards, killed, lambda *_, **__: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                day.run("touched", budget=5, after=HOUR / 60)
    reached = set(waiting_users(day.lake)["user_id"])
    while len(waiting_users(day.lake)):
        day.run("touched", budget=20, after=HOUR / 60)
    ranked = set(day.feeds.filter(pl.col("generated_at") > AS_OF)["user_id"])
    assert listing(day.feeds, new) and reached <= ranked


def test_who_acted_or_is_gone_waits_no_longer(day: Day) -> None:
    day.hidden = set()
    day.run("touched", budget=2)
    acted, gone = waiting_users(day.lake)["user_id"][:2]
    job = items(day.feeds).filter(pl.col("user_id") == acted)["job_id"][0]
    changed = with_event(day.market, acted, job, day.at)
    others = pl.col("user_id") != gone
    day.market = replace(
        changed, profiles=changed.profiles.filter(others), interactions=changed.interactions.filter(others)
    )
    day.run("acted")
    assert not {acted, gone} & set(waiting_users(day.lake)["user_id"])
    day.run("all")
    assert waiting_users(day.lake).is_empty()


def test_if_there_are_too_many_pairs_to_score_all_users_wait(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.ranking.new_jobs._MOST_PAIRS", 10)
    day.hidden = set()
    report = day.run("touched", budget=7)
    assert report.n_ranked == 7 and report.n_waiting == len(day.feeds) - 7


def test_jobs_that_nobody_recorded_make_an_hourly_run_rank_all(day: Day) -> None:
    day.lake.file("catalog", "job_changes").unlink()
    assert day.run("touched").n_ranked == len(day.feeds)


def test_what_lists_hold_is_read_under_the_layers(day: Day) -> None:
    day.hidden = set()
    day.run("touched", budget=9)
    feeds = day.feeds
    assert day.lake.scan("ranking", FEEDS).collect()["generated_at"].n_unique() == 2
    jobs = items(feeds)["job_id"].unique().sort()
    some, rest = jobs.gather_every(3), jobs.filter(~jobs.is_in(jobs.gather_every(3).implode()))
    for found, wanted in ((who_lists(day.lake, some), some), (who_lists(day.lake, some, others=True), rest)):
        assert set(found.iter_rows()) == listing(feeds, set(wanted)) and len(found) == found.n_unique()
    least = items(feeds).filter(~pl.col("explored")).group_by("user_id").agg(floor=pl.col("score").min())
    assert least_scores(day.lake, full_items=1).equals(least.sort("user_id"))
    assert (least_scores(day.lake, full_items=1_000)["floor"] == -1).all()


def test_no_list_is_read_for_no_jobs(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listed, "read_feeds", lambda *_: pytest.fail("the feeds were read"))
    assert who_lists(day.lake, pl.Series("job_id", [], pl.String)).is_empty()


waits = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 9), max_size=6), min_size=1, max_size=12)


@given(waits, st.integers(1, 4))
def test_nobody_waits_for_ever(arriving: list[Mapping[str, int]], budget: int) -> None:
    """While others keep arriving who are nearer, at most 8 users are ahead of anybody."""
    waiting, since = WAITING_USERS.empty(), {}
    for hour, arrived in enumerate([*arriving, *[{"h": 0}] * 20]):
        rows = [(user, AS_OF + hour * HOUR, place) for user, place in arrived.items()]
        found = pl.DataFrame(rows, schema=dict(WAITING_USERS.columns), orient="row")
        queue = queue_for(waiting, found, budget=budget)
        for user in arrived:
            since.setdefault(user, hour)
        assert len(queue.chosen) == min(budget, len(since))
        assert set(queue.chosen["user_id"]) | set(queue.left["user_id"]) == since.keys()
        for user in queue.chosen["user_id"]:
            assert hour - since.pop(user) < 8
        waiting = queue.left


@pytest.mark.parametrize("seed", range(3))
def test_after_any_runs_lists_keep_their_rules(tmp_path: Path, seed: int) -> None:
    """Jobs come, change, close and return, users act; frequent, hourly and daily runs in any order."""
    rng = random.Random(seed)
    day = Day(make_market(seed, n_jobs=150, n_users=30, n_companies=60), Lake(tmp_path / "lake"))
    shown = day.market.jobs.filter(pl.col("status") == "open", pl.col("duplicate_of").is_null())["job_id"].sort()
    day.hidden = set(rng.sample(list(shown), 30))
    day.run("all", after=dt.timedelta(0))
    for _ in range(12):
        for job in rng.sample(list(shown), 3):
            if job in day.hidden:
                day.hidden.discard(job)
            else:
                day.change(job, status=rng.choice(["closed", "open"]), title=rng.choice(["Rust", "Data"]))
        if rng.random() < 0.5:
            user, job = rng.choice(items(day.feeds).select("user_id", "job_id").rows())
            day.market = with_event(day.market, user, job, day.at)
        day.run(rng.choices(["acted", "touched", "all"], [5, 4, 1])[0], budget=rng.choice([3, EVERYBODY]))
        broken = violations(
            day.lake.scan("ranking", FEEDS),
            jobs=day.visible.jobs.lazy(),
            interactions=day.market.interactions.lazy(),
            profiles=day.market.profiles.lazy(),
        )
        assert broken.is_empty(), broken
    while day.run("touched", after=HOUR / 60).n_waiting:
        pass
    expected = listing(day.rebuilt(tmp_path / "all"), set(shown), drawn=False)
    assert len(expected & listing(day.feeds, set(shown))) >= 0.9 * len(expected)
