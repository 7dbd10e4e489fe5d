"""The tables of applications, from a log in the lake."""

import datetime as dt
import itertools
import shutil
from pathlib import Path
from typing import Any, cast

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from assets.catalog import application_updates, applications, follow_ups
from assets.catalog.application_updates import user_table
from assets.catalog.applications import judge_of, with_monthly_value
from assets.catalog.job_changes import replace_jobs
from assets.config.llm import Llm
from assets.increments import LayeredTable, changed_since, mark_of
from assets.io import LakeIOManager
from assets.lake import Lake
from assets.resources import AS_OF_TAG, SCOPE_TAG, RunClock, Workspace
from features.jobs.salary import load_rates
from features.schemas.bronze import APPLICATION_LOG, ERASURES, QUARANTINE
from features.schemas.catalog import (
    APPLICATION_EVENTS,
    APPLICATIONS,
    FOLLOW_UPS,
    INTERVIEWS,
    JOBS,
    OFFERS,
    USERS,
)
from features.schemas.insight import EXPOSURES
from tests.factories import jobs
from tests.features.applications.test_folding import AS_OF, Row, at, log_of, status

ASSETS = [*applications.ASSETS, *follow_ups.ASSETS]
TABLES = (APPLICATIONS, APPLICATION_EVENTS, INTERVIEWS, OFFERS, FOLLOW_UPS)
RATES = load_rates(Path(__file__).parents[3] / "data/vocabulary/currencies.csv")


def run(tmp_path: Path, *rows: Row, as_of: dt.datetime = AS_OF, scope: str = "all") -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.append_new("bronze", APPLICATION_LOG, log_of(*rows), within=["event_id"])
    resources = {"workspace": Workspace(data_dir=str(tmp_path)), "clock": RunClock(), "lake_io": LakeIOManager(lake)}
    assert dg.materialize(ASSETS, resources=resources, tags={AS_OF_TAG: as_of.isoformat(), SCOPE_TAG: scope}).success
    return lake


ROWS = [
    status("e1", 0, "applied"),
    status("e2", 1, "accepted"),
    status("e3", 2, "", event_type="reply", state=None, direction="in", text="We would like to invite you to a call."),
    status("e4", 3, "", event_type="reply", state=None, direction="in", text="Hello", sentiment="negative"),
    status("e5", 4, "", event_type="reply", state=None, direction="out", text="We would like to invite you."),
    status("e6", 5, "", event_type="interview", state=None, action="scheduled", interview_id="i1", starts_at=at(900)),
    status("e7", 6, "", event_type="offer", state=None, action="received", offer_id="o1", salary=100.0,
           currency="USD", period="week"),
]  # fmt: skip


def test_a_log_becomes_timelines_applications_interviews_and_offers(tmp_path: Path) -> None:
    lake = run(tmp_path, *ROWS)
    shown = EXPOSURES.conform(pl.DataFrame([
        {"user_id": "u1", "job_id": "hh:1", "surface": "feed", "generation": name, "shown_at": at(hours),
         "score": score}
        for name, hours, score in (("g1", -30, 0.5), ("g2", -3, 0.876), ("g3", 3, 0.1))
    ]).with_columns(pl.col("shown_at").cast(pl.Datetime("us", "UTC"))))  # fmt: skip
    lake.replace("insight", EXPOSURES, shown)
    lake = run(tmp_path)
    row = lake.scan("catalog", APPLICATIONS).collect().row(0, named=True)
    assert (row["state"], row["applied_at"], row["match_percent"]) == ("offer", at(0), 88)
    assert (row["next_action"], row["next_action_at"]) == ("interview", at(900))
    assert lake.scan("catalog", INTERVIEWS).collect()["interview_id"].to_list() == ["i1"]
    offer = lake.scan("catalog", OFFERS).collect().row(0, named=True)
    assert offer["monthly_usd"] == pytest.approx(100 * 52 / 12, abs=0.01)
    assert (offer["market_percentile"], offer["n_compared"]) == (None, 0)


def test_replies_of_employers_get_a_sentiment_and_say_by_whom(tmp_path: Path) -> None:
    events = run(tmp_path, *ROWS).scan("catalog", APPLICATION_EVENTS).collect()
    found = dict(zip(events["event_id"], events.select("sentiment", "sentiment_by").rows(), strict=True))
    assert found["e3"] == ("positive", "rules")
    assert found["e4"] == ("negative", "app")
    assert found["e5"] == found["e1"] == (None, None)


def test_a_refused_transition_is_quarantined_once_with_what_is_allowed(tmp_path: Path) -> None:
    for _ in range(2):
        lake = run(tmp_path, *ROWS)
    refused = lake.scan("bronze", QUARANTINE).collect()
    assert refused.select("source", "entry", "reason").rows() == [("applications", "e2", "transition_not_allowed")]
    assert refused["detail"][0].startswith("from applied to accepted; allowed: acknowledged, screening")


def test_an_erased_user_leaves_no_application(tmp_path: Path) -> None:
    lake = run(tmp_path, *ROWS, status("e9", 0, "applied", user_id="u2"))
    lake.replace("bronze", ERASURES, ERASURES.conform(pl.DataFrame({"user_id": ["u1"], "requested_at": [AS_OF]})))
    run(tmp_path)
    for table in TABLES:
        assert set(lake.scan("catalog", table).collect()["user_id"]) <= {"u2"}


@pytest.mark.parametrize(
    ("currency", "period", "expected"),
    [
        ("USD", "month", 100.0),
        ("USD", "hour", 16_400.0),
        (None, "month", None),
        ("USD", None, None),
        ("XXX", "month", None),
    ],
)
def test_an_offer_has_a_monthly_value_only_if_currency_and_period_are_known(
    currency: str | None, period: str | None, expected: float | None
) -> None:
    row = {"salary": 100.0, "currency": currency, "period": period, "updated_at": AS_OF}
    offers = OFFERS.conform(pl.DataFrame([row], schema_overrides={name: OFFERS.columns[name] for name in row}))
    assert with_monthly_value(offers, RATES)["monthly_usd"].to_list() == [expected]


def test_a_lake_without_a_log_has_empty_tables(tmp_path: Path) -> None:
    lake = run(tmp_path)
    for table in TABLES:
        assert lake.exists("catalog", table.name)
        assert lake.scan("catalog", table).collect().is_empty()


def tables(lake: Lake) -> dict[str, pl.DataFrame]:
    return {table.name: lake.scan("catalog", table).collect().sort(table.key) for table in TABLES}


@pytest.mark.parametrize("scopes", [("acted",), ("all",), ("acted", "all")])
def test_runs_for_the_changes_give_the_tables_of_a_run_for_everything(tmp_path: Path, scopes: tuple[str, ...]) -> None:
    """News of one user, a late event, somebody new, a deadline that passes, a step that falls due, somebody erased."""
    people = [{**row, "event_id": f"{row['event_id']}-{n}", "user_id": f"u{n}"} for n in range(1, 5) for row in ROWS]
    later = AS_OF + dt.timedelta(days=4)
    steps: list[tuple[list[Row], dt.datetime]] = [
        ([status("n0", 24 * 27, "applied", user_id="u8", job_id="hh:8")], AS_OF),
        ([], AS_OF + dt.timedelta(days=1, hours=12)),
        ([status("n1", 20, "interview", user_id="u2")], AS_OF + dt.timedelta(days=1, hours=12)),
        (
            [status("n2", 0.5, "screening", user_id="u3"), status("n3", 1, "saved", user_id="u9")],
            AS_OF + dt.timedelta(days=2),
        ),
        ([], AS_OF + dt.timedelta(days=3, hours=12)),
        ([status("n4", 24 * 29, "withdrawn", user_id="u4")], later),
    ]
    some, whole = tmp_path / "some", tmp_path / "whole"
    replace_jobs(Lake(some / "lake"), JOBS.empty())
    origins = origins_of(run(some, *people))
    for (rows, as_of), scope in zip(steps, itertools.cycle(scopes), strict=False):
        changed = tables(run(some, *rows, as_of=as_of, scope=scope))
    run(whole, *people, *(row for rows, _ in steps for row in rows), as_of=steps[-1][1])
    assert_same(changed, tables(Lake(whole / "lake")))
    request = ERASURES.conform(pl.DataFrame({"user_id": ["u1"], "requested_at": [later]}))
    for folder, scope in ((some, scopes[-1]), (whole, "all")):
        Lake(folder / "lake").replace("bronze", ERASURES, request)
        run(folder, as_of=later + dt.timedelta(days=2), scope=scope)
    found = tables(Lake(some / "lake"))
    assert_same(found, tables(Lake(whole / "lake")))
    assert "u1" not in set(found["applications"]["user_id"])
    assert origins_of(Lake(some / "lake")) == origins  # no run computed everything


def origins_of(lake: Lake) -> list[str]:
    """From which base the layers of each table are counted that a daily run does not compute as a whole."""
    return [mark_of(lake, "catalog", table.name)["base"] for table in (APPLICATION_EVENTS, INTERVIEWS, FOLLOW_UPS)]


def of_the_market(lake: Lake, *, title: str, country: str, language: str, percent: float | None) -> None:
    """What the tables read beside the log: jobs, users and exposures."""
    described = {"title": title, "company": "Acme", "country": country, "language": "en"}
    replace_jobs(lake, jobs([{"job_id": f"hh:{number}", **described} for number in (1, 2)]))
    users = LayeredTable(lake, "catalog", USERS, USERS.key)
    rows = USERS.conform(pl.DataFrame({"user_id": ["u3"], "language": [language], "timezone": ["Asia/Almaty"]}))
    if users.made_of is None:
        others = USERS.conform(pl.DataFrame({"user_id": ["u1", "u2"], "language": ["ru"] * 2}))
        users.replace(pl.concat([others, rows]), {})
    else:
        users.add(rows, USERS.empty(), {}, n_rows_before=1)
    shown = {"user_id": "u2", "job_id": "hh:1", "surface": "feed", "generation": "g", "shown_at": at(-9)}
    known = [{**shown, "score": percent}] if percent is not None else []
    types = {name: EXPOSURES.columns[name] for name in (*shown, "score")}
    lake.replace("insight", EXPOSURES, EXPOSURES.conform(pl.DataFrame(known, schema=types)))


def test_a_daily_run_finds_whom_jobs_profiles_exposures_and_nearness_concern(tmp_path: Path) -> None:
    rows = [
        status("e1", 0, "applied", user_id="u1", job_id="hh:1"),
        status("e2", 0, "applied", user_id="u2", job_id="hh:1"),
        status("e3", 24 * 27, "applied", user_id="u3", job_id="hh:3"),
        status("e4", 1, "", event_type="offer", state=None, action="received", offer_id="o1", user_id="u4",
               due_date=(AS_OF + dt.timedelta(days=402)).date()),
        status("e5", 1, "", event_type="interview", state=None, action="scheduled", interview_id="i1", user_id="u5",
               starts_at=AS_OF + dt.timedelta(days=100), duration_minutes=60 * 24 * 301),
        status("e6", 0, "applied", user_id="u6", job_id="hh:6"),
    ]  # fmt: skip
    before = {"title": "Cook", "country": "GB", "language": "ru", "percent": 0.5}
    some, whole = (Lake(tmp_path / name / "lake") for name in ("some", "whole"))
    of_the_market(some, **before)  # type: ignore[arg-type]
    origins = origins_of(run(some.root.parent, *rows))
    changes = [{"title": "Chef"}, {"country": "KZ"}, {"language": "en"}, {"percent": 0.7}, {"percent": None}, {}]
    for number, change in enumerate(changes):
        as_of = AS_OF + dt.timedelta(hours=20 * (number + 1))
        before |= change
        of_the_market(some, **before)  # type: ignore[arg-type]
        found = tables(run(some.root.parent, as_of=as_of))
        shutil.rmtree(whole.root, ignore_errors=True)
        of_the_market(whole, **before)  # type: ignore[arg-type]
        assert_same(found, tables(run(whole.root.parent, *rows, as_of=as_of)))
    assert origins_of(some) == origins
    assert {"u4", "u5"} <= set(found["follow_ups"]["user_id"])
    stored = user_table(some, FOLLOW_UPS)
    since = {**stored.mark, "sequence": stored.sequence - 1}
    changed = changed_since(some, "catalog", FOLLOW_UPS.name, since, "user_id")
    assert changed is not None and "u6" not in set(changed)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_tables_are_the_same_in_however_many_blocks_of_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    people = [{**row, "event_id": f"{row['event_id']}-{n}", "user_id": f"u{n}"} for n in range(5) for row in ROWS]
    steps = [(people, AS_OF), ([], AS_OF + dt.timedelta(days=40))]
    expected = [tables(run(tmp_path / "whole", *rows, as_of=as_of)) for rows, as_of in steps]
    refused = Lake(tmp_path / "whole/lake").scan("bronze", QUARANTINE).collect()
    assert len(expected[1]["follow_ups"]) and len(refused) == 5
    monkeypatch.setattr(applications, "USERS_AT_ONCE", at_once)
    monkeypatch.setattr(follow_ups, "_USERS_AT_ONCE", at_once)
    monkeypatch.setitem(cast("Any", application_updates.refresh).__kwdefaults__, "users_at_once", at_once)
    for (rows, as_of), of_all in zip(steps, expected, strict=True):
        lake = run(tmp_path / "blocks", *rows, as_of=as_of)
        assert_same(tables(lake), of_all)
    assert_frame_equal(lake.scan("bronze", QUARANTINE).collect(), refused)


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, table in expected.items():
        assert_frame_equal(found[name], table)


def test_a_run_for_the_changes_folds_only_who_has_news(tmp_path: Path) -> None:
    run(tmp_path, *ROWS, status("e9", 0, "applied", user_id="u2"))
    before = LayeredTable(Lake(tmp_path / "lake"), "catalog", APPLICATION_EVENTS, by=("user_id",)).sequence
    lake = run(tmp_path, status("n1", 5, "screening", user_id="u2"), scope="acted")
    newest = LayeredTable(lake, "catalog", APPLICATION_EVENTS, by=("user_id",)).newest(after=before)
    assert newest is not None
    assert set(newest.collect()["user_id"]) == {"u2"}


def test_a_step_that_falls_due_is_said_by_a_run_for_the_changes_to_whom_it_concerns(tmp_path: Path) -> None:
    quiet = status("e2", 24 * 20, "withdrawn", user_id="u2")
    before = run(tmp_path, status("e1", 24 * 26, "applied"), quiet, as_of=AS_OF)
    assert not before.scan("catalog", FOLLOW_UPS).collect()["is_due"].any()
    sequence = LayeredTable(before, "catalog", FOLLOW_UPS, by=("user_id",)).sequence
    lake = run(tmp_path, as_of=AS_OF + dt.timedelta(days=2), scope="acted")
    newest = LayeredTable(lake, "catalog", FOLLOW_UPS, by=("user_id",)).newest(after=sequence)
    assert newest is not None
    assert newest.filter("is_due").select("user_id", "sequence", "step").collect().rows() == [
        ("u1", "after_application", 1)
    ]
    assert set(newest.collect()["user_id"]) == {"u1"}


def test_an_interview_is_said_to_be_near_when_a_day_is_left(tmp_path: Path) -> None:
    talk = status("e1", 1, "", event_type="interview", state=None, action="scheduled", interview_id="i1",
                  starts_at=AS_OF + dt.timedelta(days=2))  # fmt: skip
    found = [run(tmp_path, talk).scan("catalog", INTERVIEWS).collect()["is_soon"][0]]
    for days in (1, 2):
        lake = run(tmp_path, as_of=AS_OF + dt.timedelta(days=days), scope="acted")
        found.append(lake.scan("catalog", INTERVIEWS).collect()["is_soon"][0])
    assert found == [False, True, False]


def test_drafts_are_in_the_language_of_the_job_and_hold_no_name_of_the_user(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    people = {
        "user_id": ["u1", "u2"],
        "full_name": ["Zoya Secret"] * 2,
        "language": ["ru", "ru"],
        "timezone": [None] * 2,
    }
    lake.replace("catalog", USERS, USERS.conform(pl.DataFrame(people)))
    jobs = {"job_id": ["hh:1"], "title": ["Cook"], "company": ["Acme"], "language": ["en"], "country": ["GB"]}
    lake.replace("catalog", JOBS, JOBS.conform(pl.DataFrame(jobs)))
    run(tmp_path, status("e1", 24 * 27, "applied"), status("e2", 24 * 27, "applied", user_id="u2", job_id="hh:2"))
    found = lake.scan("catalog", FOLLOW_UPS).filter(pl.col("step") == 1).collect()
    assert found["language"].to_list() == ["en", "ru"]
    assert "applied for Cook at Acme on 28 February" in found["text"][0]
    assert "«открытая позиция» в вашей компании" in found["text"][1]
    assert not any("Secret" in text for text in [*found["text"], *found["subject"]])


def test_what_is_stored_of_the_judge_of_replies_holds_no_password_and_differs_by_model() -> None:
    first, second = (Llm(base_url="https://ann:s3cret@llm.example.org/v1?key=s3cret", model=name) for name in "ab")
    assert "s3cret" not in judge_of(first)
    assert judge_of(first) != judge_of(second)
