"""Applications, interviews and offers as they stand."""

import datetime as dt

import polars as pl
import pytest

from features.applications import summaries
from features.schemas.catalog import APPLICATIONS, INTERVIEWS, JOBS, OFFERS
from tests.features.applications.test_folding import AS_OF, SETTINGS, Row, at, fold, status


def jobs(*rows: Row) -> pl.LazyFrame:
    known = [{"status": "open", **row} for row in rows]
    return JOBS.conform(pl.DataFrame(known, schema_overrides=JOBS.columns)).lazy() if rows else JOBS.empty().lazy()


def stands(*rows: Row, of_jobs: pl.LazyFrame | None = None, as_of: dt.datetime = AS_OF) -> dict[str, object]:
    timelines = fold(*rows)
    found = summaries.applications(
        timelines,
        summaries.interviews(timelines),
        summaries.offers(timelines),
        jobs() if of_jobs is None else of_jobs,
        silent_after_days=SETTINGS.silent_after_days,
        as_of=as_of,
    )
    APPLICATIONS.validate(found)
    return found.row(0, named=True)


def interview(event_id: str, hours: float, action: str, **fields: object) -> Row:
    return status(event_id, hours, "", **{"event_type": "interview", "state": None, "action": action,
                                          "interview_id": "i1", **fields})  # fmt: skip


def offer(event_id: str, hours: float, action: str, **fields: object) -> Row:
    return status(event_id, hours, "", **{"event_type": "offer", "state": None, "action": action, "offer_id": "o1",
                                          **fields})  # fmt: skip


def test_state_since_is_when_the_state_began_and_not_when_it_was_told_again() -> None:
    found = stands(status("e1", 0, "saved"), status("e2", 5, "applied"), status("e3", 9, "applied"))
    assert (found["state"], found["state_since"], found["last_event_at"]) == ("applied", at(5), at(9))
    assert found["applied_at"] == at(5)


@pytest.mark.parametrize(
    ("states", "applied_at"),
    [(["saved", "preparing"], None), (["saved", "withdrawn"], None), (["interview"], at(0)), (["rejected"], at(0))],
)
def test_applied_is_from_when_the_employer_could_know_of_it(states: list[str], applied_at: dt.datetime | None) -> None:
    assert stands(*(status(f"e{n}", n, state) for n, state in enumerate(states)))["applied_at"] == applied_at


def test_without_news_an_application_is_silent_and_its_state_stays() -> None:
    told = [status("e1", 0, "applied")]
    assert stands(*told, as_of=at(14 * 24))["is_silent"] is False
    late = stands(*told, as_of=at(14 * 24 + 1))
    assert (late["is_silent"], late["state"]) == (True, "applied")
    assert stands(*told, status("e2", 20, "rejected"))["is_silent"] is False
    assert stands(*told, status("e2", 27 * 24, "", event_type="note", state=None, text="called"))["is_silent"] is False


def test_what_comes_next_is_the_earliest_thing_that_is_still_to_come() -> None:
    later = AS_OF + dt.timedelta(days=3)
    rows = [
        status("e1", 0, "applied"),
        interview("e2", 1, "scheduled", starts_at=later),
        status("e3", 2, "", event_type="deadline", state=None, due_date=dt.date(2026, 3, 2), kind="documents"),
        status("e4", 3, "", event_type="reminder", state=None, remind_at=AS_OF + dt.timedelta(days=9), text="x"),
    ]
    found = stands(*rows)
    assert (found["next_action"], found["next_action_at"]) == ("deadline", dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
    moved = stands(*rows, status("e5", 4, "", event_type="deadline", state=None, due_date=dt.date(2026, 3, 20),
                                 kind="documents"))  # fmt: skip
    assert (moved["next_action"], moved["next_action_at"]) == ("interview", later)
    off = stands(*rows[:2], interview("e6", 5, "cancelled"))
    assert off["next_action"] is None
    assert stands(*rows, status("e7", 6, "rejected"))["next_action"] is None


def test_the_newest_word_on_an_interview_counts_and_every_change_is_a_revision() -> None:
    rows = [
        interview("e1", 0, "scheduled", starts_at=at(100), kind="video", duration_minutes=30),
        interview("e2", 1, "rescheduled", starts_at=at(200)),
        interview("e3", 300, "completed", outcome="passed", text="Fine."),
    ]
    found = summaries.interviews(fold(*rows))
    INTERVIEWS.validate(found)
    row = found.row(0, named=True)
    assert (row["status"], row["starts_at"], row["kind"], row["duration_minutes"]) == (
        "completed",
        at(200),
        "video",
        30,
    )
    assert (row["outcome"], row["feedback"], row["revision"], row["updated_at"]) == ("passed", "Fine.", 2, at(300))


def test_pay_currency_and_period_come_from_one_event() -> None:
    rows = [
        offer("e1", 0, "received", salary=100.0, currency="USD", period="hour", due_date=dt.date(2026, 3, 9)),
        offer("e2", 1, "countered", salary=9_000.0),
    ]
    row = summaries.offers(fold(*rows)).row(0, named=True)
    assert (row["status"], row["salary"], row["currency"], row["period"]) == ("countered", 9_000.0, None, None)
    assert row["deadline"] == dt.date(2026, 3, 9)


def test_what_is_known_of_the_job_wins_over_what_the_app_says() -> None:
    known = jobs({"job_id": "hh:1", "title": "Data Engineer", "company": "Acme", "company_id": "7"})
    found = stands(status("e1", 0, "applied", title="DE", company="ACME?", url="https://a.example"), of_jobs=known)
    assert (found["title"], found["company"], found["company_id"]) == ("Data Engineer", "Acme", "7")
    assert found["url"] == "https://a.example"
    elsewhere = stands(status("e1", 0, "applied", job_id=None, title="Cook"))
    assert (elsewhere["title"], elsewhere["job_id"]) == ("Cook", None)


@pytest.mark.parametrize(("n_others", "expected"), [(10, 0.45), (9, None)])
def test_an_offer_has_its_place_among_ten_salaries_or_none(n_others: int, expected: float | None) -> None:
    def job(name: str, usd: float | None, role: str = "cook", **fields: object) -> Row:
        return {"job_id": name, "country": "KZ", "professional_roles": [role], "salary_monthly_usd_min": usd, **fields}

    others = [job(f"j{n}", 1_000.0 + 100 * n) for n in range(n_others)]
    noise = [job("x1", 9.0, "clerk"), job("x2", 9.0, status="closed"), job("x3", 9.0, duplicate_of="j1"),
             job("x4", 9.0, country="RU"), job("x5", None)]  # fmt: skip
    market = jobs(*others, *noise, job("hh:1", None))
    rows = fold(offer("e1", 0, "received", salary=1_400.0, currency="USD", period="month"))
    offered = summaries.offers(rows).with_columns(monthly_usd=pl.lit(1_400.0))
    found = summaries.market_places(offered, market, rows.select("user_id", "application_id", "job_id"))
    OFFERS.validate(found)
    assert found["n_compared"].to_list() == [n_others]
    assert found["market_percentile"].to_list() == [expected]
