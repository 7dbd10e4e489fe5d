"""JSON Resume as people write it."""

import json
from typing import Any

import pytest

from tests.features.sources.resumes.test_parsing import parse, skill_names

WORK = {"name": "Acme", "position": "Driver"}


def read(**resume: Any) -> Any:
    return parse(json.dumps({"basics": {"name": "Dana Reyes"}, **resume}), ".json")


@pytest.mark.parametrize(
    ("dates", "years"),
    [
        ({"startDate": "October 2012", "endDate": "October 2016"}, 4.0), ({"startDate": "2012-10",
        "endDate": "2016-10"}, 4.0),
        ({"startDate": "10/2012", "endDate": "Oct 2016"}, 4.0), ({"startDate": 2012, "endDate": 2016}, 4.0),
        ({"startDate": "2012-10-01T00:00:00Z", "endDate": "2016-10-01"}, 4.0), ({"start": "2012", "end": "2016"}, 4.0),
        ({"startDate": "2021-11", "endDate": "present"}, 5.0), ({"startDate": "2021-11", "endDate": "Till date"}, 5.0),
        ({"startDate": "2021-11", "endDate": ""}, 5.0), ({"startDate": "2021-11", "endDate": None}, 5.0),
        ({"startDate": "2021-11", "endDate": "по н.в."}, 5.0), ({"startDate": "2021-11", "isCurrent": True}, 5.0),
        ({"startDate": "2012", "endDate": "whenever"}, None), ({"endDate": "2016"}, None), ({}, None),
    ],
)  # fmt: skip
def test_dates_are_read_however_they_are_written(dates: dict[str, Any], years: float | None) -> None:
    assert read(work=[{**WORK, **dates}]).years_of_experience == years


@pytest.mark.parametrize(
    "skills",
    [
        ["Go", "PostgreSQL"], "Go, PostgreSQL", ["Go, PostgreSQL"], [{"name": "Go"}, {"skill": "PostgreSQL"}],
        {"languages": ["Go"], "databases": ["PostgreSQL"]}, [{"keywords": "Go, PostgreSQL"}],
        [{"keywords": [{"name": "Go"}, "PostgreSQL"]}], ["Go", None, 7, ["x"], {"name": "PostgreSQL"}],
    ],
)  # fmt: skip
def test_skills_are_read_as_objects_texts_and_groups(skills: Any) -> None:
    assert skill_names(read(skills=skills)) == ["Go", "PostgreSQL"]


def test_a_list_of_positions_has_the_company_above_it() -> None:
    positions = [
        {"position": "Lead", "startDate": "2020-01", "endDate": "2022-01"},
        {"title": "Driver", "startDate": "2018-01", "endDate": "2020-01"},
    ]
    fields = read(work=[{"company": "Acme", "positions": positions}])
    assert (fields.titles, fields.companies, fields.years_of_experience) == (["Lead", "Driver"], ["Acme"], 4.0)


@pytest.mark.parametrize(
    ("basics", "city", "country"),
    [
        ({"location": {"city": "Springfield", "region": "IL"}}, "Springfield", "US"),
        ({"location": "Springfield, IL"}, "Springfield", "US"), ({"location": "Nowhere"}, "Nowhere", None),
        ({"location": {"city": "Omsk", "countryCode": "RU"}}, "Omsk", "RU"), ({"location": None}, None, None),
        ({"location": {"countryCode": "DE"}}, None, "DE"),
    ],
)  # fmt: skip
def test_places_are_objects_or_texts(basics: dict[str, Any], city: str | None, country: str | None) -> None:
    fields = parse(json.dumps({"basics": {"name": "Dana Reyes", **basics}}), ".json")
    assert (fields.city, fields.country) == (city, country)


@pytest.mark.parametrize(
    "odd", [{"work": None, "skills": None}, {"work": {}}, {"work": "much"}, {"education": "Leeds"}, {"awards": 1}]
)  # fmt: skip
def test_missing_and_single_values_are_no_error(odd: dict[str, Any]) -> None:
    assert read(**odd).full_name == "Dana Reyes"
