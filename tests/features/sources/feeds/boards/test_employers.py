"""Greenhouse, Lever and Ashby: places, pay and custom fields that only some employers fill in."""

from datetime import UTC, datetime

import pytest

from tests.features.sources.feeds.boards.reading import only, parse

USD_YEAR = {"currencyCode": "USD", "interval": "1 YEAR"}


def greenhouse(**fields: object) -> dict[str, object]:
    job = {"id": 4, "title": "Dev", "absolute_url": "https://g.example/4", "content": "x", **fields}
    return only(parse("greenhouse", {"jobs": [job]}))


def lever(**fields: object) -> dict[str, object]:
    return only(parse("lever", [{"id": "1", "text": "Dev", "hostedUrl": "https://l.example/1", **fields}]))


def ashby(**fields: object) -> dict[str, object]:
    return only(parse("ashby", {"jobs": [{"id": "1", "title": "Dev", "jobUrl": "https://a.example/1", **fields}]}))


@pytest.mark.parametrize(
    ("location", "offices", "expected"),
    [
        ("Oslo", [{"name": "Riga", "location": "Riga, Latvia"}], "Oslo"),
        ("Hybrid", [{"name": "HQ", "location": "Riga, Latvia"}], "Hybrid; Riga, Latvia"),
        ("On-site", [{"name": "Lyon", "location": None}, {"name": "Metz"}], "On-site; Lyon; Metz"),
        ("In-Office", [], "In-Office"),
        ("Multiple Locations", [{"name": "Lyon"}, {"name": "Metz"}], "Multiple Locations; Lyon; Metz"),
        (None, [{"name": "Lyon"}], "Lyon"),
        ("Remote", [{"name": "Lyon"}], "Remote"),
        ("Remote", [{"name": "Remote - Canada"}, {"name": "Lyon"}], "Remote; Remote - Canada"),
        ("Remote, Italy", [{"name": "Italy"}], "Remote, Italy"),
        *(
            (word, [{"name": "Lyon"}], f"{word}; Lyon")
            for word in (
                "Hybrid, In-Office",
                "Hybrid or Remote",
                "Flexible / Remote",
                "On-site (Hybrid)",
                "Headquarters",
                "N/A",
                "Any Office",
                "Multiple offices",
            )
        ),
        *(
            (place, [{"name": "Lyon"}], place)
            for place in (
                "Hybrid - Riga",
                "Riga (Remote)",
                "Onsite, Riga",
                "Alloa",
                "Hybridge",
            )
        ),
        (None, [], None),
    ],
)
def test_greenhouse_offices_stand_in_for_a_location_that_names_no_place(
    location: str | None, offices: list[object], expected: str | None
) -> None:
    assert greenhouse(location={"name": location}, offices=offices)["location_text"] == expected


@pytest.mark.parametrize(
    ("name", "value", "column", "expected"),
    [
        ("Workplace Type", "Hybrid", "work_format", "Hybrid"),
        ("Work Model", ["On-site", "Remote"], "work_format", "On-site, Remote"),
        ("Remote Eligible", True, "work_format", "Remote Eligible"),
        ("Remote Eligible", "Yes", "work_format", "Remote Eligible"),
        ("Remote Eligible", False, "work_format", None),
        ("Employment Type", "Part-time", "employment_type", "Part-time"),
        ("Time Type", ["Full time"], "employment_type", "Full time"),
        ("Job Level", "Senior", "career_level", "Senior"),
        ("Years of Experience", "3-5 years", "experience", "3-5 years"),
        ("Salary Range", "$90k - $100k", "salary_text", "$90k - $100k"),
        ("Target bonus salary", "$10k", "salary_text", None),
        ("Salary Grade", "12", "salary_text", None),
        ("Quota Coverage Type", "Remote", "work_format", None),
        ("Work Location", "Office 12", "work_format", None),
        ("Workplace Type", None, "work_format", None),
        ("Workplace Type", {"odd": 1}, "work_format", None),
    ],
)
def test_greenhouse_custom_fields_count_by_what_their_names_say(
    name: str, value: object, column: str, expected: str | None
) -> None:
    assert greenhouse(metadata=[{"id": 1, "name": name, "value": value}])[column] == expected


@pytest.mark.parametrize(("name", "period"), [("Annual salary range", "year"), ("Salary Range", None)])
def test_a_greenhouse_field_with_a_currency_range_is_pay(name: str, period: str | None) -> None:
    value = {"unit": "EUR", "min_value": "50000.0", "max_value": "60000.0"}
    row = greenhouse(metadata=[{"name": name, "value_type": "currency_range", "value": value}])
    assert [row[f"salary_{one}"] for one in ("min", "max", "currency", "period")] == [50000, 60000, "EUR", period]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([("Zone A", 100, 120, "USD"), ("Zone B", 90, 110, "USD")], (90, 120, "USD", None)),
        ([("Annual, Zone A", 100, 120, "USD"), ("Annual, Zone B", 90, 110, "USD")], (90, 120, "USD", "year")),
        ([("London", 60, 70, "GBP"), ("Berlin", 50, 65, "EUR")], (60, 70, "GBP", None)),
        ([("A", 100, None, "USD"), ("B", 90, 110, "USD")], (90, None, "USD", None)),
        ([("Unset", None, None, "USD"), ("B", 90, 110, "USD")], (90, 110, "USD", None)),
        ([("Unset", 0, 0, "USD")], (None, None, None, None)),
    ],
)
def test_greenhouse_pay_of_several_zones_is_the_span_of_them_all(
    ranges: list[tuple[str, int | None, int | None, str]], expected: tuple[object, ...]
) -> None:
    pay = [
        {"title": title, "min_cents": lower and lower * 100, "max_cents": upper and upper * 100, "currency_type": unit}
        for title, lower, upper, unit in ranges
    ]
    row = greenhouse(pay_input_ranges=pay)
    assert tuple(row[f"salary_{name}"] for name in ("min", "max", "currency", "period")) == expected


@pytest.mark.parametrize(
    ("title", "blurb", "period"),
    [
        ("US pay range", "<p>The annual base salary for 40 hours a week.</p>", None),
        ("US pay range", "<p>The annual base salary range.</p>", "year"),
        ("Hourly", "The annual bonus is 10 %.", "hour"),
        ("Pay", "We work 40 hours and four days.", None),
    ],
)
def test_a_greenhouse_blurb_names_the_period_if_it_is_plain(title: str, blurb: str, period: str | None) -> None:
    pay = {"title": title, "blurb": blurb, "min_cents": 9_000_000, "max_cents": 9_900_000, "currency_type": "USD"}
    assert greenhouse(pay_input_ranges=[pay])["salary_period"] == period


def test_a_greenhouse_deadline_is_when_the_job_expires() -> None:
    row = greenhouse(application_deadline="2026-04-01T12:00:00-05:00")
    assert row["expires_at"] == datetime(2026, 4, 1, 17, tzinfo=UTC)


def test_lever_lists_all_locations_the_first_one_first() -> None:
    row = lever(categories={"location": "Oslo", "allLocations": ["Riga, Latvia", "Oslo"]})
    assert row["location_text"] == "Oslo; Riga, Latvia"


@pytest.mark.parametrize("stated", ["unspecified", "Unspecified", None])
def test_lever_without_a_workplace_type_states_no_format(stated: str | None) -> None:
    assert lever(workplaceType=stated)["work_format"] is None


def test_lever_pay_in_words_is_pay_if_short_and_always_part_of_the_description() -> None:
    short, prose = "$90,000 - $100,000 a year", "The range depends on where you live. " * 9
    row = lever(salaryDescription=f"<div>{short}</div>", salaryDescriptionPlain=short)
    assert row["salary_text"] == short and short in str(row["description"])
    row = lever(salaryDescription=prose, description="Build.", additional="Perks.")
    assert row["salary_text"] is None and str(row["description"]).startswith("Build.\nPerks.\nThe range")


@pytest.mark.parametrize(
    ("secondary", "expected"),
    [
        ([], "Oslo"),
        (None, "Oslo"),
        ([{"location": "Riga"}, {"location": "Oslo"}], "Oslo; Riga"),
        ([{"address": {"addressLocality": "Riga", "addressCountry": "Latvia"}}], "Oslo; Riga, Latvia"),
        ([{"location": None, "address": {"postalAddress": {"addressCountry": "Latvia"}}}], "Oslo; Latvia"),
        (["Riga"], "Oslo; Riga"),
    ],
)
def test_ashby_secondary_locations_follow_the_first(secondary: object, expected: str) -> None:
    assert ashby(location="Oslo", secondaryLocations=secondary)["location_text"] == expected


@pytest.mark.parametrize(
    ("compensation", "expected"),
    [
        ({"tiers": [(100, 120, "USD", "1 YEAR")]}, (100, 120, "USD", "year")),
        ({"tiers": [(100, 120, "USD", "1 YEAR"), (80, 90, "USD", "1 YEAR")]}, (80, 120, "USD", "year")),
        ({"tiers": [(100, 120, "USD", "1 YEAR"), (80, 90, "EUR", "1 YEAR")]}, (100, 120, "USD", "year")),
        ({"tiers": [(100, 120, "USD", "1 YEAR"), (80, None, "USD", "1 YEAR")]}, (80, None, "USD", "year")),
        ({"tiers": [(9, 12, "USD", "1 HOUR")], "summary": [(10, 11, "USD", "1 HOUR")]}, (10, 11, "USD", "hour")),
        ({"tiers": []}, (None, None, None, None)),
    ],
)
def test_ashby_pay_comes_from_the_summary_else_from_all_tiers(
    compensation: dict[str, list[tuple[object, ...]]], expected: tuple[object, ...]
) -> None:
    def components(found: list[tuple[object, ...]]) -> list[dict[str, object]]:
        names = ("minValue", "maxValue", "currencyCode", "interval")
        return [{"compensationType": "Salary", **dict(zip(names, one, strict=True))} for one in found]

    row = ashby(
        compensation={
            "summaryComponents": components(compensation.get("summary", [])),
            "compensationTiers": [{"title": "A", "components": components([one])} for one in compensation["tiers"]],
        }
    )
    assert tuple(row[f"salary_{name}"] for name in ("min", "max", "currency", "period")) == expected


@pytest.mark.parametrize("kind", ["EquityPercentage", "EquityCashValue", "Bonus", "Commission", None])
def test_ashby_equity_and_bonus_are_no_pay(kind: str | None) -> None:
    component = {"compensationType": kind, "minValue": 10_000, "maxValue": 20_000, **USD_YEAR}
    row = ashby(compensation={"summaryComponents": [component], "compensationTiers": [{"components": [component]}]})
    assert row["salary_min"] is None and row["salary_max"] is None


@pytest.mark.parametrize(("summaries", "expected"), [(["€70K – €90K"], "€70K – €90K"), (["€1K", "€2K"], None)])
def test_ashby_pay_in_words_of_the_only_tier_counts(summaries: list[str], expected: str | None) -> None:
    tiers = [{"title": "A", "tierSummary": summary, "components": []} for summary in summaries]
    assert ashby(compensation={"compensationTiers": tiers})["salary_text"] == expected


def test_ashby_pay_in_words_prefers_the_line_without_extras() -> None:
    summary = {"scrapeableCompensationSalarySummary": "$90K - $99K", "compensationTierSummary": "$90K - $99K • Equity"}
    assert ashby(compensation=summary)["salary_text"] == "$90K - $99K"
