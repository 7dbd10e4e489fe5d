"""What the match score foretold, with applications that can be counted on paper."""

import datetime as dt

import polars as pl
import pytest

from features.applications.foretold import TIME_TO_COME, application_quality
from features.applications.funnel import STEPS
from features.metrics import application_metrics
from features.schemas.catalog import APPLICATIONS

AS_OF = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
OLD = AS_OF - TIME_TO_COME


def quality(
    percents: list[int], interviewed: set[int], *, applied_at: dt.datetime = OLD, state: str = "applied"
) -> pl.DataFrame:
    """Of an application a user with these scores, of which some came to an interview."""
    rows = [
        {"user_id": f"u{n}", "application_id": "a", "state": state, "applied_at": applied_at, "match_percent": percent}
        for n, percent in enumerate(percents)
    ]
    table = APPLICATIONS.conform(pl.DataFrame(rows, schema_overrides={n: APPLICATIONS.columns[n] for n in rows[0]}))
    shown = table.select("user_id", "application_id", recipe=pl.lit("match"), arm=pl.lit("default"))
    reached = pl.DataFrame(
        [(f"u{n}", "a", STEPS.index("interview"), 1.0) for n in interviewed],
        schema={"user_id": pl.String, "application_id": pl.String, "step": pl.Int8, "days": pl.Float64}, orient="row",
    )  # fmt: skip
    return application_quality(table, shown, reached, as_of=AS_OF)


def test_scores_are_held_against_interviews() -> None:
    percents = [95] * 5 + [65] * 5 + [35] * 10
    found = quality(percents, {0, 1, 2, 3, 5, 10}).filter(outcome="interview", recipe="all", arm="all")
    bands = {row["match_percent"]: row for row in found.iter_rows(named=True)}
    assert (bands[90]["n"], bands[90]["n_positive"], bands[90]["positive_share"]) == (5, 4, 0.8)
    assert (bands[60]["precision"], bands[60]["recall"]) == (0.5, pytest.approx(5 / 6, abs=1e-6))
    assert bands[60]["f1"] == pytest.approx(0.625)
    # |.95 - .8| of a quarter, |.65 - .2| of a quarter, |.35 - .1| of a half.
    assert bands[0]["calibration_error"] == pytest.approx((0.15 + 0.45 + 2 * 0.25) / 4)
    assert bands[90]["lower"] < 0.8 < bands[90]["upper"]


def test_recipes_are_judged_apart_and_named_in_the_metrics() -> None:
    table = quality([70] * 12, {0, 1, 2})
    assert set(table.select("recipe", "arm").unique().rows()) == {
        ("all", "all"),
        ("match", "all"),
        ("match", "default"),
    }
    metrics = application_metrics(table, threshold=60)
    found = {(row["metric"], row["recipe"]): row["value"] for row in metrics.iter_rows(named=True)}
    assert found["interview_match_precision", "match"] == 0.25
    assert found["interview_match_recall", "all"] == 1.0
    assert found["interview_match_calibration_error", "all"] == pytest.approx(0.45)


def test_young_applications_wait_whatever_came_of_them_and_small_groups_are_left_out() -> None:
    young = OLD + dt.timedelta(hours=1)
    for state in ("applied", "interview", "rejected", "accepted"):
        assert quality([70] * 12, {1}, applied_at=young, state=state).is_empty()
        assert not quality([70] * 12, {1}, state=state).is_empty()
    assert quality([70] * 9, {1}).is_empty()
