"""Each kind of market holds the truth that it plants."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from pipelines.simulation.companies import make_companies
from pipelines.simulation.events import EventMaker
from pipelines.simulation.jobs import make_jobs
from pipelines.simulation.kinds import EXPOSURE_KINDS, MARKET_KINDS, hidden_taste
from pipelines.simulation.market import MarketSize
from pipelines.simulation.users import make_users
from pipelines.simulation.world import load_world

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
N_DAYS = 12
N_USERS = 400


def views(kind: str) -> pl.DataFrame:
    """One row an exposure: is_viewed, and what is true of its user and job."""
    world = load_world()
    companies = make_companies(world, n_jobs=600, seed=3)
    jobs = make_jobs(world, companies, n_jobs=600, n_days=N_DAYS, until=UNTIL, seed=3)
    users = make_users(world, n_users=N_USERS, n_days=N_DAYS, seed=3)
    maker = EventMaker(world, users, jobs, n_events=60_000, n_days=N_DAYS, until=UNTIL, seed=3, kind=MARKET_KINDS[kind])
    events = pl.concat([block.frame for block in maker.blocks()])
    exposures = events.group_by("user_id", "job_id", "session_id", "position").agg(
        occurred_at=pl.col("occurred_at").min(), is_viewed=(pl.col("event_type") == "view").any()
    )
    charm = 0.5 * jobs.amounts("quality") + 0.6 * jobs.amounts("appeal")
    of_job = jobs.frame.select("job_id", "family", "company", charm=charm)
    of_user = pl.DataFrame(
        {"user_id": users.user_id, "row": np.arange(N_USERS), "own": users.family, "second": users.second_family}
    )
    return exposures.join(of_job, on="job_id").join(of_user, on="user_id")


def view_rate(exposures: pl.DataFrame) -> float:
    return float(exposures["is_viewed"].mean() or 0.0)  # type: ignore[arg-type]


def lift_of_charm(exposures: pl.DataFrame) -> float:
    """Views of exposures to the most charming fifth of jobs over those of all others."""
    is_top = pl.col("charm") >= pl.col("charm").quantile(0.8)
    return view_rate(exposures.filter(is_top)) / view_rate(exposures.filter(~is_top))


def share_of_most_shown(exposures: pl.DataFrame) -> float:
    """The share of exposures that go to the most shown twentieth of jobs."""
    shown = exposures.group_by("job_id").len().sort("len", descending=True)["len"]
    return float(shown.head(len(shown) // 20).sum() / shown.sum())


def test_where_popularity_is_merit_charming_jobs_are_liked_by_all() -> None:
    assert lift_of_charm(views("merit")) > 1.3 * lift_of_charm(views("general"))


def test_where_popularity_is_exposure_jobs_are_shown_more_but_liked_no_more() -> None:
    exposures = views("exposure")
    assert share_of_most_shown(exposures) > 1.3 * share_of_most_shown(views("general"))
    same_fit = exposures.filter(pl.col("family") == pl.col("own"))
    assert 0.85 < lift_of_charm(same_fit) < 1.15


def test_a_hidden_taste_decides_only_in_its_market() -> None:
    def lift(exposures: pl.DataFrame) -> float:
        taste = hidden_taste(exposures["row"].to_numpy(), exposures["company"].to_numpy()) > 0
        liked = pl.Series(taste)
        return view_rate(exposures.filter(liked)) / view_rate(exposures.filter(~liked))

    assert lift(views("hidden")) > 1.5
    assert 0.85 < lift(views("general")) < 1.15


def test_a_shift_makes_users_look_for_their_second_role() -> None:
    def second_over_own(exposures: pl.DataFrame) -> float:
        late = exposures.filter(pl.col("occurred_at") > UNTIL - timedelta(days=N_DAYS / 3))
        second = late.filter((pl.col("family") == pl.col("second")) & (pl.col("second") != pl.col("own")))
        own = late.filter(pl.col("family") == pl.col("own"))
        return view_rate(second) / view_rate(own)

    assert second_over_own(views("shift")) > 1.2 * second_over_own(views("general"))


@pytest.mark.parametrize("kind", MARKET_KINDS)
def test_the_weights_of_exposures_are_shares(kind: str) -> None:
    weights = MARKET_KINDS[kind].exposures
    assert len(weights) == len(EXPOSURE_KINDS)
    assert sum(weights) == pytest.approx(1.0)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of general, merit.*received 'calm'"):
        MarketSize(n_users=10, n_jobs=50, n_events=0, kind="calm")
