"""Match quality against a slow count of thresholds; success patterns of groups large enough."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.metrics import USER_GROUPS
from features.outcomes import match_quality, success_patterns
from features.schemas.insight import MATCH_QUALITY, SUCCESS_PATTERNS


def shown(rows):
    """Jobs that a user was shown, each first in the feed, then in the digest."""
    schema = {"recipe": pl.String, "match_percent": pl.Int32, "is_positive": pl.Boolean}
    number = pl.int_range(pl.len())
    surface = pl.when(number % 2 == 0).then(pl.lit("feed")).otherwise(pl.lit("digest"))
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        arm=pl.lit("b"),
        surface=surface,
        user_group=number // 2 % USER_GROUPS,
        user_id=pl.lit("u"),
        job_id=pl.format("j{}", number // 2),
        shown_at=pl.datetime(2026, 3, 1) + pl.duration(hours=number),
    )


def judged(rows, recipe, surface):
    """Score and success of what a slice counts: over all surfaces each job once."""
    if surface != "all":
        trials = rows[("feed", "digest").index(surface) :: 2]
    else:
        trials = []
        for start in range(0, len(rows), 2):
            both = rows[start : start + 2]
            name, percent, _ = next((row for row in both if row[1] is not None), both[0])
            trials.append((name, percent, any(good for _, _, good in both)))
    return [(percent, good) for name, percent, good in trials if percent is not None and recipe in (name, "all")]


shown_jobs = st.lists(
    st.tuples(st.sampled_from(["match", "hybrid"]), st.one_of(st.none(), st.integers(0, 100)), st.booleans())
)


@given(shown_jobs)
def test_every_threshold_has_the_precision_recall_and_f1_of_a_slow_count(rows):
    table = match_quality(shown(rows))
    MATCH_QUALITY.validate(table)
    for row in table.iter_rows(named=True):
        of_recipe = judged(rows, row["recipe"], row["surface"])
        above = [good for p, good in of_recipe if p >= row["match_percent"]]
        n_good = sum(good for _, good in of_recipe)
        precision = sum(above) / len(above) if above else None
        recall = sum(above) / n_good if n_good else None
        f1 = 2 * precision * recall / (precision + recall) if precision and recall else None
        assert row["precision"] == (None if precision is None else pytest.approx(precision, abs=1e-6))
        assert row["recall"] == (None if recall is None else pytest.approx(recall, abs=1e-6))
        assert row["f1"] == (None if f1 is None else pytest.approx(f1, abs=1e-6))


def test_bands_show_how_often_their_jobs_succeed():
    rows = [("match", 91, True), ("match", None, False), ("match", None, False), ("match", 100, False)]
    table = match_quality(shown([*rows, ("match", 15, False)]))
    found = (
        table.filter(recipe="match", arm="all", surface="all")
        .select("match_percent", "n", "mean_match_percent", "positive_share")
        .rows()
    )
    assert found[9] == (90, 2, 95.5, 0.5)
    assert found[1] == (10, 1, 15.0, 0.0)
    assert found[5] == (50, 0, None, None)
    slices = ("recipe", "arm", "surface")
    heads = (("all", "all"), ("match", "all"), ("match", "b"))
    expected = [(*head, surface) for head in heads for surface in ("all", "digest", "feed")]
    assert table.select(slices).unique().sort(slices).rows() == expected


def test_a_job_of_feed_and_digest_counts_once_over_all_surfaces():
    table = match_quality(shown([("match", 80, False), ("hybrid", 95, True)]).reverse())
    counted = table.filter(pl.col("n") > 0, arm="all").select("recipe", "surface", "match_percent", "n", "n_positive")
    assert counted.rows() == [
        ("all", "all", 80, 1, 1),
        ("all", "digest", 90, 1, 1),
        ("all", "feed", 80, 1, 0),
        ("hybrid", "digest", 90, 1, 1),
        ("match", "all", 80, 1, 1),
        ("match", "feed", 80, 1, 0),
    ]


def pattern(**changes):
    row = {"outcome": "apply", "dimension": "skill", "value": "Go", "n_users": 10, "n_shown": 20, "n_successes": 5}
    # Ten users who were shown two jobs each; five applied to one of them.
    sums = {"sum_square_n_shown": 40.0, "sum_square_n_successes": 5.0, "sum_products_n_successes": 10.0}
    return {**row, **sums, "n_groups": 10, "base_rate": 0.1, **changes}


def test_a_pattern_is_a_rate_with_an_interval_against_the_base_rate():
    table = success_patterns(pl.DataFrame([pattern()]))
    SUCCESS_PATTERNS.validate(table)
    row = table.row(0, named=True)
    assert (row["rate"], row["base_rate"], row["lift"]) == (0.25, 0.1, 2.5)
    # Variance 0.0069, less than that of 20 independent pairs: 20 effective pairs, times (1.96 / 2.262)².
    assert (row["lower"], row["upper"]) == pytest.approx((0.0990, 0.5029), abs=1e-4)


def test_groups_of_fewer_than_ten_users_are_left_out_and_no_base_rate_gives_no_lift():
    none = {"n_successes": 0, "sum_square_n_successes": 0.0, "sum_products_n_successes": 0.0}
    table = success_patterns(pl.DataFrame([pattern(n_users=9), pattern(value="C", base_rate=0.0, **none)]))
    assert table.select("value", "lift").rows() == [("C", None)]
