import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.sources.hh.vacancies import MAX_ITEMS, parse_hh_bodies
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

OLD = {
    "id": "100", "name": "Аналитик данных", "area": {"id": "160", "name": "Алматы"},
    "salary": {"from": None, "to": 140000, "currency": "RUR", "gross": False},
    "address": {"city": "Алматы", "raw": "Алматы, Абая 1", "lat": 43.2, "lng": 76.9},
    "experience": {"id": "between1And3"}, "schedule": {"id": "remote"}, "employment": {"id": "full"},
    "employer": {"id": "7", "name": "Ромашка"}, "key_skills": [{"name": "SQL"}, {"name": "SQL"}, {"name": "Excel"}],
    "professional_roles": [{"id": "10", "name": "Аналитик"}], "description": "<p>Текст</p>", "archived": False,
    "alternate_url": "https://hh.kz/vacancy/100", "published_at": "2026-04-17T17:31:42+0300",
    "initial_created_at": "2025-11-11T17:41:18+0300",
}  # fmt: skip
NEW = {
    "id": "200", "name": "Developer", "area": {"id": "1", "name": "Москва"}, "address": None,
    "salary": {"from": 1, "to": 2, "currency": "RUR"},
    "salary_range": {"from": 500, "to": 700, "currency": "RUR", "gross": True, "mode": {"id": "HOUR"}},
    "work_format": [{"id": "REMOTE"}, {"id": "HYBRID"}], "employment_form": {"id": "PART"},
    "employment": {"id": "full"}, "schedule": {"id": "fullDay"}, "employer": {"name": "anonymous"}, "archived": "false",
    "description": "x",
}  # fmt: skip


def parse_hh(body: bytes) -> Parsed:
    return parse_hh_bodies([("", body)])


def parse_one(vacancy: object) -> dict[str, object]:
    parsed = parse_hh(json.dumps(vacancy).encode())
    assert parsed.rows.height == 1, parsed.rejects
    return parsed.rows.row(0, named=True)


def test_a_vacancy_of_the_old_shape_fills_its_columns() -> None:
    row = parse_one(OLD)
    expected = {
        "job_id": "hh:100", "is_complete": True, "title": "Аналитик данных", "company": "Ромашка", "company_id": "hh:7",
        "area_id": "160", "city": "Алматы", "latitude": 43.2, "longitude": 76.9, "work_format": "remote",
        "employment_type": "full", "experience": "between1And3", "salary_min": None, "salary_max": 140000.0,
        "salary_currency": "RUR", "salary_period": "month", "salary_gross": False, "skills": ["SQL", "Excel"],
        "professional_roles": ["Аналитик"], "is_archived": False, "url": "https://hh.kz/vacancy/100",
        "published_at": datetime(2026, 4, 17, 14, 31, 42, tzinfo=UTC),
        "initial_created_at": datetime(2025, 11, 11, 14, 41, 18, tzinfo=UTC),
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_a_vacancy_of_the_new_shape_goes_by_its_new_keys() -> None:
    row = parse_one(NEW)
    assert (row["salary_min"], row["salary_period"], row["salary_gross"]) == (500.0, "hour", True)
    assert (row["work_format"], row["employment_type"]) == ("REMOTE,HYBRID", "PART")
    assert (row["city"], row["company_id"], row["is_archived"]) == ("Москва", None, False)
    assert row["url"] == "https://hh.ru/vacancy/200"


def test_pay_is_read_from_the_field_that_has_amounts() -> None:
    nothing = {"from": None, "to": None, "currency": "RUR", "mode": {"id": "SHIFT"}}
    row = parse_one({**NEW, "salary_range": nothing, "salary": {"from": 10, "to": 20, "currency": "BYR"}})
    assert (row["salary_min"], row["salary_currency"], row["salary_period"]) == (10.0, "BYR", "month")
    row = parse_one({**NEW, "salary_range": nothing, "salary": None})
    assert [row[name] for name in ("salary_min", "salary_max", "salary_currency", "salary_period")] == [None] * 4


def test_required_languages_are_skills() -> None:
    english = {"id": "eng", "name": "Английский", "level": {"id": "b2", "name": "B2"}}
    assert parse_one({**OLD, "languages": [english]})["skills"] == ["SQL", "Excel", "Английский"]
    assert parse_one({**OLD, "key_skills": None, "languages": [english, None, 7]})["skills"] == ["Английский"]


def test_a_vacancy_of_nulls_is_still_a_vacancy() -> None:
    nulls = dict.fromkeys([*OLD, *NEW, "branded_description", "languages", "snippet", "internship", "archived"])
    row = parse_one({**nulls, "id": "300", "name": "Кассир"})
    filled = {name for name, value in row.items() if value is not None}
    assert filled == {"job_id", "source", "source_id", "content_hash", "title", "url", "is_complete"}
    assert row["is_complete"] is False


def test_branded_descriptions_are_ignored() -> None:
    assert parse_one({**OLD, "branded_description": "<script>alert(1)</script>"})["description"] == "<p>Текст</p>"


@pytest.mark.parametrize("mode", ["SHIFT", "SERVICE", "FLY_IN_FLY_OUT"])
def test_pay_that_is_not_monthly_keeps_its_period(mode: str) -> None:
    assert parse_one({**NEW, "salary_range": {"from": 5, "mode": {"id": mode}}})["salary_period"] == mode.lower()


def test_items_of_a_search_page_are_not_complete_and_lose_highlighting() -> None:
    listed = {key: value for key, value in OLD.items() if key not in ("description", "key_skills")}
    snippet = {"requirement": "Знание <highlighttext>SQL</highlighttext>", "responsibility": None}
    page = {
        "items": [{**listed, "snippet": snippet}, {**listed, "id": "101", "archived": True}],
        "found": 2,
        "pages": 1,
    }
    rows = parse_hh(json.dumps(page).encode()).rows
    assert rows["is_complete"].to_list() == [False, False] and rows["description"].to_list() == ["Знание SQL", None]
    assert rows["is_archived"].to_list() == [False, True]


def test_an_empty_page_is_no_failure() -> None:
    parsed = parse_hh(b'{"items": [], "found": 0, "pages": 0}')
    assert (parsed.rows.height, parsed.rejects.height) == (0, 0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"errors": [{"type": "captcha_required"}], "request_id": "1"}', "hh_error"),
        (b'{"errors": [{"type": "not_found"}], "description": "Not Found"}', "hh_error"),
        (b'{"description": "x", "bad_argument": "page"}', "hh_error"),
        (b"<html>ddos-guard</html>", "bad_json"),
        (b"", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b"17", "bad_shape"),
        (b"{}", "bad_shape"),
        (b'{"id": null, "name": "x"}', "missing_id"),
        (b'{"id": "../1", "name": "x"}', "missing_id"),
        (b'{"id": "1", "name": " "}', "missing_title"),
    ],
)
def test_what_is_no_vacancy_is_one_reject_with_its_reason(body: bytes, reason: str) -> None:
    parsed = parse_hh(body)
    assert parsed.rows.is_empty() and parsed.rejects["reason"].to_list() == [reason]


def test_a_bad_item_takes_no_good_one_with_it() -> None:
    parsed = parse_hh(json.dumps({"items": [1, OLD, {"id": "3"}, None]}).encode())
    assert parsed.rows["job_id"].to_list() == ["hh:100"]
    assert parsed.rejects["entry"].to_list() == ["item 0", "item 2", "item 3"]


@pytest.mark.parametrize("shape", [b"[%s]", b'{"items": [%s]}'])
def test_a_body_of_too_many_items_is_one_reject(shape: bytes) -> None:
    parsed = parse_hh_bodies([("a", shape % b",".join([b"{}"] * (MAX_ITEMS + 1)))])
    assert parsed.rejects.select("entry", "reason").rows() == [("a body", "too_many_items")]
    assert parse_hh_bodies([("a", shape % b",".join([b"{}"] * 3))]).rejects.height == 3


def test_many_bodies_give_what_each_gives_alone() -> None:
    bodies = [json.dumps(OLD).encode(), b"x", json.dumps(NEW).encode()]
    together = parse_hh_bodies([(f"f{n}", body) for n, body in enumerate(bodies)])
    assert together.rows.equals(parse_hh(bodies[0]).rows.vstack(parse_hh(bodies[2]).rows))
    assert together.rejects["entry"].to_list() == ["f1 body"]


values = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.none() | st.integers(), max_size=2)
)


@given(
    changes=st.dictionaries(
        st.sampled_from(sorted(OLD | NEW)), values | st.dictionaries(st.just("id"), values), max_size=6
    )
)
@settings(max_examples=100, deadline=None)
def test_fields_of_wrong_types_never_raise_or_lose_the_vacancy(changes: dict[str, object]) -> None:
    parsed = parse_hh(json.dumps({"items": [{**OLD, **NEW, **changes}]}).encode())
    assert parsed.rows.height + parsed.rejects.height == 1
    PARSED_POSTINGS.validate(parsed.rows)


@given(st.binary(max_size=200))
@example(b'{"items": [{"id": 1e400}]}')
@example(b'[null,"",[]]')
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_row_or_a_reject_an_entry(body: bytes) -> None:
    parsed = parse_hh(body)
    PARSED_POSTINGS.validate(parsed.rows)
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    n_entries = len(document) if isinstance(document, list) else 1
    assert parsed.rows.height + parsed.rejects.height == n_entries
