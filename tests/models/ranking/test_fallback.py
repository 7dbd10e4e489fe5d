import polars as pl
import pytest

from features.jobs.locations import places_of_jobs
from features.schemas.ranking import FALLBACK_FEEDS
from models.ranking.fallback import fallback_feeds
from tests.models.ranking.world import MARKETPLACE, SETTINGS, Market, encode, make_market


def _fallback(market: Market) -> pl.DataFrame:
    context = encode(market).context
    return fallback_feeds(context.jobs, context.sketch, SETTINGS)


@pytest.fixture(scope="module")
def market() -> Market:
    return make_market(1, n_jobs=200)


@pytest.fixture(scope="module")
def feeds(market: Market) -> pl.DataFrame:
    return _fallback(market)


def test_there_is_a_feed_for_all_and_for_each_country_and_role(feeds: pl.DataFrame) -> None:
    FALLBACK_FEEDS.validate(feeds)
    assert feeds["segment"].is_sorted() and feeds["segment"].is_unique().all()
    assert {"all", "country=DE", "country=RU", "country=RU/role=data-analyst"} <= set(feeds["segment"])


def test_every_list_is_full_and_keeps_the_cap(market: Market, feeds: pl.DataFrame) -> None:
    company = dict(market.jobs.select("job_id", "company_id").iter_rows())
    status = dict(market.jobs.select("job_id", "status").iter_rows())
    for listed in feeds["items"].to_list():
        assert [item["rank"] for item in listed] == list(range(1, SETTINGS.feed_items + 1))
        assert len({item["job_id"] for item in listed}) == len(listed)
        assert all(status[item["job_id"]] == "open" for item in listed)
        top = [company[item["job_id"]] for item in listed[:20] if company[item["job_id"]]]
        assert all(top.count(name) <= 3 for name in top)
        assert all(1 <= len(item["reasons"]) <= 3 for item in listed)


def test_a_segments_own_jobs_come_first(market: Market, feeds: pl.DataFrame) -> None:
    places = places_of_jobs(market.jobs.lazy()).filter(pl.col("country") == "DE").collect()
    german = set(places["job_id"])
    listed = feeds.filter(pl.col("segment") == "country=DE")["items"].item().to_list()
    is_german = [item["job_id"] in german for item in listed]
    assert all(is_german[: min(15, sum(is_german))])


def test_reasons_are_true_of_the_job_and_the_segment(market: Market, feeds: pl.DataFrame) -> None:
    of_job = {row["job_id"]: row for row in market.job_features.iter_rows(named=True)}
    places = set(places_of_jobs(market.jobs.lazy()).select("job_id", "country").collect().rows())
    codes = set()
    for segment, listed in feeds.iter_rows():
        country = None if segment == "all" else segment.removeprefix("country=").split("/")[0]
        for item in listed:
            job, held = of_job[item["job_id"]], {reason["code"]: reason["ref"] for reason in item["reasons"]}
            is_popular = (item["job_id"], country) in places and job["engagement"] >= 0.5 and country is not None
            assert ("popular_in_area" in held) == is_popular
            assert held.get("popular_in_area", country) == country
            assert ("trending" in held) == (job["trending_7d"] >= 0.2 or held.keys() == {"trending"})
            assert ("new" in held) == (job["age_days"] <= 3)
            codes |= held.keys()
    assert codes >= {"popular_in_area", "trending", "new"}


def test_scores_follow_the_default_recipe(feeds: pl.DataFrame) -> None:
    total = sum(MARKETPLACE.weights.values())
    for item in feeds["items"].explode().struct.unnest().drop_nulls("components").iter_rows(named=True):
        score = 0.0
        for name, weight in MARKETPLACE.weights.items():
            value = item["components"][name]
            term = weight / total * (0.5 if value is None else value)
            score += min(term, 0.10) if name == "collaborative" else term
        assert item["score"] == pytest.approx(score, abs=1e-6)


def test_an_empty_market_has_an_empty_list(market: Market) -> None:
    from dataclasses import replace

    closed = replace(market, jobs=market.jobs.with_columns(status=pl.lit("closed")))
    assert _fallback(closed).select(pl.col("items").list.len()).to_series().to_list() == [0]
