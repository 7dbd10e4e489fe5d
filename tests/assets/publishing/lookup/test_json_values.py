import datetime as dt
import json
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from assets.io import TABLES as LAKE_TABLES
from assets.publishing.lookup.json_values import VALUES, json_values
from features.schemas.catalog import APPLICATION_EVENTS, FOLLOW_UPS
from features.schemas.features import PREFERENCES
from features.schemas.insight import DIGESTS, SKILL_GAPS
from serving.contract.keys import (
    APPLICATION_EVENTS_PREFIX,
    DIGEST_PREFIX,
    FOLLOW_UPS_PREFIX,
    PREFERENCES_PREFIX,
    SKILL_GAPS_PREFIX,
)
from serving.contract.tables import TABLES

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def read(prefix: str, rows: pl.DataFrame) -> dict[str, Any]:
    """What a reader of the look-up file finds."""
    found = json_values(prefix, rows)
    assert found["id"].is_sorted()
    return {key: json.loads(value) for key, value in found.select("id", "value").iter_rows()}


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["anna", "боб", "a\nb"]),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.none(),
            st.floats(allow_nan=False, allow_infinity=False) | st.none(),
        ),
        max_size=9,
    )
)
def test_every_row_is_read_back_as_it_was_in_the_list_of_its_user(rows: list[tuple[str, str | None, float | None]]):
    users, texts, salaries = zip(*rows, strict=True) if rows else ((), (), ())
    frame = pl.DataFrame(
        {
            "user_id": pl.Series(users, dtype=pl.String),
            "application_id": "a1",
            "position": pl.Series(range(len(rows)), dtype=pl.Int32),
            "text": pl.Series(texts, dtype=pl.String),
            "salary": pl.Series(salaries, dtype=pl.Float64),
        }
    )
    found = read(
        APPLICATION_EVENTS_PREFIX, APPLICATION_EVENTS.conform(frame.sample(fraction=1.0, shuffle=True, seed=1))
    )

    assert found.keys() == set(users)
    for user, events in found.items():
        own = [(at, text, salary) for at, (owner, text, salary) in enumerate(rows) if owner == user]
        assert [(event["position"], event["text"], event["salary"]) for event in events] == own
        assert all(list(event) == list(TABLES["application_events"])[1:] for event in events)


def test_open_follow_ups_come_first_by_when_they_are_due_then_the_newest():
    days = {"late": 5, "soon": 2, "old": 1, "new": 4, "undated": None}
    frame = pl.DataFrame(
        {
            "user_id": "anna",
            "application_id": list(days),
            "due_at": [None if day is None else NOON + dt.timedelta(days=day) for day in days.values()],
            "status": ["due", "due", "sent", "skipped", "due"],
        }
    )
    found = read(FOLLOW_UPS_PREFIX, FOLLOW_UPS.conform(frame))["anna"]

    assert [row["application_id"] for row in found] == ["soon", "late", "undated", "new", "old"]
    assert found[0]["due_at"] == "2026-03-03T12:00:00Z"


def test_a_digest_is_found_by_its_date_and_the_newest_by_the_user_alone():
    frame = pl.DataFrame(
        {
            "user_id": ["anna", "anna", "bob"],
            "digest_date": [dt.date(2026, 3, 1), dt.date(2026, 3, 8), dt.date(2026, 3, 1)],
        }
    )
    found = json_values(DIGEST_PREFIX, DIGESTS.conform(frame))

    assert found["id"].to_list() == ["anna\n2026-03-01", "anna\n2026-03-08", "bob\n2026-03-01"]
    assert found["other_id"].to_list() == [None, "anna", "bob"]
    assert json.loads(found["value"][1])["digest_date"] == "2026-03-08"


def test_a_float_of_32_bits_shows_four_decimals_alone_and_all_of_its_own_within_a_list():
    preferences = pl.DataFrame({
        "user_id": "anna", "dimension": "tag", "value": ["weak", "strong"], "affinity": [0.25, -0.33333], "n": 1
    })  # fmt: skip
    missing = pl.Series([[{"skill": "sql", "impact": 0.1}]], dtype=SKILL_GAPS.columns["missing"])
    gaps = pl.DataFrame({"user_id": "anna", "role": "nurse", "missing": missing})

    found = read(PREFERENCES_PREFIX, PREFERENCES.conform(preferences.cast({"affinity": pl.Float32})))["anna"]
    assert [(row["value"], row["affinity"]) for row in found] == [("strong", -0.3333), ("weak", 0.25)]
    role = read(SKILL_GAPS_PREFIX, SKILL_GAPS.conform(gaps))["anna"][0]
    assert role["missing"][0]["impact"] == missing[0][0]["impact"] != 0.1


def test_tables_without_rows_have_no_values():
    for prefix, (table, _) in VALUES.items():
        assert json_values(prefix, LAKE_TABLES[table].empty()).is_empty(), prefix
