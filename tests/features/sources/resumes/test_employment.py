"""Titles and companies in the orders and with the separators that people use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources.resumes.employment import employments, title_in
from features.sources.resumes.sections import HEAD, names_section, sections
from tests.features.sources.resumes.people import person

ENTRIES = {
    "company above title and dates": ["{c}", "{t}", "{d}", "- Built services"],
    "title above company and dates": ["{t}", "{c}", "{d}", "- Built services"],
    "dates above company and title": ["{d}", "{c}", "{t}", "- Built services"],
    "dates above title and company": ["{d}", "{t}", "{c}", "- Built services"],
    "company above title · dates": ["{c}", "{t} · {d}", "- Built services"],
    "title above company and dates at the right": ["{t}", "{c}      {d}", "- Built services"],
    "title, company, dates": ["{t}, {c}, {d}", "- Built services"],
    "title at company": ["{t} at {c} ({d})", "- Built services"],
    "title @ company": ["{t} @ {c} | {d}", "- Built services"],
    "company — title": ["{c} — {t}", "{d}", "- Built services"],
    "company | title | dates": ["{c} | {t} | {d}", "- Built services"],
    "dates by tab": ["{d}\t{c}\t{t}", "- Built services"],
    "company and city, title and dates": ["{c}      Berlin", "{t}      {d}", "- Built services"],
    "title and city, company and dates": ["{t}      Berlin", "{c}      {d}", "- Built services"],
    "company and state": ["{c}, Austin, TX", "{t}, {d}", "- Built services"],
    "title with a department": ["{c}", "{t}, Growth Team      {d}", "- Built services"],
    "kind of employment": ["{t}", "{c} · Full-time", "{d}", "- Built services"],
    "title with the company in brackets": ["{t} ({c})      {d}", "- Built services"],
    "labels": ["Company: {c}", "Position: {t}", "Period: {d}", "Responsibilities:", "- Built services"],
    "labels below the dates": ["Dates: {d}", "Occupation or position held: {t}", "Name of employer: {c}, Berlin"],
    "role below the dates": ["{c} [{d}]", "Role: {t}", "Responsibilities:", "- Built services"],
    "dates between company and role": ["Client: {c}", "Duration: {d}", "Role: {t}"],
    "company: title": ["{c}: {t} ({d})", "- Built services"],
    "title @company": ["{t} @{c}", "{d}", "- Built services"],
    "title, company with a city in brackets": ["{t}, {c} (Berlin) {d}", "- Built services"],
    "company above a city, title and dates": ["{c}", "Berlin", "{t}", "{d}", "- Built services"],
    "company as an item": ["• {c}      Berlin", "{t}      {d}", "◦ Built services"],
}  # fmt: skip
PLACES = frozenset({"berlin", "москва"})


@pytest.mark.parametrize("layout", ENTRIES)
@given(language=st.sampled_from(["en", "ru"]), number=st.integers(0, 400))
def test_title_and_company_are_told_apart(layout: str, language: str, number: int) -> None:
    who = person(language, number)
    lines = [
        line.format(t=job.title, c=job.company, d=who.dates(job.first, job.last))
        for job in who.jobs
        for line in ENTRIES[layout]
    ]
    found = employments(lines, places=PLACES)
    assert [(one.title, one.company) for one in found] == [(job.title, job.company) for job in who.jobs]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Head of Sales, Acme Ltd (2019)", "- Opened 3 shops in 2018"], [("Head of Sales", "Acme Ltd")]),
        (["Driver, Acme, 2015 - 2019", "- Grew from 10 to 2015 - 2016 customers, as planned."], [("Driver", "Acme")]),
        (["Contoso GmbH", "3 years 2 months", "Senior Administrator", "March 2019 - May 2020 (1 year 3 months)"],
         [("Senior Administrator", "Contoso GmbH")]),
        (["Berlin      2015 - 2019", "Driver"], [("Driver", None)]),
        (["Developer (Backend)      2015 - 2019", "- A"], [("Developer (Backend)", None)]),
        (["Worked as a Driver at Acme from Jan 2015 to Mar 2019."], [("Driver", "Acme")]),
        (["Senior Driver for Acme Ltd, 2015 - 2019"], [("Senior Driver", "Acme Ltd")]),
        (["Acme Ltd Senior Driver 2015 - 2019"], [("Senior Driver", "Acme Ltd")]),
        (["2015 - 2019"], [(None, None)]),
        (["Some words without any date"], []),
    ],
)  # fmt: skip
def test_other_dates_and_places_make_no_employment(
    lines: list[str], expected: list[tuple[str | None, str | None]]
) -> None:
    assert [(one.title, one.company) for one in employments(lines, places=PLACES)] == expected


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("Senior Backend Developer", "Senior Backend Developer"), ("Python | Data Engineer | Berlin", "Data Engineer"),
        ("Site Reliability Engineer at Northwind", "Site Reliability Engineer"), ("Главный бухгалтер",
        "Главный бухгалтер"),
        ("Engineer obsessed with building products that many people love", None), ("dana@engineer.example", None),
        ("I like clear goals", None),
    ],
)  # fmt: skip
def test_the_title_below_a_name_is_read(line: str, title: str | None) -> None:
    assert title_in(line) == title


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("Skills & Tools", "skills"), ("SKILLS AND ABILITIES", "skills"), ("Skills & Languages:", "skills"),
        ("Education and Certifications", "education"), ("Work Experience / Projects", "experience"),
        ("PROFESSIONAL EXPERIENCE", "experience"), ("Relevant Work Experience", "experience"), ("— Experience —",
        "experience"),
        ("Technical Skills:", "skills"), ("ОПЫТ РАБОТЫ:", "experience"), ("Мои навыки", "skills"),
        ("Навыки и инструменты", "skills"), ("Образование и курсы", "education"), ("О себе", "summary"),
        ("Дополнительные навыки", "skills"), ("Контактные данные", "contact"), ("## Опыт", "experience"),
        ("EDUCATIONAL QUALIFICATION", "education"), ("Work Experiences", "experience"), ("Personal Projects", "other"),
        ("Internship", "experience"), ("Tech Stack", "skills"), ("References available on request", "other"),
    ],
)  # fmt: skip
def test_headings_are_known_in_any_dress(heading: str, section: str) -> None:
    assert names_section(heading)
    assert sections(f"Anna\n{heading}\nwhat it holds")[section] == ["what it holds"]


@pytest.mark.parametrize(
    "line", ["Experience with Python and Go is what I bring", "Customer Experience Manager", "Skills: Go",
    "Leadership Lab Ltd"]
)  # fmt: skip
def test_other_lines_are_no_headings(line: str) -> None:
    assert not names_section(line)


@pytest.mark.parametrize("label", ["Languages: English, German", "Languages : English, German"])
@pytest.mark.parametrize("before", ["Education\nLeeds, 2014", "Experience\nDriver, Acme, 2015 - 2019"])
def test_spoken_languages_have_a_section_of_their_own_wherever_they_stand(before: str, label: str) -> None:
    found = sections(f"{before}\n{label}\nCook, Bar, 2012")
    assert found["languages"] == ["English, German"] and len(found[before.split()[0].lower()]) == 2


def test_labels_within_an_employment_do_not_end_it() -> None:
    text = "Experience\nDriver, Acme, 2015 - 2019\nTechnologies: Python, Go\nKey achievements:\n- A\nCook, Bar, 2012"
    found = sections(text)
    assert found["skills"] == ["Python, Go"] and len(found["experience"]) == 4 and found[HEAD] == []
