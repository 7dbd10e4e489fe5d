import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.catalog.job_changes import replace_jobs
from assets.lake import Lake
from assets.layers import IS_REMOVED
from assets.ranking.inputs import Tables, encoded_jobs, load_population, users_to_rank
from assets.ranking.listed import feeds_table
from assets.ranking.shards import Report, fitted_for, number_of_shards, rank_feeds, whole_batch
from assets.resources import Scope, parse_scope
from features.schemas.ranking import FEEDS
from models.fitting.collaborative import MODELS, Collaborative, Member, combine
from models.fitting.sparse_models import SparseModel
from models.fitting.weights import weight_matrix
from models.ranking.feed_problems import violations
from models.ranking.interaction_arrays import build_job_index, counts_for_ranking
from tests.models.ranking.world import AS_OF, SETTINGS, Market, items, make_market

LATER = AS_OF + dt.timedelta(minutes=15)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="module")
def market() -> Market:
    made = make_market(11, n_jobs=150, n_users=40, n_companies=60)
    return replace(made, jobs=made.jobs.with_columns(first_seen_at=pl.lit(AS_OF - dt.timedelta(days=1))))


def tables_of(market: Market) -> Tables:
    return Tables(
        *(
            frame.lazy()
            for frame in (
                market.jobs,
                market.interactions,
                market.profiles,
                market.job_features,
                market.skill_weights,
                market.preferences,
                market.trending,
            )
        )
    )


def run(
    market: Market,
    lake: Lake,
    *,
    scope: Scope = "all",
    as_of: dt.datetime = AS_OF,
    shard_users: int = 12,
    n_threads: int = 1,
) -> Report:
    tables = tables_of(market)
    settings = replace(SETTINGS, n_threads=n_threads)
    replace_jobs(lake, market.jobs)
    return rank_feeds(
        tables, market.fitted, lake=lake, settings=settings, shard_users=shard_users, as_of=as_of, scope=scope
    )


def stored(lake: Lake) -> pl.DataFrame:
    return lake.scan("ranking", FEEDS).collect().sort("user_id")


def with_event(market: Market, user_id: str, job_id: str, at: dt.datetime) -> Market:
    """The market in which the user has applied to the job as well."""
    others_events = market.interactions.filter((pl.col("user_id") != user_id) | (pl.col("job_id") != job_id))
    event = market.interactions.head(1).with_columns(
        user_id=pl.lit(user_id),
        job_id=pl.lit(job_id),
        is_applied=pl.lit(True),
        n_applies=pl.lit(1, pl.Int32),
        weight=pl.lit(10, pl.Int32),
        last_at=pl.lit(at).cast(market.interactions.schema["last_at"]),
    )
    return replace(market, interactions=pl.concat([others_events, event]).sort("user_id", "job_id"))


def without_job(market: Market, job_id: str) -> Market:
    status = pl.when(pl.col("job_id") == job_id).then(pl.lit("closed")).otherwise("status")
    return replace(market, jobs=market.jobs.with_columns(status=status))


def test_shards_together_hold_what_one_shard_would(market: Market, lake: Lake, tmp_path: Path) -> None:
    report = run(market, lake)
    whole = Lake(tmp_path / "whole")
    assert run(market, whole, shard_users=1000).n_shards == 1
    assert report.n_shards == 4 == len(lake.files("ranking", "feeds"))
    assert stored(lake).equals(stored(whole))
    assert report.n_rows == report.n_ranked == len(stored(lake))


def test_one_thread_and_two_write_the_same_bytes(market: Market, lake: Lake, tmp_path: Path) -> None:
    other = Lake(tmp_path / "other")
    run(market, lake, n_threads=1)
    run(market, other, n_threads=2)
    files = [[path.read_bytes() for path in each.files("ranking", "feeds")] for each in (lake, other)]
    assert len(files[0]) == 4 and files[0] == files[1]


@pytest.mark.parametrize("chunk_users", [1, 7])
def test_the_population_is_the_same_in_chunks(market: Market, chunk_users: int) -> None:
    tables = tables_of(market)
    jobs = encoded_jobs(
        tables.jobs,
        job_features=tables.job_features,
        skill_weights=tables.skill_weights,
        preferences=tables.preferences,
        as_of=AS_OF,
    )
    index = build_job_index(market.jobs.select("job_id", "duplicate_of"), jobs)
    users = users_to_rank(tables)
    whole = load_population(tables, users, index=index)
    parts = load_population(tables, users, index=index, chunk_users=chunk_users)
    assert parts.users.ids.to_list() == whole.users.ids.to_list() == users.to_list()
    assert (parts.users.skills != whole.users.skills).nnz == 0 and (parts.affinity != whole.affinity).nnz == 0
    for name in ("indptr", "job", "events", "has_acted"):
        assert (getattr(parts.interactions, name) == getattr(whole.interactions, name)).all(), name
    rows = np.arange(0, len(users), 3)
    some = whole.take(rows)
    assert some.users.ids.to_list() == users.gather(rows).to_list()
    for place, row in enumerate(rows):
        own = slice(*whole.interactions.indptr[row : row + 2])
        taken = slice(*some.interactions.indptr[place : place + 2])
        assert some.interactions.job[taken].tolist() == whole.interactions.job[own].tolist()


def test_shards_that_are_no_longer_used_are_removed(market: Market, lake: Lake) -> None:
    run(market, lake)
    run(market, lake, shard_users=1000)
    assert [path.stem for path in lake.files("ranking", "feeds")] == ["shard=0000"]


@pytest.mark.parametrize("scope", ["all", "acted", "touched"])
def test_running_again_changes_no_row(market: Market, lake: Lake, scope: Scope) -> None:
    run(market, lake)
    before = stored(lake)
    report = run(market, lake, scope=scope)
    assert stored(lake).equals(before)
    assert report.n_rows == len(before)
    if scope != "all":
        assert report.n_ranked == report.n_shortened == 0


def test_users_who_opt_out_are_ranked_without_behaviour_at_once(market: Market, lake: Lake) -> None:
    run(market, lake)
    user = stored(lake).filter(pl.col("source") == "personal")["user_id"][0]
    is_off = pl.col("user_id") == user
    profiles = market.profiles.with_columns(
        personalization_enabled=pl.col("personalization_enabled").fill_null(True) & ~is_off
    )
    assert run(replace(market, profiles=profiles), lake, scope="acted", as_of=LATER).n_ranked == 1
    assert stored(lake).filter(is_off)["source"].item() != "personal"


def test_only_users_with_new_events_are_ranked_again(market: Market, lake: Lake) -> None:
    run(market, lake)
    before = stored(lake)
    user, job = items(before).select("user_id", "job_id").row(0)
    changed_market = with_event(market, user, job, LATER)
    report = run(changed_market, lake, scope="acted", as_of=LATER)
    after = stored(lake)
    assert report.n_ranked == 1
    assert after.filter(pl.col("user_id") != user).equals(before.filter(pl.col("user_id") != user))
    assert after.filter(pl.col("user_id") == user)["generated_at"].item() == LATER
    assert job not in items(after).filter(pl.col("user_id") == user)["job_id"]


def test_a_partial_run_leaves_its_changes_in_a_layer(market: Market, lake: Lake) -> None:
    run(market, lake)
    base = {path: path.stat().st_mtime_ns for path in lake.files("ranking", FEEDS.name)}
    before = stored(lake)
    gone, user = before["user_id"][:2]
    job = items(before).filter(pl.col("user_id") == user)["job_id"][0]
    changed_market = with_event(market, user, job, LATER)
    others = pl.col("user_id") != gone
    without_gone = replace(
        changed_market,
        profiles=changed_market.profiles.filter(others),
        interactions=changed_market.interactions.filter(others),
    )
    report = run(without_gone, lake, scope="acted", as_of=LATER)
    assert {path: path.stat().st_mtime_ns for path in lake.files("ranking", FEEDS.name)} == base
    newest = feeds_table(lake).newest()
    assert newest is not None
    assert dict(newest.select("user_id", IS_REMOVED).collect().iter_rows()) == {gone: True, user: False}
    assert report.n_rows == len(before) - 1 == len(stored(lake))
    run(market, lake, as_of=LATER)
    assert feeds_table(lake).newest() is None


@pytest.mark.parametrize("seed", [3, 4])
def test_users_ranked_alone_get_the_feeds_of_a_run_for_all(lake: Lake, tmp_path: Path, seed: int) -> None:
    made = make_market(seed, n_jobs=150, n_users=40, n_companies=60)
    run(made, lake)
    later = made
    listed = items(stored(lake)).group_by("user_id", maintain_order=True).agg(pl.col("job_id").first())
    for user, job in listed.head(5).iter_rows():
        later = with_event(later, user, job, LATER)
    assert run(later, lake, scope="acted", as_of=LATER).n_ranked == 5
    whole = Lake(tmp_path / "whole")
    run(later, whole, as_of=LATER)
    ranked = stored(lake).filter(pl.col("generated_at") == LATER)
    assert ranked.equals(stored(whole).join(ranked, on="user_id", how="semi"))


def test_a_late_application_takes_effect_too(market: Market, lake: Lake) -> None:
    run(market, lake)
    user, job = items(stored(lake)).select("user_id", "job_id").row(0)
    late = with_event(market, user, job, AS_OF - dt.timedelta(days=2))
    assert run(late, lake, scope="acted", as_of=LATER).n_ranked == 1
    assert job not in items(stored(lake)).filter(pl.col("user_id") == user)["job_id"]


def test_a_closed_job_leaves_the_kept_feeds_and_ranks_close_up(market: Market, lake: Lake) -> None:
    run(market, lake)
    before = stored(lake)
    job = items(before)["job_id"].mode().sort()[0]
    closed = without_job(market, job)
    report = run(closed, lake, scope="acted", as_of=LATER)
    after = stored(lake)
    assert report.n_ranked == 0 < report.n_shortened
    assert job not in items(after)["job_id"]
    for listed in after["items"].to_list():
        assert [item["rank"] for item in listed] == list(range(1, len(listed) + 1))
    untouched = ~pl.col("items").list.eval(pl.element().struct.field("job_id")).list.contains(job)
    kept = before.filter(untouched)
    assert after.filter(pl.col("user_id").is_in(kept["user_id"].implode())).equals(kept)
    company = dict(market.jobs.select("job_id", "company_id").iter_rows())
    for listed in after["items"].to_list():
        top = [company[item["job_id"]] for item in listed[:20] if company[item["job_id"]]]
        assert all(top.count(name) <= 3 for name in top)


def test_a_job_that_expired_since_the_catalog_was_made_is_not_shown(market: Market, lake: Lake) -> None:
    run(market, lake)
    job = items(stored(lake))["job_id"].mode().sort()[0]
    ends = pl.when(pl.col("job_id") == job).then(pl.lit(LATER)).otherwise("expires_at")
    ended = replace(market, jobs=market.jobs.with_columns(expires_at=ends.cast(market.jobs.schema["expires_at"])))
    run(ended, lake, scope="acted", as_of=LATER)
    assert job not in items(stored(lake))["job_id"]
    run(ended, lake, as_of=LATER)
    assert job not in items(stored(lake))["job_id"]


def test_a_user_who_is_gone_loses_the_feed(market: Market, lake: Lake) -> None:
    run(market, lake)
    user = stored(lake)["user_id"][0]
    others = pl.col("user_id") != user
    gone = replace(market, profiles=market.profiles.filter(others), interactions=market.interactions.filter(others))
    run(gone, lake, scope="acted", as_of=LATER)
    assert user not in stored(lake)["user_id"]


def test_a_newly_blocked_company_leaves_the_feed(market: Market, lake: Lake) -> None:
    run(market, lake)
    listed = items(stored(lake)).join(market.jobs.select("job_id", "company_id"), on="job_id").drop_nulls("company_id")
    user, company = listed.select("user_id", "company_id").row(0)
    blocked = pl.when(pl.col("user_id") == user).then(pl.lit([company])).otherwise("blocked_companies")
    changed = replace(market, profiles=market.profiles.with_columns(blocked_companies=blocked))
    assert run(changed, lake, scope="acted", as_of=LATER).n_ranked == 1
    found = violations(
        lake.scan("ranking", FEEDS),
        jobs=changed.jobs.lazy(),
        interactions=changed.interactions.lazy(),
        profiles=changed.profiles.lazy(),
    )
    assert found.is_empty()


def test_an_empty_lake_gives_an_empty_table(lake: Lake, market: Market) -> None:
    nobody = replace(market, profiles=market.profiles.clear(), interactions=market.interactions.clear())
    assert run(nobody, lake).n_rows == 0
    assert stored(lake).is_empty()


def test_the_number_of_shards_is_a_power_of_two() -> None:
    assert [number_of_shards(n, 5000) for n in (0, 1, 5000, 5001, 20_000, 1_000_000)] == [1, 1, 1, 2, 4, 256]


def test_an_unknown_scope_is_refused() -> None:
    assert parse_scope(None) == "all"
    with pytest.raises(ValueError, match="'some'; it must be one of all, touched, acted"):
        parse_scope("some")


def chosen(market: Market, model: str, *, known_users: pl.Series, as_of: dt.datetime) -> Market:
    """The market with a sparse collaborative model that was fitted on the interactions of some users only."""
    of_known = market.interactions.filter(counts_for_ranking(), pl.col("user_id").is_in(known_users.implode()))
    pairs = (
        of_known.join(market.jobs.select("job_id", "duplicate_of"), on="job_id")
        .select("user_id", pl.coalesce("duplicate_of", "job_id").alias("job_id"))
        .unique(maintain_order=True)
    )
    kind = MODELS[model]
    fitted = kind.fit(weight_matrix(pairs.with_columns(weight=1.0)), kind.settings(), 1, 1)
    assert isinstance(fitted, SparseModel)
    made = combine([Member(model, 1.0, kind.settings())], [fitted], as_of=as_of.isoformat())
    return replace(market, fitted=replace(market.fitted, collaborative=made))


def test_each_model_folds_in_the_users_that_are_new_to_it(market: Market) -> None:
    acted = market.interactions["user_id"].unique().sort()
    made = chosen(market, "item_knn", known_users=acted.gather_every(2), as_of=AS_OF)
    folded = fitted_for(made.fitted, _plain(market).lazy(), made.jobs.lazy(), user_ids=acted, as_of=LATER)
    found, known = set(folded.folded_in.user_ids), set(made.fitted.collaborative.user_ids)
    assert found & set(market.fitted.als.user_ids)
    assert not found & known
    # ALS is not chosen: nothing is computed for it. The model itself is not copied for a few users.
    assert folded.als is made.fitted.als and folded.collaborative is made.fitted.collaborative


def test_users_folded_in_are_ranked_like_users_of_the_fit(market: Market) -> None:
    acted = market.interactions["user_id"].unique().sort()
    batches = []
    for known in (acted, acted.gather_every(2)):
        made = chosen(market, "item_knn", known_users=acted, as_of=AS_OF)
        fitted = replace(made.fitted, collaborative=_with_users(made.fitted.collaborative, known))
        tables = tables_of(replace(made, interactions=_plain(market)))
        _, batch = whole_batch(tables, fitted, acted, settings=SETTINGS, as_of=LATER)
        batches.append(batch.sparse_terms[0])
    assert batches[0].nnz > 0
    assert abs(batches[0] - batches[1]).max() < 1e-6


def _with_users(model: Collaborative, users: pl.Series) -> Collaborative:
    rows = np.flatnonzero(model.user_ids.is_in(users.implode()))
    return replace(model, user_ids=model.user_ids.gather(rows), left=model.left[rows])


def _plain(market: Market) -> pl.DataFrame:
    """The interactions of the market, all of weight 1 and on the day of the fit."""
    at = pl.lit(AS_OF - dt.timedelta(hours=1)).cast(market.interactions.schema["last_at"])
    return market.interactions.with_columns(weight=pl.lit(1, pl.Int32), last_at=at)
