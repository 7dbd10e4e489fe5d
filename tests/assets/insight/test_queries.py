import datetime as dt

import polars as pl
import pytest

from assets.sql import query
from features.metrics import USER_GROUPS, outcome_metrics
from features.outcomes import outcome_rates
from features.schemas.bronze import EVENTS
from features.schemas.insight import EXPOSURES, MARKET_TRENDS, METRICS, OUTCOMES, SKILL_DEMAND
from tests.factories import jobs

WEDNESDAY = dt.datetime(2026, 3, 4, 12, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 3, 2)


def at(**before):
    return WEDNESDAY - dt.timedelta(**before)


def trends(rows, **params):
    catalog = jobs().clear().vstack(jobs(rows).filter(pl.col("job_id").str.starts_with("t:")))
    given = {"as_of": WEDNESDAY, "weeks": 3, "top": 100, "salary_band": 1000, "min_jobs": 1, **params}
    table = MARKET_TRENDS.conform(query("insight/market_trends", frames={"jobs": catalog}, params=given))
    MARKET_TRENDS.validate(table)
    return table


def posting(number, published_at, **more):
    return {"job_id": f"t:{number}", "published_at": published_at, "country": "KZ", "company": "Acme", **more}


def changes(table, dimension, value, area="all"):
    rows = table.filter((pl.col("dimension") == dimension) & (pl.col("value") == value) & (pl.col("area") == area))
    return {week: (n, change) for week, n, change in rows.select("week", "n_jobs", "change").iter_rows()}


def test_the_running_week_is_compared_with_the_same_part_of_the_week_before():
    rows = [
        posting(1, at(days=8)),
        posting(2, at(days=8)),
        posting(3, at(days=5)),  # last Friday: later in the week than now
        posting(4, at(days=1)),
        posting(5, at(days=15)),
    ]
    got = changes(trends(rows), "company", "Acme")
    assert got == {
        MONDAY: (1, -0.5),
        MONDAY - dt.timedelta(days=7): (3, 2.0),
        MONDAY - dt.timedelta(days=14): (1, None),
    }


def test_trends_count_each_dimension_by_area_and_duplicates_once():
    rows = [
        posting(1, at(days=1), skills=["Go", "Go", "SQL"], professional_roles=["dev"], salary_monthly_usd_min=1500.0),
        posting(
            2, at(days=1), skills=["Go"], country=None, salary_monthly_usd_min=1000.0, salary_monthly_usd_max=4000.0
        ),
        posting(3, at(days=1), skills=["Go"], duplicate_of="t:1"),
        posting(4, WEDNESDAY + dt.timedelta(hours=1), skills=["Go"]),
    ]
    table = trends(rows)
    assert changes(table, "skill", "Go") == {MONDAY: (2, None)}
    assert changes(table, "skill", "Go", "KZ") == {MONDAY: (1, None)}
    assert changes(table, "role", "dev", "KZ") == {MONDAY: (1, None)}
    bands = table.filter((pl.col("dimension") == "salary") & (pl.col("area") == "all"))
    assert bands["value"].to_list() == ["1000-2000", "2000-3000"]
    go = table.filter((pl.col("value") == "Go") & (pl.col("area") == "all"))
    assert go["salary_monthly_usd_median"].to_list() == [2000.0]


def test_only_the_most_frequent_values_of_a_week_stay():
    rows = [posting(1, at(days=1), skills=["A", "B"]), posting(2, at(days=1), skills=["B", "C"])]
    table = trends(rows, top=1).filter((pl.col("dimension") == "skill") & (pl.col("area") == "all"))
    assert table["value"].to_list() == ["B"]


def test_no_jobs_give_no_trends():
    assert trends([]).is_empty()


def test_demand_is_the_share_of_open_jobs_and_its_change():
    catalog = jobs(
        [
            {"job_id": "hh:1", "skills": ["Go"], "published_at": at(days=1), "salary_monthly_usd_min": 1000.0},
            {"job_id": "hh:2", "skills": ["Go"], "published_at": at(days=2), "salary_monthly_usd_max": 2000.0},
            {"job_id": "hh:3", "skills": ["Go"], "published_at": at(days=30), "status": "closed"},
            {"job_id": "hh:4", "skills": ["Go"], "published_at": at(days=2), "duplicate_of": "hh:2"},
            {"job_id": "hh:5", "skills": ["Cobol"], "published_at": at(days=200), "country": "RU"},
        ]
    ).filter(pl.col("job_id").is_in([f"hh:{i}" for i in range(1, 6)]))
    params = {"as_of": WEDNESDAY, "period_days": 28, "min_jobs": 1}
    table = SKILL_DEMAND.conform(query("insight/skill_demand", frames={"jobs": catalog}, params=params))
    assert table.rows() == [
        ("Go", "KZ", 2, 1.0, 1500.0, 2, 1.0),
        ("Cobol", "RU", 1, 1.0, None, 0, None),
        ("Go", "all", 2, pytest.approx(2 / 3, abs=1e-6), 1500.0, 2, 1.0),
        ("Cobol", "all", 1, pytest.approx(1 / 3, abs=1e-6), None, 0, None),
    ]


def required_skills(rows, **params):
    catalog = jobs().clear().vstack(jobs(rows).filter(pl.col("job_id").str.starts_with("t:")))
    given = {"min_share": 0.2, "min_lift": 1.25, **params}
    return query("insight/role_skills", frames={"jobs": catalog}, params=given)


def test_what_other_jobs_ask_for_as_often_is_no_skill_of_a_role():
    dev, clerk = {"professional_roles": ["dev"]}, {"professional_roles": ["clerk"]}
    rows = [
        {"skills": ["Go", "Excel"], **dev},
        {"skills": ["Go"], **dev},
        *({"skills": ["Excel"], **clerk} for _ in range(2)),
    ]
    table = required_skills([{"job_id": f"t:{number}", **row} for number, row in enumerate(rows)])
    # Half of the jobs for developers ask for Excel, but all others do.
    assert table.rows() == [("clerk", "Excel", 1.0), ("dev", "Go", 1.0)]


def test_a_role_requires_what_a_fifth_of_its_open_jobs_name():
    rows = [{"job_id": f"t:{i}", "professional_roles": ["dev"], "skills": ["Go"]} for i in range(9)]
    rows += [
        {"job_id": "t:9", "professional_roles": ["dev", "dev"], "skills": ["Go", "Go", "Rare"]},
        {"job_id": "t:10", "professional_roles": ["dev"], "skills": ["Rare"], "status": "closed"},
        {"job_id": "t:11", "professional_roles": ["ops"], "skills": ["Rare"]},
        {"job_id": "t:12", "professional_roles": ["idle"], "skills": []},
    ]
    table = required_skills(rows)
    assert table.rows() == [("dev", "Go", 1.0), ("ops", "Rare", 1.0)]


def events(*rows):
    made = [
        {"event_id": str(i), "user_id": "u", "job_id": "j", "surface": "feed", "occurred_at": at(hours=1), **row}
        for i, row in enumerate(rows)
    ]
    return EVENTS.conform(pl.DataFrame(made, infer_schema_length=None))


def exposures(*rows):
    made = [
        {"user_id": "u", "job_id": "j", "surface": "feed", "generation": "g", "shown_at": at(hours=1), **row}
        for row in rows
    ]
    return EXPOSURES.conform(pl.DataFrame(made, infer_schema_length=None))


def all_outcomes(frame, shown=None, catalog=None):
    limits = {"max_dwell_seconds": 600.0, "new_days": 7, "max_position": 50, "user_groups": USER_GROUPS}
    frames = {
        "events": frame,
        "exposures": EXPOSURES.empty() if shown is None else shown,
        "jobs": jobs() if catalog is None else catalog,
    }
    return query("insight/outcomes", frames=frames, params={"since": at(days=28), "until": WEDNESDAY, **limits})


def outcomes(frame):
    return all_outcomes(frame).filter(dimension="all")


def test_a_trial_is_a_pair_that_was_shown_and_succeeds_once():
    frame = events(
        {"event_type": "impression"},
        {"event_type": "impression"},
        {"event_type": "click"},
        {"event_type": "click"},
        {"event_type": "apply", "surface": "external"},
        {"event_type": "impression", "user_id": "v"},
        {"event_type": "click", "user_id": "never shown"},
        {"event_type": "click", "user_id": "v", "is_bot": True},
        {"event_type": "click", "user_id": "v", "occurred_at": at(days=29)},
        {"event_type": "click", "user_id": "v", "occurred_at": WEDNESDAY + dt.timedelta(hours=1)},
        {"event_type": "impression", "user_id": "w", "surface": None},
    )
    table = outcomes(frame).select("surface", "n_shown", "n_clicked", "n_applied", "n_saved")
    assert table.rows() == [
        ("all", 3, 1, 1, 0),
        ("external", 0, 0, 0, 0),
        ("feed", 2, 1, 0, 0),
        ("unknown", 1, 0, 0, 0),
    ]


def test_an_act_before_the_first_impression_is_no_success():
    frame = events(
        {"event_type": "click", "occurred_at": at(hours=2)},
        {"event_type": "impression"},
        {"event_type": "save", "occurred_at": at(minutes=30)},
        {"event_type": "dismiss", "occurred_at": at(hours=2)},
        {"event_type": "dismiss", "occurred_at": at(minutes=30)},
        {"event_type": "impression", "surface": "search", "occurred_at": at(minutes=90)},
        {"event_type": "apply", "surface": "external", "occurred_at": at(minutes=80)},
    )
    table = outcomes(frame).select("surface", "n_shown", "n_clicked", "n_saved", "n_dismissed", "n_applied")
    assert table.rows() == [
        ("all", 1, 0, 1, 1, 1),
        ("external", 0, 0, 0, 0, 0),
        ("feed", 1, 0, 1, 1, 0),
        ("search", 1, 0, 0, 0, 0),
    ]


def test_sums_for_intervals_are_over_users():
    users = [(f"user {n}", n_shown, n_clicked) for n, (n_shown, n_clicked) in enumerate([(1, 1), (3, 0), (5, 4)])]
    rows = [
        {"event_type": kind, "user_id": user, "job_id": f"j{job}"}
        for user, n_shown, n_clicked in users
        for kind, n in (("impression", n_shown), ("click", n_clicked))
        for job in range(n)
    ]
    row = outcomes(events(*rows)).filter(surface="feed").row(0, named=True)
    assert (row["n_groups"], row["n_shown"], row["n_clicked"]) == (3, 9, 5), "no two of these users share a group"
    sums = ("sum_square_n_shown", "sum_square_n_clicked", "sum_products_n_clicked")
    assert [row[name] for name in sums] == [35.0, 17.0, 21.0]


def test_dwell_is_the_longest_view_of_a_pair_capped():
    frame = events(
        {"event_type": "view", "dwell_seconds": 3.0},
        {"event_type": "view", "dwell_seconds": 1.0},
        {"event_type": "view", "user_id": "v", "dwell_seconds": 9_999.0},
        {"event_type": "view", "user_id": "w", "dwell_seconds": 0.0},
    )
    row = outcomes(frame).row(0, named=True)
    assert (row["n_dwells"], row["sum_dwell_milliseconds"]) == (2, 603_000.0)


def test_no_events_give_no_outcomes_and_no_metrics():
    rates = outcome_rates(all_outcomes(EVENTS.empty()))
    OUTCOMES.validate(rates)
    table = outcome_metrics(rates)
    METRICS.validate(table)
    assert table.is_empty()


def test_a_trial_counts_for_the_recipe_and_arm_that_showed_it_first():
    frame = events(
        {"event_type": "impression"},
        {"event_type": "click"},
        {"event_type": "impression", "job_id": "k"},
        {"event_type": "dismiss", "job_id": "k"},
        {"event_type": "impression", "job_id": "l"},  # of a generation that is no longer known
    )
    shown = exposures(
        {"recipe": "new", "arm": "b", "generation": "later", "shown_at": at(minutes=1)},
        {"recipe": "old", "arm": "a"},
        {"recipe": "new", "arm": "b", "job_id": "k"},
        {"recipe": "new", "arm": "b", "job_id": "l", "surface": "digest"},
    )
    table = all_outcomes(frame, shown).filter(dimension="all", surface="feed")
    assert table.select("recipe", "arm", "n_shown", "n_clicked", "n_dismissed").rows() == [
        ("all", "all", 3, 1, 1),
        ("new", "all", 1, 0, 1),
        ("new", "b", 1, 0, 1),
        ("old", "a", 1, 1, 0),
        ("old", "all", 1, 1, 0),
    ]


def test_outcomes_are_sliced_by_position_and_by_age_language_and_country_of_the_job():
    catalog = jobs(
        [
            {"job_id": "t:new", "first_seen_at": at(days=1), "language": "ru", "country": "KZ"},
            {"job_id": "t:old", "first_seen_at": at(days=1), "published_at": at(days=30), "language": "en"},
        ]
    )
    frame = events(
        {"event_type": "impression", "job_id": "t:new", "position": 3},
        {"event_type": "impression", "job_id": "t:new", "position": 2},
        {"event_type": "click", "job_id": "t:new", "position": 9},
        {"event_type": "impression", "job_id": "t:old", "position": 2},
        {"event_type": "impression", "job_id": "gone", "position": 51},
        {"event_type": "impression", "job_id": "gone", "position": 0, "user_id": "v"},
    )
    table = all_outcomes(frame, catalog=catalog).filter(pl.col("dimension") != "all", surface="feed", recipe="all")
    assert table.select("dimension", "slice", "n_shown", "n_clicked").rows() == [
        ("job_age", "new", 1, 1),
        ("job_age", "old", 1, 0),
        ("job_country", "KZ", 1, 1),
        ("job_language", "en", 1, 0),
        ("job_language", "ru", 1, 1),
        ("position", "2", 2, 1),
    ]


def test_experiment_sums_count_a_job_once_per_user_and_only_the_named_experiment():
    shown = [
        {"user_id": "u", "job_id": "j", "arm": "a", "experiment": "e", "is_clicked": False, "is_applied": False},
        {"user_id": "u", "job_id": "j", "arm": "a", "experiment": "e", "is_clicked": True, "is_applied": False},
        {"user_id": "u", "job_id": "k", "arm": "a", "experiment": "e", "is_clicked": True, "is_applied": True},
        {"user_id": "v", "job_id": "k", "arm": "a", "experiment": "e", "is_clicked": False, "is_applied": False},
        {"user_id": "w", "job_id": "k", "arm": "b", "experiment": "e", "is_clicked": False, "is_applied": False},
        {"user_id": "x", "job_id": "k", "arm": "b", "experiment": "former", "is_clicked": True, "is_applied": False},
        {"user_id": "y", "job_id": "k", "arm": "b", "experiment": None, "is_clicked": True, "is_applied": False},
    ]
    table = query("insight/experiment_sums", frames={"reactions": pl.DataFrame(shown)}, params={"experiment": "e"})
    columns = ("arm", "n_users", "n_shown", "n_clicked", "n_applied", "sum_square_shown", "sum_shown_clicked")
    assert table.select(columns).rows() == [("a", 2, 3, 2, 1, 5, 4), ("b", 1, 1, 0, 0, 1, 0)]
