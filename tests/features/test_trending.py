import datetime as dt
import math

import polars as pl
import pytest

from features.schemas.bronze import EVENTS
from features.schemas.features import TRENDING
from features.trending import trending, trending_scores
from tests.factories import AS_OF, jobs


def events(*rows):
    made = [
        {"event_id": str(i), "user_id": "u", "event_type": "click", "occurred_at": AS_OF, **row}
        for i, row in enumerate(rows)
    ]
    return EVENTS.conform(pl.DataFrame(made, infer_schema_length=None))


def ago(**age):
    return AS_OF - dt.timedelta(**age)


def scores(*rows, catalog=None):
    catalog = jobs() if catalog is None else catalog
    table = trending_scores(events(*rows).lazy(), catalog.lazy(), as_of=AS_OF)
    return {(period, job): score for period, job, score in table.iter_rows()}


def score(weight):
    return pytest.approx(10 * math.log(1 + weight), abs=1e-4)


def test_weights_halve_every_half_life():
    got = scores(
        {"job_id": "hh:1", "event_type": "apply", "occurred_at": ago(hours=6)},
        {"job_id": "hh:2", "event_type": "apply", "occurred_at": ago(days=2)},
    )
    assert got == {
        ("24h", "hh:1"): score(5),
        ("7d", "hh:1"): score(10 * 2 ** (-1 / 8)),
        ("7d", "hh:2"): score(5),
    }


def test_what_lies_outside_the_week_or_ahead_of_the_clock_does_not_count():
    got = scores(
        {"job_id": "hh:1", "occurred_at": ago(days=8)},
        {"job_id": "hh:2", "occurred_at": ago(minutes=-6)},
        {"job_id": "hh:3", "occurred_at": ago(minutes=-4)},
        {"job_id": "hh:4", "is_bot": True},
        {"job_id": None},
        {"job_id": "unknown:1"},
    )
    assert set(got) == {("24h", "hh:3"), ("7d", "hh:3")}


def test_an_undone_save_and_a_repeated_event_do_not_count():
    got = scores(
        {"job_id": "hh:1", "event_type": "save", "occurred_at": ago(hours=3)},
        {"job_id": "hh:1", "event_type": "unsave", "occurred_at": ago(hours=2)},
        {"job_id": "hh:2", "event_type": "save", "event_id": "twice"},
        {"job_id": "hh:2", "event_type": "save", "event_id": "twice"},
    )
    assert got == {("24h", "hh:2"): score(5), ("7d", "hh:2"): score(5)}


def test_dismissals_outweigh_and_never_make_a_score():
    assert scores({"job_id": "hh:1", "event_type": "dismiss"}, {"job_id": "hh:1"}) == {}


def test_duplicates_count_for_their_representative():
    catalog = jobs([{"job_id": "hh:2", "duplicate_of": "hh:1"}])
    got = scores({"job_id": "hh:1"}, {"job_id": "hh:2"}, catalog=catalog)
    assert got[("7d", "hh:1")] == score(4)


def test_the_order_of_events_changes_no_bit():
    rows = events(
        *({"job_id": f"hh:{i % 8 + 1}", "occurred_at": ago(minutes=7 * i), "user_id": str(i)} for i in range(1, 400))
    )
    first = trending_scores(rows.lazy(), jobs().lazy(), as_of=AS_OF)
    again = trending_scores(rows.sample(fraction=1, shuffle=True, seed=1).lazy(), jobs().lazy(), as_of=AS_OF)
    assert first.equals(again)


def test_areas_rank_open_jobs_from_one_and_newer_wins_a_tie():
    catalog = jobs(
        [
            {"job_id": "hh:1", "status": "closed"},
            {"job_id": "hh:4", "country": "RU", "city": "Moscow"},
            {"job_id": "hh:5", "country": None, "city": None},
        ]
    )
    made = [{"job_id": f"hh:{i}", "user_id": str(i)} for i in (1, 3, 2, 4, 5)] + [{"job_id": "hh:5", "user_id": "v"}]
    table = trending(trending_scores(events(*made).lazy(), catalog.lazy(), as_of=AS_OF), catalog.lazy())
    TRENDING.validate(table)
    day = table.filter(pl.col("period") == "24h")
    lists = {area[0]: rows["job_id"].to_list() for area, rows in day.group_by("area", maintain_order=True)}
    assert lists == {
        "KZ": ["hh:2", "hh:3"],
        "KZ/Almaty": ["hh:2", "hh:3"],
        "RU": ["hh:4"],
        "RU/Moscow": ["hh:4"],
        "all": ["hh:5", "hh:2", "hh:3", "hh:4"],
    }
    assert day.filter(pl.col("area") == "all")["rank"].to_list() == [1, 2, 3, 4]


def test_no_events_give_an_empty_table():
    scored = trending_scores(EVENTS.empty().lazy(), jobs().lazy(), as_of=AS_OF)
    assert trending(scored, jobs().lazy()).is_empty()
