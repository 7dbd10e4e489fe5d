import datetime as dt

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.config.pipeline import DigestSettings
from assets.digests.rendering import MAX_HTML_BYTES, render
from assets.digests.selection import digest_items, due_users, sent_items
from features.schemas.catalog import USERS
from features.schemas.insight import DIGEST_ITEMS
from models.explanations.names import Names
from tests.factories import AS_OF, JOB_IDS, feeds, jobs


def users(**columns: list[object]) -> pl.LazyFrame:
    return USERS.conform(pl.DataFrame(columns, schema_overrides={"digest_frequency": pl.String})).lazy()


def items_for(sent: pl.DataFrame | None = None, *, as_of: dt.datetime = AS_OF, **changes: int) -> pl.DataFrame:
    due = pl.DataFrame({"user_id": ["anna"], "language": ["en"], "digest_date": [as_of.date()]})
    company_cap = changes.pop("company_cap", 3)
    limits = DigestSettings.model_validate({"min_match_percent": 0} | changes)
    return digest_items(
        due,
        feeds({"anna": JOB_IDS, "other": JOB_IDS}).lazy(),
        jobs().lazy(),
        (sent if sent is not None else DIGEST_ITEMS.empty()).lazy(),
        as_of=as_of,
        settings=limits,
        company_cap=company_cap,
    )


def sent(*job_ids: str, made_at: dt.datetime) -> pl.DataFrame:
    rows = [{"user_id": "anna", "job_id": job, "digest_date": made_at.date(), "made_at": made_at} for job in job_ids]
    return DIGEST_ITEMS.conform(pl.DataFrame(rows))


def test_daily_digests_are_due_every_day_and_weekly_ones_on_local_mondays() -> None:
    # 2026-03-01 is a Sunday in UTC; at 20:00 UTC it is Monday in Almaty (UTC+5).
    people = users(
        user_id=["a", "b", "c", "d", "e"],
        digest_frequency=["daily", "weekly", "weekly", "none", "weekly"],
        timezone=["UTC", "Asia/Almaty", "UTC", "UTC", "No/Such_Place"],
    )
    due = due_users(people, as_of=AS_OF.replace(hour=20))
    assert due["user_id"].to_list() == ["a", "b"]
    assert due["digest_date"].to_list() == [dt.date(2026, 3, 1), dt.date(2026, 3, 2)]


def test_items_come_in_feed_order_without_seen_ones() -> None:
    assert items_for()["job_id"].to_list() == ["hh:1", "hh:3", "hh:4", "hh:5", "hh:6", "hh:7", "hh:8"]
    assert items_for(items=2)["place"].to_list() == [1, 2]


def test_a_job_is_never_sent_twice_within_thirty_days() -> None:
    # Sent before any of the jobs was first seen, so that only the rule about repeats can leave one out.
    before = AS_OF - dt.timedelta(days=20)
    assert "hh:1" not in items_for(sent("hh:1", made_at=before))["job_id"].to_list()
    long_ago = AS_OF - dt.timedelta(days=31)
    assert "hh:1" in items_for(sent("hh:1", made_at=long_ago))["job_id"].to_list()


def test_only_jobs_new_since_the_last_digest_come() -> None:
    last = AS_OF - dt.timedelta(days=3, hours=12)
    assert items_for(sent("hh:99", made_at=last))["job_id"].to_list() == ["hh:1", "hh:3"]


def test_matches_and_companies_are_bounded() -> None:
    bounded = items_for(min_match_percent=60)
    assert bounded["job_id"].to_list() == ["hh:1", "hh:3"]
    assert bounded["total_new_jobs"].to_list() == [7, 7]
    assert bounded["total_matches"].to_list() == [2, 2]
    assert items_for(company_cap=1)["job_id"].to_list() == ["hh:1", "hh:3", "hh:4", "hh:6"]


def test_what_was_sent_is_remembered_by_user_and_job() -> None:
    due = pl.DataFrame({"user_id": ["anna"], "language": ["en"], "digest_date": [AS_OF.date()]})
    remembered = sent_items(items_for(items=2), due, as_of=AS_OF)
    assert remembered.select("user_id", "job_id").rows() == [("anna", "hh:1"), ("anna", "hh:3")]


def card(**changes: object) -> dict[str, object]:
    return {
        "title": "Python-разработчик",
        "company": "R&D <Labs>",
        "city": "Almaty",
        "work_format": "remote",
        "url": "https://hh.ru/vacancy/1",
        "salary_min": 500_000.0,
        "salary_max": None,
        "salary_currency": "KZT",
        "salary_period": "month",
        "score": 0.87,
        "source": "hh",
        "reasons": [{"code": "skills", "ref": "Python", "value": 1.0}],
        "total_new_jobs": 5,
        "total_matches": 3,
    } | changes


def rendered(items: list[dict[str, object]], language: str = "ru"):  # type: ignore[no-untyped-def]
    return render(
        items,
        language=language,
        trends=[{"name": "SQL", "n_jobs": 7, "change": None}],
        skills=["Docker"],
        titles={"hh:7": "Saved job"},
        names=Names([("skill", "Docker", "ru", "Докер")]),
        unsubscribe_url="https://example.org/u/token",
    )


def test_a_digest_speaks_the_language_of_its_user() -> None:
    russian, english = rendered([card()]), rendered([card()], "en")
    assert russian.title == "1 новая вакансия для вас"
    assert "удалённо" in russian.html and "от 500\u202f000 KZT в месяц" in russian.text
    assert "Докер" in russian.text and "Docker" in english.text
    assert english.title == "1 new job for you"
    assert "from 500\u202f000 KZT a month" in english.text
    assert "https://example.org/u/token" in english.html


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=200))
def test_job_text_can_not_become_markup(text: str) -> None:
    hostile = f"<script>alert(1)</script>{text}"
    html = rendered([card(title=hostile, company=hostile, city=hostile)]).html
    assert "<script" not in html


def test_the_text_has_a_line_for_each_thing() -> None:
    lines = rendered([card(), card(title="Second")], "en").text.splitlines()
    assert lines[0] == "2 new jobs for you"
    assert "1. Python-разработчик (87 %)" in lines
    assert "   R&D <Labs> · Almaty · remote" in lines
    assert "   - Matches your skills: Python" in lines
    assert "   https://hh.ru/vacancy/1" in lines
    assert "2. Second (87 %)" in lines
    assert "  SQL: 7 open jobs" in lines
    assert lines[-1].startswith("Unsubscribe: https://")


def test_a_link_that_is_not_http_is_left_out() -> None:
    html = rendered([card(url="javascript:alert(1)")]).html
    assert "javascript:" not in html
    assert "Python-разработчик" in html


def test_the_page_stays_below_what_mail_programs_show() -> None:
    many = [card(title="&" * 150, company="&" * 4000) for _ in range(20)]
    assert len(rendered(many).html.encode()) < MAX_HTML_BYTES
