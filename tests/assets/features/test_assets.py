"""The feature and insight assets run whole, over a lake of hand-made catalog tables."""

import datetime as dt
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets.features.assets import ASSETS as FEATURES
from assets.insight.assets import ASSETS as INSIGHT
from assets.io import TABLES, LakeIOManager
from assets.lake import Lake
from assets.resources import AS_OF_TAG, RunClock, Workspace
from features.schemas.bronze import EVENTS, RATED_SKILL
from features.schemas.catalog import DAILY_INTERACTIONS, DAILY_JOB_COUNTS, INTERACTIONS, USERS
from tests.factories import AS_OF, jobs

# Dagster's own use of pydantic and of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:dagster"),
]

TABLE_NAMES = sorted(
    (stage, name)
    for stage, names in {
        "features": (
            "skill_weights",
            "companies",
            "job_features",
            "trending",
            "nearby",
            "user_profiles",
            "preferences",
        ),
        "insight": ("market_trends", "skill_demand", "skill_gaps", "metrics"),
    }.items()
    for name in names
)
HOUR = dt.timedelta(hours=1)


def events() -> pl.DataFrame:
    kinds = ("impression", "click", "save", "apply", "dismiss")
    rows = [
        {
            "event_id": f"{user}-{job}-{kind}",
            "user_id": f"user {user}",
            "job_id": f"hh:{job}",
            "event_type": kind,
            "occurred_at": AS_OF - (user + job) * HOUR,
            "surface": "feed",
            "dwell_seconds": 5.0 * job,
        }
        for user in range(1, 5)
        for job in range(1, 9)
        for kind in kinds[: 1 + (user * job) % 5]
    ]
    return EVENTS.conform(pl.DataFrame(rows))


def daily() -> pl.DataFrame:
    def n(kind: str) -> pl.Expr:
        return (pl.col("event_type") == kind).sum()

    counted = (
        events()
        .group_by("user_id", "job_id", date=pl.col("occurred_at").dt.date())
        .agg(
            n_impressions=n("impression"),
            n_clicks=n("click"),
            n_saves=n("save"),
            n_applies=n("apply"),
            n_dismissals=n("dismiss"),
            weight=2 * n("click") + 5 * n("save") + 10 * n("apply") - 5 * n("dismiss").cast(pl.Int32),
            first_at=pl.col("occurred_at").min(),
            last_at=pl.col("occurred_at").max(),
        )
        .sort("user_id", "job_id", "date")
    )
    return DAILY_INTERACTIONS.conform(counted)


def daily_job_counts() -> pl.DataFrame:
    counters = ("n_impressions", "n_applies", "n_dismissals", "weight")
    summed = daily().group_by("date", "job_id").agg(pl.col(counters).sum(), pl.col("last_at").max())
    return DAILY_JOB_COUNTS.conform(summed)


def interactions() -> pl.DataFrame:
    flagged = daily().with_columns(
        is_saved=pl.col("n_saves") > 0, is_applied=pl.col("n_applies") > 0, is_dismissed=pl.col("n_dismissals") > 0
    )
    return INTERACTIONS.conform(flagged.select(c for c in INTERACTIONS.columns if c in flagged.columns))


def users() -> pl.DataFrame:
    rows = [
        {
            "user_id": f"user {number}",
            "skills": [{"name": "Python", "level": "advanced", "years": 3.0}],
            "desired_roles": ["Бэкенд-разработчик"],
            "summary": "Write to me: anna@example.com",
            "full_name": "Anna Secret",
            "email": "anna@example.com",
        }
        for number in (1, 9)
    ]
    return USERS.conform(pl.DataFrame(rows, schema_overrides={"skills": pl.List(RATED_SKILL)}))


def run(folder: Path, catalog: dict[tuple[str, str], pl.DataFrame]) -> dg.ExecuteInProcessResult:
    lake = Lake(folder / "lake")
    for (stage, name), frame in catalog.items():
        lake.replace(stage, TABLES[name], frame)
    inputs = [("catalog", name) for name in ("jobs", "users", "interactions", "daily_interactions")] + [
        ("bronze", name) for name in ("erasures", "events", "company_facts", "company_news")
    ]
    sources = [dg.AssetSpec(key=list(key)).with_io_manager_key("lake_io") for key in inputs]
    return dg.materialize(
        [*FEATURES, *INSIGHT, *sources],
        selection=[*FEATURES, *INSIGHT],
        resources={
            "lake_io": LakeIOManager(lake),
            "workspace": Workspace(data_dir=str(folder)),
            "clock": RunClock(),
        },
        tags={AS_OF_TAG: AS_OF.isoformat()},
    )


def contents(folder: Path) -> dict[tuple[str, str], pl.DataFrame]:
    return {(stage, name): pl.read_parquet(Lake(folder / "lake").file(stage, name)) for stage, name in TABLE_NAMES}


@pytest.fixture(scope="module")
def catalog() -> dict[tuple[str, str], pl.DataFrame]:
    made = jobs([{"job_id": f"hh:{i}", "professional_roles": ["backend_developer"]} for i in range(1, 9)])
    return {
        ("catalog", "jobs"): made,
        ("catalog", "users"): users(),
        ("catalog", "interactions"): interactions(),
        ("catalog", "daily_interactions"): daily(),
        ("catalog", "daily_job_counts"): daily_job_counts(),
        ("bronze", "events"): events(),
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory, catalog):
    folder = tmp_path_factory.mktemp("whole")
    return folder, run(folder, catalog)


def test_every_table_is_written_with_rows_and_unique_keys(ran):
    folder, result = ran
    assert result.success
    for (stage, name), table in contents(folder).items():
        schema = TABLES[name]
        schema.validate(table)
        assert table.height > 0, (stage, name)
        assert table.select(schema.key).is_duplicated().sum() == 0, (stage, name)


def test_every_asset_reports_seconds_and_counts(ran):
    _, result = ran
    for event in result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        assert {"seconds", "preview", "dagster/row_count"} <= set(metadata), event.asset_key


def test_no_personal_data_leaves_the_users_table(ran):
    folder, _ = ran
    for key, table in contents(folder).items():
        text = str(table.to_dicts())
        assert "Anna" not in text, key
        assert "anna@" not in text, key


def test_users_with_and_without_profile_have_a_row(ran):
    folder, _ = ran
    profiles = contents(folder)["features", "user_profiles"]
    assert profiles.select("user_id", "has_profile").rows() == [
        ("user 1", True),
        ("user 2", False),
        ("user 3", False),
        ("user 4", False),
        ("user 9", True),
    ]


def test_a_second_run_and_shuffled_inputs_change_no_row(ran, tmp_path, catalog):
    shuffled = {key: frame.sample(fraction=1, shuffle=True, seed=7) for key, frame in catalog.items()}
    assert run(tmp_path, shuffled).success
    before, after = contents(ran[0]), contents(tmp_path)
    for key, table in before.items():
        assert table.equals(after[key]), key


def test_empty_inputs_give_empty_tables(tmp_path):
    assert run(tmp_path, {}).success
    heights = {key: table.height for key, table in contents(tmp_path).items()}
    assert {key for key, height in heights.items() if height} == {("insight", "metrics")}
