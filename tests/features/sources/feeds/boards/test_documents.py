"""What is read of a document of each board, and the quirks of each board."""

import copy
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from features.sources.feeds.entries import FeedError
from features.sources.feeds.feed_format import JobPage
from features.sources.feeds.formats import FORMATS, guess_format
from tests.features.sources.feeds.boards.documents import (
    ADZUNA,
    ADZUNA_URL,
    BAMBOOHR,
    BAMBOOHR_JOB,
    BREEZY,
    DOCUMENTS,
    INDEED,
    PERSONIO,
    RECRUITEE,
    SMARTRECRUITERS,
    SMARTRECRUITERS_JOB,
    TEAMTAILOR_API,
    TEAMTAILOR_FEED,
    USAJOBS,
    WORKABLE,
    pay,
)
from tests.features.sources.feeds.boards.reading import only, parse, stated

# Nothing at the top tells their documents apart: they are read by the format that sources.yaml names.
NOT_RECOGNISED = ("usajobs", "smartrecruiters", "bamboohr")


def with_job(document: Any, path: str, **changes: object) -> Any:
    """A copy of `document` with `changes` in the object at `path` (keys and numbers with dots)."""
    changed = copy.deepcopy(document)
    target = changed
    for step in path.split("."):
        target = target[int(step) if step.isdigit() else step]
    target.update(changes)
    return changed


def next_pages(format_: str, url: str, document: object) -> list[str]:
    return FORMATS[format_].next_pages(url, json.dumps(document).encode())


@pytest.mark.parametrize("format_", DOCUMENTS)
def test_a_document_gives_all_that_it_states(format_: str) -> None:
    document, url, expected = DOCUMENTS[format_]
    context = {"url": url} if url else {}
    assert stated(only(parse(format_, document, **context))) == expected


@pytest.mark.parametrize("format_", [name for name in DOCUMENTS if name not in NOT_RECOGNISED])
def test_the_format_of_a_landed_document_is_recognised(format_: str) -> None:
    document = DOCUMENTS[format_][0]
    assert guess_format(document if isinstance(document, bytes) else json.dumps(document).encode()) == format_


# --- Personio and Indeed's XML


@pytest.mark.parametrize(
    ("format_", "document", "change", "column", "expected"),
    [
        ("personio", PERSONIO, (">2-5<", ">lt-1<"), "experience", "up to 1 year"),
        ("personio", PERSONIO, (">2-5<", ">gt-15<"), "experience", "15+ years"),
        ("personio", PERSONIO, (">2-5<", ">soon<"), "experience", None),
        ("personio", PERSONIO, (">part-time<", ">full-or-part-time<"), "employment_type", "permanent"),
        ("personio", PERSONIO, (">permanent<", ">intern<"), "employment_type", "intern, part-time"),
        ("personio", PERSONIO, (">permanent<", ">freelance<"), "employment_type", "freelance, part-time"),
        ("personio", PERSONIO, ("<office>Oslo</office><office>Remote</office>", ""), "location_text", "Riga"),
        ("personio", PERSONIO, ("<id>77</id>", "<id>../7</id>"), "url", None),
        ("personio", PERSONIO, ("Nordlicht GmbH", "Stahl & Sohn"), "company", "Stahl & Sohn"),
        ("personio", PERSONIO, ("Nordlicht GmbH", "Caf&eacute; Nord"), "company", "Café Nord"),
        ("personio", PERSONIO, ("Nordlicht GmbH", "A&unknown;B"), "company", "A&unknown;B"),
        ("personio", PERSONIO, ("Nordlicht GmbH", "A &AMP; B &#38; C"), "company", "A & B & C"),
        ("personio", PERSONIO, ("Nordlicht GmbH", "A&LT;B"), "company", "A<B"),
        ("personio", PERSONIO, ("Nordlicht GmbH", "A&#xD83D;&#x1F600;&#11;&#0;&#99999999;B"), "company", "A�😀��B"),
        ("personio", PERSONIO, ("Nordlicht GmbH", "A&#x41;&#66;&#x;"), "company", "AAB&#x;"),
        ("indeed", INDEED, ("<![CDATA[Toledo]]>", ""), "location_text", "OH, US"),
        ("indeed", INDEED, ("<![CDATA[<p>Cook.</p>]]>", "<p>Cook <b>well</b>.</p>"), "description",
         "<p>Cook <b>well</b>.</p>"),
        ("indeed", INDEED, ("<remotetype>Hybrid remote", "<remotetype>Fully remote"), "work_format", "Fully remote"),
        *(("indeed", INDEED, ("remotetype>Hybrid remote</remotetype", f"remote>{word}</remote"), "work_format", read)
          for word, read in (("true", "remote"), ("1", "remote"), ("false", None), ("Hybrid", "Hybrid"))),
        ("indeed", INDEED, ("referencenumber", "otherid"), "source_id", "req-9"),
        ("indeed", INDEED, ("<salary><![CDATA[$20 - $25 per hour]]></salary>",
                            "<salary><min>20</min><max>25</max><currency>USD</currency><period>hour</period></salary>"),
         "salary_max", 25.0),
    ],
)  # fmt: skip
def test_what_xml_boards_write_is_read_as_it_is_meant(
    format_: str, document: str, change: tuple[str, str], column: str, expected: object
) -> None:
    changed = document.replace(*change)
    assert changed != document
    row = only(parse(format_, changed.encode(), url="https://diner.jobs.personio.de/xml"))
    assert row[column] == expected


@pytest.mark.parametrize(("format_", "document"), [("personio", PERSONIO), ("indeed", INDEED)])
def test_xml_that_breaks_off_keeps_its_whole_jobs_and_says_so(format_: str, document: str) -> None:
    end = document.rindex("</")
    for cut in (document[:end], document[:end] + "<job><title>Ba"):
        parsed = parse(format_, cut.encode())
        assert parsed.rows["title"].len() == 1 and "truncated" in parsed.rejects["reason"]


@pytest.mark.parametrize("format_", ["personio", "indeed"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Sign in</body></html>",
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        b'{"jobs": []}',
        b"<rss><channel/></rss>",
        b'<!DOCTYPE s [<!ENTITY a "b">]><source><job><title>&a;</title></job></source>',
        b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><workzag-jobs/>',
    ],
)
def test_another_document_is_a_failure_and_no_empty_board(format_: str, body: bytes) -> None:
    with pytest.raises(FeedError):
        parse(format_, body)


@pytest.mark.parametrize(("format_", "body"), [("personio", b"<workzag-jobs/>"), ("indeed", b"<source></source>")])
def test_a_board_without_jobs_is_empty(format_: str, body: bytes) -> None:
    assert parse(format_, body).rows.is_empty()


def test_many_jobs_are_read_with_bounded_memory() -> None:
    head, job, tail = INDEED.partition("<job>")[0], "<job>" + INDEED.partition("<job>")[2], "</source>"
    job = job.replace(tail, "")
    rows = parse("indeed", (head + "".join(job.replace("ref-1", f"r{n}") for n in range(3_000)) + tail).encode()).rows
    assert rows["source_id"].n_unique() == 3_000


# --- flags and codes


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"remote": True, "hybrid": False, "on_site": False}, "remote"),
        ({"remote": False, "hybrid": False, "on_site": True}, "on_site"),
        ({"remote": False, "hybrid": True, "on_site": True}, "hybrid"),
        ({"remote": False, "hybrid": False, "on_site": False}, None),
        ({"remote": None, "hybrid": None, "on_site": None}, None),
    ],
)
def test_recruitee_flags_name_a_format(flags: Mapping[str, object], expected: str | None) -> None:
    assert only(parse("recruitee", with_job(RECRUITEE, "offers.0", **flags)))["work_format"] == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("fulltime_permanent", "full time"), ("parttime", "part time"), ("internship", "internship"),
        ("freelance", "freelance"), ("fulltime_fixed_term", "full time"), (None, None),
    ],
)  # fmt: skip
def test_recruitee_employment_codes_become_words(code: str | None, expected: str | None) -> None:
    row = only(parse("recruitee", with_job(RECRUITEE, "offers.0", employment_type_code=code)))
    assert row["employment_type"] == expected


def test_a_recruitee_period_without_amounts_is_no_pay() -> None:
    nothing = {"min": None, "max": None, "period": "month", "currency": "EUR"}
    row = only(parse("recruitee", with_job(RECRUITEE, "offers.0", salary=nothing)))
    assert row["salary_min"] is None and row["salary_period"] is None


@pytest.mark.parametrize(("status", "expected"), [("published", None), ("closed", True), (None, None)])
def test_a_recruitee_offer_that_is_not_published_is_archived(status: str | None, expected: bool | None) -> None:
    assert only(parse("recruitee", with_job(RECRUITEE, "offers.0", status=status)))["is_archived"] is expected


def test_teamtailors_api_has_places_and_department_beside_the_job() -> None:
    row = only(parse("teamtailor", TEAMTAILOR_API))
    assert stated(row) == {
        "source_id": "5", "url": "https://career.diner.example/jobs/5-cook", "title": "Cook", "language": "en",
        "description": "Join us\n<p>Cook.</p>", "location_text": "Riga, Latvia; Oslo office", "work_format": "remote",
        "employment_type": "fulltime", "career_level": "senior", "tags": ["soup", "Kitchen"],
        "published_at": datetime(2026, 1, 5, 8, tzinfo=UTC), "expires_at": datetime(2026, 2, 5, tzinfo=UTC),
        **pay(30000, 36000, "SEK", "month"),
    }  # fmt: skip


@pytest.mark.parametrize(("status", "expected"), [("none", "on_site"), ("hybrid", "hybrid"), ("temporary", "hybrid")])
def test_teamtailor_states_how_remote_a_job_is(status: str, expected: str) -> None:
    changed = with_job(TEAMTAILOR_API, "data.0.attributes", **{"remote-status": status})
    assert only(parse("teamtailor", changed))["work_format"] == expected


@pytest.mark.parametrize("document", [{}, {"version": "x"}, {"items": {}}, {"data": None}, [], "x"])
def test_another_document_is_no_teamtailor_board(document: object) -> None:
    with pytest.raises(FeedError):
        parse("teamtailor", document)


def test_workable_without_details_is_not_complete() -> None:
    assert only(parse("workable", WORKABLE))["is_complete"] is True
    bare = {**WORKABLE, "jobs": [{k: v for k, v in job.items() if k != "description"} for job in WORKABLE["jobs"]]}
    assert only(parse("workable", bare))["is_complete"] is False


@pytest.mark.parametrize(
    ("changes", "column", "expected"),
    [
        ({"telecommuting": True}, "work_format", "remote"),
        ({"telecommuting": True, "workplace_type": "hybrid"}, "work_format", "hybrid"),
        ({"locations": []}, "location_text", "Riga, Latvia; Oslo, Norway"),
        ({"locations": [{"city": "Lima", "country": "Peru", "hidden": True}]}, "location_text",
         "Riga, Latvia; Oslo, Norway"),
    ],
)  # fmt: skip
def test_workable_shows_flags_and_places(changes: Mapping[str, object], column: str, expected: str) -> None:
    assert only(parse("workable", with_job(WORKABLE, "jobs.0", **changes)))[column] == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ({"is_remote": True}, ("remote", None)),
        ({"is_remote": False, "city": "Riga", "state": {"name": "Vidzeme", "id": "V"}}, (None, "Riga, Vidzeme")),
        ({"name": "Somewhere"}, (None, "Somewhere")),
        (None, (None, None)),
    ],
)
def test_breezy_locations_state_place_and_format(location: object, expected: tuple[str | None, str | None]) -> None:
    row = only(parse("breezy", with_job(BREEZY, "0", location=location)))
    assert (row["work_format"], row["location_text"]) == expected


@pytest.mark.parametrize("predicted", ["1", 1, True])
def test_pay_that_adzuna_predicted_is_not_the_employers(predicted: object) -> None:
    row = only(parse("adzuna", with_job(ADZUNA, "results.0", salary_is_predicted=predicted), url=ADZUNA_URL))
    assert row["salary_min"] is None and row["salary_max"] is None


def test_adzuna_pay_without_a_known_country_is_left_out() -> None:
    assert only(parse("adzuna", ADZUNA))["salary_min"] is None
    german = only(parse("adzuna", ADZUNA, url=ADZUNA_URL.replace("/gb/", "/de/")))
    assert (german["salary_currency"], german["country"]) == ("EUR", "DE")


@pytest.mark.parametrize(
    ("code", "period"),
    [("PA", "year"), ("PH", "hour"), ("PD", "day"), ("PM", "month"), ("FB", "service"), ("PW", "service")],
)
def test_usajobs_pay_intervals_are_codes(code: str, period: str) -> None:
    money = [{"MinimumRange": "20", "MaximumRange": "30", "RateIntervalCode": code}]
    path = "SearchResult.SearchResultItems.0.MatchedObjectDescriptor"
    row = only(parse("usajobs", with_job(USAJOBS, path, PositionRemuneration=money)))
    assert row["salary_period"] == period


def test_usajobs_names_places_that_are_none() -> None:
    places = [
        {"LocationName": "Anywhere in the U.S. (remote job)", "Longitude": 0, "Latitude": 0},
        {"LocationName": " Location Negotiable After Selection, United States", "Longitude": 0, "Latitude": 0},
    ]
    path = "SearchResult.SearchResultItems.0.MatchedObjectDescriptor"
    row = only(parse("usajobs", with_job(USAJOBS, path, PositionLocation=places, PositionLocationDisplay="Anywhere")))
    assert (row["location_text"], row["latitude"]) == ("Anywhere", None)


# --- pages


@pytest.mark.parametrize(
    ("format_", "url", "document", "expected"),
    [
        ("arbeitnow", "https://www.arbeitnow.com/api/job-board-api", DOCUMENTS["arbeitnow"][0],
         ["https://www.arbeitnow.com/api/job-board-api?page=2"]),
        ("arbeitnow", "https://www.arbeitnow.com/api/job-board-api", {"data": [], "links": {"next": "/x"}}, []),
        ("arbeitnow", "https://www.arbeitnow.com/a", {"data": [1], "links": {"next": "https://other.example/"}}, []),
        ("teamtailor", "https://career.diner.example/jobs.json", TEAMTAILOR_FEED,
         ["https://career.diner.example/jobs.json?page=2"]),
        ("teamtailor", "https://api.teamtailor.com/v1/jobs", TEAMTAILOR_API,
         ["https://api.teamtailor.com/v1/jobs?page%5Bnumber%5D=2"]),
        ("teamtailor", "https://career.diner.example/jobs.json", {"items": [], "next_url": "/jobs.json?page=3"}, []),
        ("adzuna", ADZUNA_URL, ADZUNA, [ADZUNA_URL.replace("search/1", "search/2")]),
        ("adzuna", ADZUNA_URL.replace("search/1", "search/120"), ADZUNA, []),
        ("adzuna", "https://api.adzuna.com/v1/other", ADZUNA, []),
        ("usajobs", "https://data.usajobs.gov/api/search?ResultsPerPage=1", USAJOBS,
         ["https://data.usajobs.gov/api/search?ResultsPerPage=1&Page=2"]),
        ("usajobs", "https://data.usajobs.gov/api/search?Page=2", USAJOBS, []),
        ("usajobs", "https://data.usajobs.gov/api/search", {}, []),
    ],
)  # fmt: skip
def test_a_page_names_the_next_one_on_its_own_host(
    format_: str, url: str, document: object, expected: list[str]
) -> None:
    assert next_pages(format_, url, document) == expected


# --- boards with an answer for each job


def test_a_list_of_smartrecruiters_has_no_texts_and_names_the_answers_that_have() -> None:
    row = only(parse("smartrecruiters", SMARTRECRUITERS))
    assert (row["source_id"], row["is_complete"], row["description"]) == ("744000001", False, None)
    assert row["url"] == "https://jobs.smartrecruiters.com/Diner1/744000001"
    url = "https://api.smartrecruiters.com/v1/companies/Diner1/postings"
    pages = FORMATS["smartrecruiters"].job_pages(url, json.dumps(SMARTRECRUITERS).encode())
    assert [page.url for page in pages] == [SMARTRECRUITERS_JOB["ref"]]
    changed = with_job(SMARTRECRUITERS, "content.0", name="Chef")
    assert FORMATS["smartrecruiters"].job_pages(url, json.dumps(changed).encode())[0].mark != pages[0].mark
    elsewhere = with_job(SMARTRECRUITERS, "content.0", ref="https://other.example/1")
    assert FORMATS["smartrecruiters"].job_pages(url, json.dumps(elsewhere).encode()) == []


@pytest.mark.parametrize(
    ("offset", "total", "expected"), [(0, 101, ["offset=1"]), (100, 101, []), (0, 1, []), (0, None, [])]
)
def test_smartrecruiters_pages_by_offset(offset: int, total: int | None, expected: list[str]) -> None:
    url = f"https://api.smartrecruiters.com/v1/companies/Diner1/postings?limit=1&offset={offset}"
    document = {**SMARTRECRUITERS, "totalFound": total}
    assert [page.partition("limit=1&")[2] for page in next_pages("smartrecruiters", url, document)] == expected


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ({"remote": True}, ("remote", None, None)),
        ({"remote": False, "city": "Riga", "country": "lv"}, (None, "Riga, lv", "LV")),
        (None, (None, None, None)),
    ],
)
def test_smartrecruiters_places(location: object, expected: tuple[str | None, ...]) -> None:
    row = only(parse("smartrecruiters", with_job(SMARTRECRUITERS, "content.0", location=location)))
    assert (row["work_format"], row["location_text"], row["country"]) == expected


def test_a_list_of_bamboohr_names_the_answers_of_its_openings() -> None:
    url = "https://diner.bamboohr.com/careers/list"
    row = only(parse("bamboohr", BAMBOOHR, url=url))
    assert (row["source_id"], row["url"], row["is_complete"]) == ("31", "https://diner.bamboohr.com/careers/31", False)
    pages = FORMATS["bamboohr"].job_pages(url, json.dumps(BAMBOOHR).encode())
    assert [page.url for page in pages] == ["https://diner.bamboohr.com/careers/31/detail"]


@pytest.mark.parametrize(
    ("changes", "column", "expected"),
    [
        ({"locationType": "1"}, "work_format", "remote"),
        ({"locationType": "2"}, "work_format", "hybrid"),
        ({"locationType": None, "isRemote": True}, "work_format", "remote"),
        ({"locationType": None, "isRemote": None}, "work_format", None),
        ({"location": {}, "atsLocation": {"city": "Riga", "province": "Vidzeme", "country": "Latvia"}}, "location_text",
         "Riga, Vidzeme, Latvia"),
        ({"jobOpeningStatus": "Closed"}, "is_archived", True),
        ({"jobOpeningShareUrl": "https://diner.bamboohr.com/jobs/view.php?id=31"}, "source_id", "31"),
    ],
)  # fmt: skip
def test_bamboohr_openings_in_their_forms(changes: Mapping[str, object], column: str, expected: object) -> None:
    assert only(parse("bamboohr", with_job(BAMBOOHR_JOB, "result.jobOpening", **changes)))[column] == expected


def test_an_opening_without_its_own_address_has_the_id_of_the_answer() -> None:
    bare = with_job(BAMBOOHR_JOB, "result.jobOpening", jobOpeningShareUrl=None)
    row = only(parse("bamboohr", bare, page_url="https://diner.bamboohr.com/careers/31/detail"))
    assert (row["source_id"], row["url"]) == ("31", "https://diner.bamboohr.com/careers/31")


# --- pages with schema.org data

POSTING = '{"@type": "JobPosting", "title": "Cook", "hiringOrganization": "Diner", "url": "https://d.example/1"}'


def page(*scripts: str, type_: str = "application/ld+json", body: str = "") -> bytes:
    written = "".join(f'<script type="{type_}">{script}</script>' for script in scripts)
    return f"<html><head>{written}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize(
    "script",
    [
        POSTING,
        f"[{POSTING}]",
        f'{{"@graph": [{{"@type": "Person"}}, {POSTING}]}}',
        f'{{"@type": "ItemList", "itemListElement": [{{"@type": "ListItem", "item": {POSTING}}}]}}',
        POSTING.replace("}", ",}"),
        f"// <![CDATA[\n{POSTING}\n// ]]>",
        f"/* <![CDATA[ */{POSTING}/* ]]> */",
        f"<!-- {POSTING} -->".replace("<!-- ", "/* x */").replace(" -->", ""),
        POSTING.replace('"', "&quot;"),
        POSTING.replace('"Cook"', '"Co\nok"'),
        POSTING.replace('"JobPosting"', '["JobPosting", "Thing"]'),
        POSTING.replace('"JobPosting"', '"https://schema.org/JobPosting"'),
    ],
)
def test_a_posting_is_read_in_every_form_that_pages_write(script: str) -> None:
    row = only(parse("jsonld", page('{"@type": "WebSite"}', "{broken", script)))
    assert row["company"] == "Diner" and str(row["title"]).replace(" ", "") == "Cook"


@pytest.mark.parametrize("type_", ["application/ld+json; charset=utf-8", "Application/LD+JSON"])
def test_the_type_of_a_script_is_written_in_many_ways(type_: str) -> None:
    assert only(parse("jsonld", page(POSTING, type_=type_)))["title"] == "Cook"


def test_microdata_is_read_where_there_is_no_json() -> None:
    body = """<div itemscope itemtype="https://schema.org/JobPosting"><h1 itemprop="title">Cook</h1>
      <div itemprop="hiringOrganization" itemscope itemtype="https://schema.org/Organization">
        <span itemprop="name">Diner</span></div>
      <div itemprop="jobLocation" itemscope itemtype="https://schema.org/Place">
        <div itemprop="address" itemscope itemtype="https://schema.org/PostalAddress">
          <span itemprop="addressLocality">Riga</span>, <span itemprop="addressCountry">LV</span></div></div>
      <div itemprop="description">Cook <b>meals</b>.</div>
      <time itemprop="datePosted" datetime="2026-01-05">x</time></div>"""
    row = only(parse("jsonld", page(body=body), page_url="https://d.example/1"))
    assert (row["title"], row["company"], row["location_text"], row["url"]) == (
        "Cook", "Diner", "Riga, LV", "https://d.example/1"
    )  # fmt: skip


def test_the_address_of_a_page_counts_before_what_all_pages_of_a_site_repeat() -> None:
    repeated = POSTING.replace('"title"', '"identifier": "DINER", "title"')
    ids = {only(parse("jsonld", page(repeated), page_url=f"https://d.example/jobs/{n}"))["source_id"] for n in range(3)}
    assert len(ids) == 3


def test_several_postings_of_one_page_are_several_jobs() -> None:
    jobs = [f'{{"@type": "JobPosting", "title": "Cook {n}", "identifier": "DINER"}}' for n in range(3)]
    rows = parse("jsonld", page(*jobs), page_url="https://d.example/jobs").rows
    assert rows["source_id"].n_unique() == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        page('{"@type": "Person"}'),
        page("{broken"),
        b'{"jobs": []}',
        b"[1]",
        b"\x1f\x8bnope",
        b"\0\0",
    ],
)
def test_a_page_without_a_posting_is_a_failure(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse("jsonld", body)


SITEMAP = b"""<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url><loc>https://d.example/jobs/1</loc><lastmod>2026-01-05</lastmod></url>
<url><loc> https://d.example/jobs/2?a=1&amp;b=2 </loc></url>
<url><loc>https://other.example/jobs/3</loc></url><url><loc>javascript:alert(1)</loc></url></urlset>"""


@pytest.mark.parametrize("body", [SITEMAP, gzip.compress(SITEMAP)])
def test_a_sitemap_names_pages_of_its_own_host(body: bytes) -> None:
    assert parse("jsonld", body).rows.is_empty()
    known = FORMATS["jsonld"]
    assert known.job_pages("https://d.example/sitemap.xml", body) == [
        JobPage("https://d.example/jobs/1", "2026-01-05"),
        JobPage("https://d.example/jobs/2?a=1&b=2", ""),
    ]
    assert known.next_pages("https://d.example/sitemap.xml", body) == []


def test_an_index_of_sitemaps_names_sitemaps() -> None:
    body = SITEMAP.replace(b"urlset", b"sitemapindex").replace(b"<url>", b"<sitemap>").replace(b"</url>", b"</sitemap>")
    known = FORMATS["jsonld"]
    body = body.replace(b"</sitemapindex>", b"<sitemap><loc>https://d.example/jobs/1</loc></sitemap></sitemapindex>")
    assert known.next_pages("https://d.example/s.xml", body) == [
        "https://d.example/jobs/1",
        "https://d.example/jobs/2?a=1&b=2",
    ]
    assert known.job_pages("https://d.example/s.xml", body) == []


def test_a_packed_bomb_is_not_unpacked() -> None:
    with pytest.raises(FeedError, match="unpacked"):
        parse("jsonld", gzip.compress(b"\0" * 60_000_000))
