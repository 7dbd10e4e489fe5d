import io
import json
import zipfile
from datetime import UTC, datetime

import docx
import polars as pl
import pypdf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.sources.resumes import docx_text
from features.sources.resumes import files as resume_files
from features.sources.resumes.dates import find_periods, stated_years
from features.sources.resumes.fields import ResumeError, ResumeFields
from features.sources.resumes.parsing import SkillFinder, resume_fields, total_years
from features.sources.resumes.reading import read_resume
from features.vocabulary.places import Gazetteer

AS_OF = datetime(2026, 11, 20, tzinfo=UTC)
ENGLISH = """Anna Smith
anna.smith@mail.example | +44 20 7946 0958
Skills: Python, sql; Team building
Work Experience
Senior Developer — Acme Labs (Jan 2020 – Jan 2022)
• Led 3 people in 2021
Analyst at Beta Bank, 03/2018 - 01/2020
EDUCATION
BSc Mathematics, Leeds, 2014-2018
Languages
English — native, Russian (B2)
"""
RUSSIAN = """Иванов Иван Петрович
Желаемая должность: Водитель
Город: Казань, готов к переезду
8 (912) 555-43-21
Опыт работы
Март 2019 — по настоящее время
ООО «Ромашка»
Водитель-экспедитор
2016 – 2018
Ведущий программист, Яндекс
Ключевые навыки
Python, вождение
"""


class Vocabulary:
    """Two skills, found by their lower-case spelling."""

    _names = {"python": "Python", "sql": "SQL"}  # noqa: RUF012

    def canonical_names(self, names: pl.Series) -> pl.Series:
        return pl.Series([self._names.get(name.lower()) for name in names], dtype=pl.String)

    def find(self, texts: pl.Series) -> pl.Series:
        found = [[name for key, name in self._names.items() if key in str(text).lower()] for text in texts]
        return pl.Series(found, dtype=pl.List(pl.String))


class Places:
    """Three cities and two wider places, found by their names between commas."""

    _cities = {"springfield": "US", "berlin": "DE", "казань": "RU"}  # noqa: RUF012
    _wider = {"il": "US", "germany": "DE"}  # noqa: RUF012
    written_names = frozenset([*_cities, *_wider])

    def resolve(self, frame: pl.DataFrame) -> pl.DataFrame:
        rows = []
        for text in frame["text"]:
            parts = [part.strip().lower() for part in text.split(",")]
            city = next((part for part in parts if part in self._cities), None)
            country = self._cities.get(city or "") or next((self._wider[p] for p in parts if p in self._wider), None)
            rows.append((city and city.title(), None, country, None, None))
        return pl.DataFrame(rows, schema=["city", "region", "country", "latitude", "longitude"], orient="row")


def parse_resume(
    body: bytes,
    suffix: str,
    *,
    skills: SkillFinder,
    places: Places | Gazetteer | None = None,
    as_of: datetime | None = None,
) -> ResumeFields:
    gazetteer = places or Places()
    read = read_resume(body, suffix, places=gazetteer.written_names)
    return resume_fields([read], skills=skills, places=gazetteer, as_of=as_of)[0]


def parse(body: str | bytes, suffix: str = ".txt") -> ResumeFields:
    return parse_resume(body.encode() if isinstance(body, str) else body, suffix, skills=Vocabulary(), as_of=AS_OF)


def skill_names(fields: ResumeFields) -> list[object]:
    return [skill["name"] for skill in fields.skills or []]


def test_an_english_resume_is_read_by_its_sections() -> None:
    fields = parse(ENGLISH)
    assert (fields.full_name, fields.email) == ("Anna Smith", "anna.smith@mail.example")
    assert fields.phone == "+44 20 7946 0958"
    assert (fields.titles, fields.companies) == (["Senior Developer", "Analyst"], ["Acme Labs", "Beta Bank"])
    assert skill_names(fields) == ["Python", "SQL", "Team building"]
    assert fields.years_of_experience == 3.8
    assert fields.education == ["BSc Mathematics, Leeds, 2014-2018"] and fields.languages == ["English", "Russian"]


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "utf-16"])
def test_a_russian_resume_is_read_by_its_sections(encoding: str) -> None:
    fields = parse(RUSSIAN.encode(encoding))
    assert (fields.full_name, fields.city, fields.phone) == ("Иванов Иван Петрович", "Казань", "8 (912) 555-43-21")
    assert fields.titles == ["Водитель", "Водитель-экспедитор", "Ведущий программист"]
    assert fields.companies == ["ООО «Ромашка»", "Яндекс"]
    assert skill_names(fields) == ["Python", "вождение"]
    assert fields.years_of_experience == pytest.approx(7.7 + 2, abs=0.1)


def test_nothing_is_invented() -> None:
    fields = parse("Some words about a garden, flowers and the weather of the last summer at the sea side.")
    assert fields == ResumeFields()


def test_ongoing_employment_counts_only_up_to_a_known_day() -> None:
    resume = b"Experience\nDriver, Acme, Jan 2020 - present\nand some more words to read"
    assert parse(resume).years_of_experience == 6.8
    assert parse_resume(resume, ".txt", skills=Vocabulary()).years_of_experience is None


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("7+ years of experience", 7), ("over 10 years of commercial experience", 10), ("Experience: 3 years", 3),
        ("опыт работы более 6 лет", 6), ("Опыт 2 года", 2), ("12 лет опыта", 12), ("experience of 900 years", None),
        ("10 years old company", None),
    ],
)  # fmt: skip
def test_years_that_the_text_states_are_used(text: str, years: int | None) -> None:
    assert stated_years(text) == years


def test_overlapping_employment_counts_once() -> None:
    assert total_years([(0, 24), (12, 36), (60, 72)], now=None) == 4.0
    assert total_years([], now=5) is None


@pytest.mark.parametrize(
    "text",
    ["01.2020 - 03.2021", "Jan 2020 – Mar 2021", "январь 2020 — март 2021", "2020-01 to 2021-03", "1/2020-3/2021"],
)
def test_date_ranges_are_found_however_they_are_written(text: str) -> None:
    (period,) = find_periods(text)
    assert (period.first_month, period.last_month) == (2020 * 12, 2021 * 12 + 2)


def test_markdown_marks_are_left_out() -> None:
    fields = parse(
        "# Anna Smith\n\n## **Skills**\n- `Python`\n- [SQL](https://x.example)\n\nplenty of text here", ".md"
    )
    assert fields.full_name == "Anna Smith" and skill_names(fields)[:2] == ["Python", "SQL"]


def test_json_resumes_are_read_with_levels_and_partial_dates() -> None:
    resume = {
        "basics": {"name": "Anna", "label": "Driver", "location": {"city": "Omsk", "countryCode": "RU"}},
        "work": [{"name": "Acme", "position": "Chief", "startDate": "2020", "endDate": "2021-07"},
                 {"startDate": "2026-05"}],
        "skills": [{"name": "Data", "level": "Master", "keywords": ["python"]}],
        "education": [{"studyType": "BSc", "institution": "Leeds"}], "languages": [{"language": "English"}],
    }  # fmt: skip
    fields = parse(json.dumps(resume), ".json")
    assert (fields.full_name, fields.city, fields.country) == ("Anna", "Omsk", "RU")
    assert (fields.titles, fields.companies, fields.years_of_experience) == (["Driver", "Chief"], ["Acme"], 2.0)
    assert fields.skills == [
        {"name": "Python", "level": "master", "years": None},
        {"name": "Data", "level": "master", "years": None},
    ]
    assert fields.education == ["BSc, Leeds"] and fields.languages == ["English"]


def test_groups_and_words_between_skills_are_no_skills() -> None:
    fields = parse("Anna Smith\nSkills\nMain   Python, SQL\nOver 5000 lines:\nGo, Kotlin, and Excel\nи вождение")
    assert skill_names(fields) == ["Python", "SQL", "Go", "Kotlin", "Excel", "вождение"]


def docx_bytes() -> bytes:
    document = docx.Document()
    document.add_paragraph("Anna Smith")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Skills", "Python, SQL"
    document.add_paragraph("Experience")
    document.add_paragraph("Accountant at Acme Ltd, 03/2018 - 03/2021")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def pdf_bytes(text: str | None) -> bytes:
    """A PDF of one page, without text if None."""
    content = (
        ""
        if text is None
        else "BT /F1 12 Tf 50 700 Td 14 TL " + " ".join(f"({one}) Tj T*" for one in text.split("\n")) + " ET"
    )
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    tail = f"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF"
    return f"{body}xref\n0 6\n0000000000 65535 f \n{table}{tail}".encode()


def test_docx_tables_are_read() -> None:
    fields = parse(docx_bytes(), ".DOCX")
    assert skill_names(fields) == ["Python", "SQL"]
    assert (fields.titles, fields.companies, fields.years_of_experience) == (["Accountant"], ["Acme Ltd"], 3.0)


def test_pdf_text_is_read() -> None:
    fields = parse(pdf_bytes("Anna Smith\nSkills\nPython and SQL\nDriver at Acme"), ".pdf")
    assert fields.full_name == "Anna Smith" and skill_names(fields)[-2:] == ["Python", "SQL"]


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"a" * 3_000_000)
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "suffix", "reason"),
    [
        (b"too short", ".txt", "no_text"),
        (b"plain text that is long enough to be read", ".exe", "unknown_format"),
        (b"%PDF-1.4 nothing", ".pdf", "unreadable"),
        (b"PK nothing", ".docx", "unreadable"),
        (pdf_bytes(None), ".pdf", "no_text"),
        (b"{", ".json", "bad_json"),
        (b"[]", ".json", "bad_json"),
        (b"{}", ".json", "no_text"),
    ],
)
def test_what_can_not_be_read_is_refused_with_a_code(body: bytes, suffix: str, reason: str) -> None:
    with pytest.raises(ResumeError) as caught:
        parse(body, suffix)
    assert caught.value.reason == reason


def test_size_is_capped_before_and_after_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_text, "MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(ResumeError, match="too_large"):
        parse(bomb(), ".docx")
    monkeypatch.setattr(resume_files, "MAX_BYTES", 10)
    with pytest.raises(ResumeError, match="too_large"):
        parse(ENGLISH)


def test_only_so_many_pages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = pypdf.PdfWriter()
    for text in ("Anna Smith is on the first page", "Python is on the second page"):
        writer.append(io.BytesIO(pdf_bytes(text)))
    file = io.BytesIO()
    writer.write(file)
    monkeypatch.setattr(resume_files, "MAX_PAGES", 1)
    assert parse(file.getvalue(), ".pdf").skills is None


@given(st.text(max_size=300))
@example("Experience\nDriver, 2020 - 2019\n" + "a" * 50)
@example("Skills:\n" + ",\n" * 200 + "abcdefghijklmnopqrstuvwxyz")
@settings(max_examples=150, deadline=None)
def test_any_text_gives_fields_or_a_code(text: str) -> None:
    try:
        parse(text.encode("utf-8", "replace"))
    except ResumeError as error:
        assert error.reason in {"no_text"}


@given(
    body=st.binary(max_size=300),
    suffix=st.sampled_from([".json", ".pdf", ".docx", ".md"]),
    damage=st.integers(0, 600),
)
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_fields_or_a_code(body: bytes, suffix: str, damage: int) -> None:
    whole = {".pdf": pdf_bytes("Anna Smith\nSkills Python"), ".docx": DOCX}.get(suffix, b'{"basics": {}}')
    for candidate in (body, whole[:damage] + body[:20] + whole[damage + len(body[:20]) :]):
        try:
            parse(candidate, suffix)
        except ResumeError as error:
            assert error.reason


DOCX = docx_bytes()
