import csv
import io
import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.sources.jobs.files import parse_jobs_csv, parse_jobs_jsonl, parse_jobs_parquet
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS

JOB = {
    "source_id": "123", "title": "Cook", "company": "Diner", "city": "Omsk", "remote": False, "salary_min": "50 000",
    "salary_currency": "rub", "skills": ["grill"], "tags": ["food"], "published_at": "2026-01-01T00:00:00+03:00",
    "latitude": 55.0, "longitude": 73.4, "expires_at": "2026-02-01",
}  # fmt: skip
LINKED = {
    "@context": "https://schema.org", "@type": "JobPosting", "title": "Nurse", "datePosted": "2026-01-05",
    "validThrough": "2026-02-05T00:00Z", "hiringOrganization": {"@type": "Organization", "name": "Clinic"},
    "employmentType": ["FULL_TIME", "PART_TIME"], "jobLocationType": "TELECOMMUTE",
    "jobLocation": {"@type": "Place", "address": {"addressLocality": "Riga", "addressCountry": {"name": "LV"}}},
    "identifier": {"@type": "PropertyValue", "name": "Clinic", "value": "n-1"}, "skills": "care, patience",
    "baseSalary": {"currency": "EUR", "value": {"minValue": "1 200", "maxValue": 1500.5, "unitText": "MONTH"}},
    "experienceRequirements": {"@type": "OccupationalExperienceRequirements", "monthsOfExperience": 24},
}  # fmt: skip


def lines(*values: object) -> bytes:
    return b"\n".join(value if isinstance(value, bytes) else json.dumps(value).encode() for value in values)


def only(parsed: Parsed) -> dict[str, object]:
    assert parsed.rows.height == 1, parsed.rejects
    return parsed.rows.row(0, named=True)


def test_a_row_of_our_own_columns_becomes_a_posting() -> None:
    row = only(parse_jobs_jsonl(lines(JOB)))
    assert (row["job_id"], row["title"], row["work_format"]) == ("file:123", "Cook", "on_site")
    assert (row["salary_min"], row["salary_currency"], row["salary_period"]) == (50000.0, "RUB", None)
    assert row["skills"] == ["grill"] and row["published_at"] == datetime(2025, 12, 31, 21, tzinfo=UTC)
    assert row["expires_at"] == datetime(2026, 2, 1, 23, 59, 59, tzinfo=UTC) and row["is_complete"] is True


def test_a_schema_org_posting_becomes_a_posting() -> None:
    row = only(parse_jobs_jsonl(lines(LINKED)))
    assert (row["job_id"], row["title"], row["company"]) == ("file:n-1", "Nurse", "Clinic")
    assert (row["city"], row["country"], row["work_format"]) == ("Riga", "LV", "remote")
    assert (row["salary_min"], row["salary_max"], row["salary_period"]) == (1200.0, 1500.5, "month")
    assert row["employment_type"] == "FULL_TIME, PART_TIME" and row["skills"] == ["care", "patience"]
    assert row["experience"] == "24 months" and row["published_at"] == datetime(2026, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("salary", "expected"),
    [
        ({"currency": "RUB", "value": {"value": "100 000", "unitText": "MONTH"}}, (1e5, 1e5, "RUB", "month", None)),
        ({"currency": "USD", "minValue": 9e4, "maxValue": 1e5, "unitText": "YEAR"}, (9e4, 1e5, "USD", "year", None)),
        ({"currency": "GBP", "value": {"value": 15, "unitCode": "HUR"}}, (15, 15, "GBP", "hour", None)),
        ({"currency": "USD", "percentile10": 9e4, "median": 9.5e4, "percentile90": 1e5}, (9e4, 1e5, "USD", None, None)),
        ({"currency": "KZT", "value": "от 300 000"}, (None, None, "KZT", None, "от 300 000")),
        ("$50k - $60k a year", (None, None, None, None, "$50k - $60k a year")),
        (50000, (50000, 50000, "EUR", None, None)),
        ({"value": {"value": 0}}, (None, None, None, None, None)),
        ({"value": []}, (None, None, None, None, None)),
    ],
)
def test_pay_of_a_schema_org_posting_has_many_shapes(salary: object, expected: tuple[object, ...]) -> None:
    row = only(parse_jobs_jsonl(lines({**LINKED, "baseSalary": salary, "salaryCurrency": "EUR"})))
    assert tuple(row[f"salary_{name}"] for name in ("min", "max", "currency", "period", "text")) == expected


def test_a_schema_org_posting_is_read_in_all_its_properties() -> None:
    posting = {
        "@type": "schema:JobPosting", "name": "Welder", "url": "https://example.org/1", "description": "Weld things.",
        "responsibilities": "Join steel", "qualifications": ["TIG"], "skills": ["MIG", "a sentence of more " * 5],
        "jobLocationType": "TELECOMMUTE", "inLanguage": "en-GB", "industry": "Metal",
        "applicantLocationRequirements": [{"@type": "Country", "name": "USA"}, {"@type": "Country", "name": "Canada"}],
        "occupationalCategory": ["51-4121.00 Welders", "51-4121"], "experienceRequirements": "no requirements",
        "hiringOrganization": "Acme",
    }  # fmt: skip
    row = only(parse_jobs_jsonl(lines({"@type": "WebPage", "mainEntity": posting})))
    assert (row["title"], row["company"], row["language"], row["work_format"]) == ("Welder", "Acme", "en-GB", "remote")
    assert row["location_text"] == "USA; Canada" and row["tags"] == ["Metal"] and row["skills"] == ["MIG"]
    assert row["professional_roles"] == ["Welders"] and row["experience"] == "no requirements"
    description = str(row["description"])
    assert description.startswith("Weld things.\n\nJoin steel\n\nTIG\n\na sentence")


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ({"@type": "Place", "address": "Tbilisi, Georgia"}, "Tbilisi, Georgia"),
        ({"@type": "Place", "name": "Head office", "address": {"addressLocality": "Riga"}}, "Riga"),
        ("Almaty", "Almaty"),
        ([{"@type": "Place", "address": {"addressLocality": "Riga"}}, "Oslo"], "Riga; Oslo"),
        ({"@type": "Place", "address": [{"addressLocality": "Riga", "addressCountry": "LV"}]}, "Riga, LV"),
        ({"address": [{"addressLocality": "Riga"}, {"addressLocality": "Oslo"}]}, "Riga; Oslo"),
        ({"@type": "PostalAddress", "addressLocality": "Riga"}, "Riga"),
        ({"addressLocality": ["Riga"], "addressCountry": {"@type": "Country", "name": ["LV", "LV"]}}, "Riga, LV"),
        (
            [
                {"name": "Riga, LV", "address": {"addressLocality": "Riga"}},
                {"name": "Oslo, NO", "address": {"addressLocality": "Riga"}},
            ],
            "Riga, LV; Oslo, NO",
        ),
        ([{"@type": "Place", "address": {"addressLocality": "Riga"}}, {"@type": "Place"}], "Riga"),
        (None, None),
    ],
)
def test_the_place_of_a_schema_org_posting_is_an_object_or_a_text(place: object, location: str | None) -> None:
    assert only(parse_jobs_jsonl(lines({**LINKED, "jobLocation": place})))["location_text"] == location


@pytest.mark.parametrize(
    ("property_", "value", "column", "expected"),
    [
        *(("jobLocationType", value, "work_format", "remote") for value in (
            "TELECOMMUTE", "https://schema.org/TELECOMMUTE", "http://schema.org/Telecommute", ["TELECOMMUTE"],
            {"@id": "schema:TELECOMMUTE"},
        )),
        ("jobLocationType", "HYBRID", "work_format", "HYBRID"),
        ("jobLocationType", None, "work_format", None),
        ("jobLocation", {"@type": "VirtualLocation", "name": "Online"}, "work_format", "remote"),
        ("employmentType", "https://schema.org/FULL_TIME", "employment_type", "FULL_TIME"),
        ("employmentType", ["FULL_TIME", "schema:CONTRACTOR"], "employment_type", "FULL_TIME, CONTRACTOR"),
        ("employmentType", {"@type": "DefinedTerm", "name": "Part-time"}, "employment_type", "Part-time"),
        ("employmentType", [], "employment_type", None),
        ("applicantLocationRequirements", {"@type": "Country", "name": ["LV"]}, "location_text", "Riga; LV"),
        ("applicantLocationRequirements", ["LV", {"@type": "State", "name": "Ob"}], "location_text", "Riga; LV; Ob"),
    ],
)  # fmt: skip
def test_members_of_enumerations_and_places_of_applicants_are_read_in_every_form(
    property_: str, value: object, column: str, expected: str | None
) -> None:
    posting = {**LINKED, "jobLocation": {"address": {"addressLocality": "Riga"}}, property_: value}
    assert only(parse_jobs_jsonl(lines(posting)))[column] == expected


def test_postings_are_found_in_graphs_and_arrays_each_an_entry() -> None:
    graph = {"@context": "https://schema.org", "@graph": [{"@type": "WebPage"}, LINKED, {**LINKED, "title": ""}]}
    parsed = parse_jobs_jsonl(lines(graph, [LINKED], {"@type": "Person"}))
    assert parsed.rows["title"].to_list() == ["Nurse", "Nurse"]
    assert parsed.rejects.select("entry", "reason").rows() == [
        ("line 1 item 1", "missing_title"),
        ("line 3", "no_job_posting"),
    ]


def test_the_same_job_has_the_same_hash_in_every_format() -> None:
    frame = pl.DataFrame([JOB])
    parquet = io.BytesIO()
    frame.write_parquet(parquet)
    flat = {**JOB, "skills": "grill", "tags": "food"}
    csv_body = pl.DataFrame([flat]).write_csv().encode()
    hashes = {
        only(parse_jobs_jsonl(lines(JOB)))["content_hash"],
        only(parse_jobs_parquet(parquet.getvalue()))["content_hash"],
        only(parse_jobs_csv(csv_body))["content_hash"],
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": None}, "missing_title"),
        ({"source_id": ""}, "missing_source_id"),
        ({"source_id": "a" * 129}, "bad_source_id"),
        ({"source_id": "a\u200bb"}, "bad_source_id"),
        ({"source_id": "1\u0000"}, "bad_source_id"),
        ({"source_id": "\u202e1"}, "bad_source_id"),
        ({"source": "a b:c"}, "bad_source"),
        ({"source": "hh"}, "reserved_source"),
        ({"source": " hh "}, "reserved_source"),
    ],
)
def test_a_row_that_can_not_be_a_job_says_why(change: dict[str, object], reason: str) -> None:
    parsed = parse_jobs_jsonl(lines({**JOB, **change}, JOB))
    assert parsed.rejects.select("entry", "reason").rows() == [("line 1", reason)] and parsed.rows.height == 1


def test_a_bad_line_takes_no_good_one_with_it_and_keeps_its_number() -> None:
    parsed = parse_jobs_jsonl(
        b"\xef\xbb\xbf" + lines(JOB, b"", b'{"source_id": "', b"[1]", b"3", b"\xff", b'"text"', JOB)
    )
    assert parsed.rows.height == 2
    assert dict(parsed.rejects.select("entry", "reason").rows()) == {
        "line 3": "bad_json", "line 4": "no_job_posting", "line 5": "not_an_object", "line 6": "bad_json",
        "line 7": "not_an_object",
    }  # fmt: skip


def test_csv_rows_of_another_width_are_refused_and_lists_are_read() -> None:
    body = b'source_id,title,skills\n1,Cook,"[""a"", ""b""]"\n2,Driver\n3,"Multi\nline",x;y\n'
    parsed = parse_jobs_csv(body)
    assert parsed.rows["title"].to_list() == ["Cook", "Multi line"]
    assert parsed.rows["skills"].to_list() == [["a", "b"], ["x", "y"]]
    assert parsed.rejects["reason"].to_list() == ["wrong_number_of_fields"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251"])
def test_csv_is_read_as_spreadsheets_write_it(delimiter: str, encoding: str) -> None:
    rows = [("source_id", "title", "company"), ("1", "Программист Python", 'ТОО "Ромашка"'), ("2", "Повар; бармен", "")]
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerows(rows)
    parsed = parse_jobs_csv(written.getvalue().encode(encoding))
    assert parsed.rows.select("source_id", "title", "company").rows() == [(*rows[1],), ("2", "Повар; бармен", None)]
    assert parsed.rejects.is_empty()


def test_a_time_beyond_the_calendar_in_parquet_costs_no_job() -> None:
    file = io.BytesIO()
    beyond = pl.Series([10**18, 1_773_311_400_000_000]).cast(pl.Datetime("us", "UTC"))
    pl.DataFrame({"source_id": ["1", "2"], "title": ["a", "b"], "published_at": beyond}).write_parquet(file)
    found = parse_jobs_parquet(file.getvalue()).rows["published_at"].to_list()
    assert found == [None, datetime(2026, 3, 12, 10, 30, tzinfo=UTC)]


def test_a_damaged_parquet_file_is_one_reject() -> None:
    assert parse_jobs_parquet(b"PAR1 nonsense PAR1").rejects["reason"].to_list() == ["unreadable"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "name", "@type"]), inner),
    max_leaves=6,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(JOB | LINKED)), json_values, max_size=6), linked=st.booleans())
@settings(max_examples=150, deadline=None)
def test_values_of_any_type_never_raise_or_lose_the_row(changes: dict[str, object], linked: bool) -> None:
    parsed = parse_jobs_jsonl(
        lines({**(LINKED if linked else JOB), **changes, "@graph": None} if linked else JOB | changes)
    )
    assert parsed.rows.height + parsed.rejects.height == 1
    PARSED_POSTINGS.validate(parsed.rows)


@given(st.binary(max_size=200))
@example(b"a,b\n\x00,1\n")
@example(b'source_id,title\n"1,x\n')
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_rows_or_rejects(body: bytes) -> None:
    for parse in (parse_jobs_jsonl, parse_jobs_csv, parse_jobs_parquet):
        PARSED_POSTINGS.validate(parse(body).rows)


@pytest.mark.parametrize(
    "first_line", ["sep=;", "SEP=;", '"sep=;"', "sep=;\r"], ids=["plain", "capitals", "quoted", "carriage_return"]
)
def test_the_line_that_names_the_delimiter_is_no_header(first_line: str) -> None:
    row = only(parse_jobs_csv(f"{first_line}\nsource_id;title;company\n1;Go dev, remote;Acme\n".encode()))
    assert (row["title"], row["company"]) == ("Go dev, remote", "Acme")


@pytest.mark.parametrize(
    "nothing", ["nan", "NaN", "NULL", "null", "N/A", "n/a", "None", "#N/A", "<NA>", "\\N", "-", "—"]
)
def test_words_for_no_value_are_null(nothing: str) -> None:
    body = f"source_id,title,company,city,salary_min,skills\n1,Go dev,{nothing},{nothing},{nothing},{nothing}\n"
    row = only(parse_jobs_csv(body.encode()))
    assert [row[name] for name in ("company", "city", "salary_min", "skills")] == [None] * 4
    assert only(parse_jobs_jsonl(lines({**JOB, "company": nothing})))["company"] is None


@pytest.mark.parametrize("country", ["NA", "Nan"])
def test_a_place_that_looks_like_no_value_stays(country: str) -> None:
    assert only(parse_jobs_csv(f"source_id,title,country\n1,Cook,{country}\n".encode()))["country"] == country


@pytest.mark.parametrize(
    "skills",
    ['"Go\nSQL\nDocker"', '"• Go\n• SQL\n• Docker"', "\"['Go', 'SQL', 'Docker']\"", '"{Go,SQL,Docker}"',
     "Go;SQL;Docker",
     '"[""Go"",""SQL"",""Docker""]"', "\"['Go' 'SQL' 'Docker']\"", '"Go\r\nSQL, Docker"'],
)  # fmt: skip
def test_lists_are_read_as_programs_write_them(skills: str) -> None:
    row = only(parse_jobs_csv(f"source_id,title,skills\n1,Dev,{skills}\n".encode()))
    assert row["skills"] == ["Go", "SQL", "Docker"]


@pytest.mark.parametrize(
    ("written", "work_format"),
    [("1.0", "remote"), ("t", "remote"), ("yes", "remote"), ("TRUE", "remote"), ("0.0", "on_site"), ("f", "on_site"),
     ("no", "on_site"), ("hybrid", "hybrid"), ("nan", None), ("", None)],
)  # fmt: skip
def test_booleans_are_read_as_programs_write_them(written: str, work_format: str | None) -> None:
    row = only(parse_jobs_csv(f"source_id,title,remote\n1,Go dev,{written}\n".encode()))
    assert row["work_format"] == work_format


def test_a_delimiter_at_the_end_of_a_line_adds_no_field() -> None:
    row = only(parse_jobs_csv(b"Source ID,Title\n1,Dev,\n"))
    assert (row["source_id"], row["title"]) == ("1", "Dev")


@pytest.mark.parametrize(
    ("lower", "upper", "currency", "expected"),
    [
        ("50.000", "60.000", "EUR", (50_000, 60_000, None)), ("$50,000", "$60,000", "USD", (50_000, 60_000, None)),
        ("60 000", "", "RUB", (60_000, None, None)), ("25.50", "30,5", "USD", (25.5, 30.5, None)),
        ("1.234,56", "", "EUR", (1_234.56, None, None)), ("12,00,000", "18,00,000", "INR", (1.2e6, 1.8e6, None)),
        ("45'000", "50'000.00", "CHF", (45_000, 50_000, None)), ("60k", "80k", "EUR", (60_000, 80_000, None)),
        ("50-60k", "", "USD", (None, None, "50-60k")), ("$50,000", "$60,000", "", (None, None, "$50,000 - $60,000")),
        ("от 300 000", "", "KZT", (None, None, "от 300 000")), ("0", "0", "USD", (None, None, None)),
        ("-5", "", "USD", (None, None, None)), ("50000.0000", "", "USD", (50_000, None, None)),
    ],
)  # fmt: skip
def test_amounts_as_text_are_read_in_any_grouping(
    lower: str, upper: str, currency: str, expected: tuple[float | None, float | None, str | None]
) -> None:
    job = {**JOB, "salary_min": lower, "salary_max": upper, "salary_currency": currency}
    row = only(parse_jobs_jsonl(lines(job)))
    assert (row["salary_min"], row["salary_max"], row["salary_text"]) == expected
