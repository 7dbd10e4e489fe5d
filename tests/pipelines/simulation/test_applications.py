"""The simulated log of applications: it is read whole, and no step of it is refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from assets.config.loading import load_config
from features.applications import summaries
from features.applications.folding import fold_timelines
from features.applications.follow_ups import follow_ups
from features.sources.applications.files import parse_application_lines
from features.sources.applications.validation import Rules
from pipelines.simulation.market import MarketSize, simulate
from pipelines.simulation.users import DEMO_PYTHON

UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
SETTINGS = load_config().applications


@pytest.fixture(scope="module")
def timelines(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    landing: Path = tmp_path_factory.mktemp("landing")
    size = MarketSize(n_users=300, n_jobs=400, n_events=20_000, n_days=30)
    summary = simulate(landing, size, seed=3, until=UNTIL)
    body = (landing / "applications/applications.jsonl").read_bytes()
    parsed = parse_application_lines(body, rules=Rules(SETTINGS.words, UNTIL))
    assert parsed.rejects.is_empty()
    assert len(parsed.rows) == summary.n_application_events > 100
    return fold_timelines(parsed.rows, transitions=SETTINGS.table, implied=SETTINGS.words_implied, as_of=UNTIL)


def test_every_step_is_allowed(timelines: pl.DataFrame) -> None:
    refused = timelines.filter("is_refused")
    assert refused.select("state_before", "asked_state").unique().rows() == []


def test_all_kinds_of_events_and_most_states_occur(timelines: pl.DataFrame) -> None:
    assert set(timelines["event_type"]) == {"status", "interview", "offer", "reply", "follow_up", "deadline"}
    assert set(timelines["state"].drop_nulls()) >= {"acknowledged", "screening", "interview", "offer", "rejected"}


def test_the_demo_user_has_applications_in_several_states_and_an_interview_tomorrow(timelines: pl.DataFrame) -> None:
    demo = timelines.filter(user_id=DEMO_PYTHON)
    stands = demo.group_by("application_id").agg(pl.col("state").last())["state"]
    assert stands.n_unique() >= 5
    planned = summaries.interviews(demo).filter(status="scheduled")["starts_at"]
    assert UNTIL < planned.item() < UNTIL + timedelta(days=2)


def test_the_demo_user_has_follow_ups_that_are_due_and_others_sent_theirs(timelines: pl.DataFrame) -> None:
    of_whom = timelines.select("user_id", "application_id").unique()
    about = of_whom.with_columns(
        *(pl.lit(None, pl.String).alias(name) for name in ("company", "role", "country", "timezone")),
        language=pl.lit("en"),
    )
    table = follow_ups(timelines, about, load_config().follow_ups.plan, as_of=UNTIL)
    demo = table.filter(user_id=DEMO_PYTHON)
    assert demo["is_due"].sum() > 0
    assert set(demo.filter(status="due")["sequence"]) >= {"after_application", "thank_you", "offer_answer"}
    assert timelines.filter(event_type="follow_up", action="sent")["user_id"].n_unique() >= 10
