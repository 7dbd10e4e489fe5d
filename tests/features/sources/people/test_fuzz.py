"""Users, erasures and resumes mutated: rows or rejects, fields or a reason."""

import datetime as dt
import io
import re
from dataclasses import asdict

import docx
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.schemas.bronze import ERASURES, RESUMES, USER_RECORDS
from features.sources.people.users import parse_erasures, parse_users
from features.sources.resumes.fields import ResumeError
from tests.features.sources.fuzzing import FUZZ, NASTY_TEXTS, check, dumped, json_bodies, mutated_bytes
from tests.features.sources.people.test_users import USER
from tests.features.sources.resumes.samples import SAMPLES
from tests.features.sources.resumes.test_parsing import (
    AS_OF,
    ENGLISH,
    RUSSIAN,
    Vocabulary,
    docx_bytes,
    parse_resume,
    pdf_bytes,
)

FULL_USER = {
    **USER,
    "email": "a@b.example",
    "phone": "+1",
    "locale": "ru-RU",
    "timezone": "Asia/Almaty",
    "city": "Almaty",
    "country": "KZ",
    "max_distance_km": 10,
    "skill_categories": ["programming"],
    "professions": "a; b",
    "years_of_experience": 3,
    "career_level": "senior",
    "salary_max": 5,
    "salary_period": "month",
    "job_types": ["full"],
    "preferred_tags": ["a"],
    "blocked_tags": None,
    "blocked_companies": ["x"],
    "strengths": [{"skill": "SQL", "score": 90}],
    "weaknesses": ["CSS"],
    "languages": [{"language": "ru"}],
    "summary": "s",
    "work_authorization": ["KZ"],
}
RESUME = {
    "basics": {
        "name": "Anna",
        "label": "Driver",
        "email": "a@b.example",
        "summary": "x",
        "location": {"city": "Omsk", "countryCode": "RU"},
    },
    "work": [
        {"name": "Acme", "position": "Chief", "startDate": "2020", "endDate": "2021-07", "highlights": ["python"]}
    ],
    "education": [{"studyType": "BSc", "institution": "Leeds", "startDate": "2010-09-01"}],
    "skills": [{"name": "Data", "level": "Master", "keywords": ["python"]}],
    "languages": [{"language": "English"}],
}
TEXTS = (ENGLISH.encode(), RUSSIAN.encode(), *(text.encode() for _, text, _ in SAMPLES.values()))
PDF, DOCX = pdf_bytes("Anna Smith\nSkills\nPython, SQL (3 years)\nExperience\nDriver at Acme 2019 - 2020"), docx_bytes()


def table_docx() -> bytes:
    document = docx.Document()
    document.sections[0].header.add_paragraph("Anna Smith")
    document.add_table(2, 2).cell(0, 0).add_table(1, 1).cell(0, 0).text = "Skills: Python, SQL and much more"
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def check_resume(body: bytes, suffix: str) -> None:
    """Fields that fit the table, the same twice, or a reason; nothing that the text does not hold."""
    try:
        fields = parse_resume(body, suffix, skills=Vocabulary(), as_of=AS_OF)
    except ResumeError as error:
        assert re.fullmatch(r"[a-z_]{5,20}", error.reason)
        return
    assert fields == parse_resume(body, suffix, skills=Vocabulary(), as_of=AS_OF)
    row = {**asdict(fields), "user_id": "u", "parsed_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "content_hash": "h"}
    RESUMES.conform(pl.DataFrame([row], schema_overrides={name: RESUMES.columns[name] for name in row}))
    assert fields.years_of_experience is None or 0 < fields.years_of_experience <= 150
    assert all(skill["years"] is None or 0 <= skill["years"] <= 80 for skill in fields.skills or [])  # type: ignore[operator]


@given(json_bodies(USER, FULL_USER))
@FUZZ
def test_users_of_any_json_are_rows_or_rejects_and_take_no_good_one_with_them(body: bytes) -> None:
    good = [dumped({**FULL_USER, "user_id": name}) for name in ("good-1", "good-2")]
    parsed = check(parse_users, good[0] + b"\n" + body + b"\n" + good[1], USER_RECORDS)
    assert {"good-1", "good-2"} <= set(parsed.rows["user_id"])


@given(json_bodies({"user_id": "u1", "requested_at": "2026-11-01T10:00:00+03:00"}))
@FUZZ
def test_erasures_of_any_json_are_rows_or_rejects(body: bytes) -> None:
    parsed = check(parse_erasures, body, ERASURES)
    assert parsed.rows.height + parsed.rejects.height == sum(
        bool(each.strip()) for each in body.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    )


@given(mutated_bytes(TEXTS), st.sampled_from([".txt", ".md"]))
@FUZZ
def test_resume_texts_give_fields_or_a_reason(body: bytes, suffix: str) -> None:
    check_resume(body, suffix)


@given(
    st.lists(
        st.sampled_from(
            [
                *"\n,;:|—-•()",
                *NASTY_TEXTS,
                "Experience",
                "Навыки",
                "Jan 2020",
                "present",
                "по",
                "2019",
                "Python",
                "5 years",
                "Driver",
                "at",
                "English",
                "опыт",
                "   ",
                "# ",
                "| a | 5 |",
                "---|---",
            ]
        ),
        max_size=60,
    )
)
@FUZZ
def test_words_of_resumes_in_any_order_give_fields_or_a_reason(words: list[str]) -> None:
    check_resume(" ".join(words).encode("utf-8", "replace"), ".md")


@given(json_bodies(RESUME))
@FUZZ
def test_json_resumes_give_fields_or_a_reason(body: bytes) -> None:
    check_resume(body, ".json")


@given(mutated_bytes((PDF,)))
@FUZZ
def test_pdf_resumes_give_fields_or_a_reason(body: bytes) -> None:
    check_resume(body, ".pdf")


@given(mutated_bytes((DOCX, table_docx())))
@FUZZ
def test_docx_resumes_give_fields_or_a_reason(body: bytes) -> None:
    check_resume(body, ".docx")
