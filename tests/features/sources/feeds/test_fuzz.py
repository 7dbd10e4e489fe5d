"""Feeds and HH bodies mutated: postings or rejects, or for a feed the error that it is none."""

import contextlib
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import FORMATS, guess_format, parse_feed
from features.sources.hh.vacancies import parse_hh_bodies
from features.sources.parsed import Parsed
from features.sources.postings import PARSED_POSTINGS
from tests.features.sources.feeds.boards import documents
from tests.features.sources.fuzzing import FUZZ, check, json_bodies, mutated_bytes
from tests.features.sources.hh.test_vacancies import NEW, OLD

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Jobs</title><link>https://jobs.example</link>
<item><title>Acme: Web &amp; App Designer</title><link>https://weworkremotely.com/remote-jobs/acme</link>
<guid isPermaLink="false">g-1</guid><pubDate>Thu, 12 Mar 2026 13:30:00 MSK</pubDate><category>Design</category>
<region>Anywhere in the World</region><type>Full-Time</type><skills>Figma, CSS</skills>
<description><![CDATA[<p><strong>Headquarters:</strong> Berlin</p>
<p>$50k - 70k &ndash; a year</p>]]></description></item>
<item><title>Разработчик в ООО Ромашка (Москва, от 100 000 руб.)</title><link>/vacancy/2</link></item>
</channel></rss>""".encode()
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>
<entry><title type="html">A &lt;b&gt;cook&lt;/b&gt;</title>
<id>urn:1</id><link rel="alternate" href="https://a.example/1"/><updated>2026-03-12T10:30:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>text</p></div></content></entry></feed>"""
RDF = """<?xml version="1.0" encoding="windows-1251"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns="http://purl.org/rss/1.0/"><item rdf:about="https://a.example/3"><title>Повар</title></item></rdf:RDF>""".encode(
    "cp1251"
)
BOARDS: dict[str, object] = {
    "jsonfeed": {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Jobs",
        "items": [
            {
                "id": 5,
                "url": "https://a.example/5",
                "title": "Cook",
                "content_html": "<p>x</p>",
                "tags": ["food"],
                "date_published": "2026-03-12T10:30:00Z",
                "authors": [{"name": "Diner"}],
            }
        ],
    },
    "remoteok": [
        {"legal": "terms"},
        {
            "id": "1",
            "epoch": 1773311400,
            "position": "Dev",
            "company": "Acme",
            "tags": ["go"],
            "description": "x",
            "location": "Anywhere",
            "salary_min": 50000,
            "salary_max": 0,
            "url": "https://remoteok.com/1",
        },
    ],
    "remotive": {
        "jobs": [
            {
                "id": 1,
                "url": "https://remotive.com/1",
                "title": "Dev",
                "company_name": "Acme",
                "tags": ["go"],
                "job_type": "full_time",
                "publication_date": "2026-03-12T10:30:00",
                "salary": "$40k - $50k",
                "candidate_required_location": "Europe",
                "description": "<p>x</p>",
                "category": "Software",
            }
        ]
    },
    "jobicy": {
        "jobs": [
            {
                "id": 2,
                "url": "https://jobicy.com/2",
                "jobTitle": "Dev",
                "companyName": "Acme",
                "jobGeo": "USA",
                "jobIndustry": ["Tech"],
                "jobType": ["full-time"],
                "jobLevel": "Senior",
                "pubDate": "2026-03-12 10:30:00",
                "jobDescription": "<p>x</p>",
                "salaryMin": 50000,
                "salaryMax": 70000,
                "salaryCurrency": "USD",
            }
        ]
    },
    "greenhouse": {
        "jobs": [
            {
                "id": 3,
                "absolute_url": "https://g.example/3",
                "title": "Dev",
                "location": {"name": "Berlin"},
                "content": "&lt;p&gt;x&lt;/p&gt;",
                "updated_at": "2026-03-12T10:30:00-05:00",
                "departments": [{"name": "R&D"}],
                "offices": [{"name": "HQ", "location": "Berlin"}],
                "pay_input_ranges": [{"min_cents": 5000000, "max_cents": 700, "currency_type": "USD"}],
                "metadata": [{"name": "Level", "value": ["a"]}],
            }
        ]
    },
    "lever": [
        {
            "id": "4",
            "text": "Dev",
            "hostedUrl": "https://l.example/4",
            "createdAt": 1773311400000,
            "categories": {"location": "Berlin", "commitment": "Full-time", "team": "R", "allLocations": ["Berlin"]},
            "lists": [{"text": "You", "content": "<li>x</li>"}],
            "descriptionPlain": "x",
            "workplaceType": "remote",
            "salaryRange": {"min": 1, "max": 2, "currency": "EUR", "interval": "per-year-salary"},
        }
    ],
    "ashby": {
        "jobs": [
            {
                "id": "5",
                "title": "Dev",
                "location": "Berlin",
                "isListed": True,
                "isRemote": True,
                "employmentType": "FullTime",
                "publishedAt": "2026-03-12T10:30:00.000+00:00",
                "jobUrl": "https://a.example/5",
                "descriptionHtml": "<p>x</p>",
                "address": {"postalAddress": {"addressLocality": "Berlin"}},
                "compensation": {
                    "summaryComponents": [
                        {
                            "compensationType": "Salary",
                            "interval": "1 YEAR",
                            "minValue": 1,
                            "maxValue": 2,
                            "currencyCode": "EUR",
                        }
                    ]
                },
            }
        ]
    },
    "himalayas": {
        "jobs": [
            {
                "guid": "6",
                "title": "Dev",
                "companyName": "Acme",
                "pubDate": 1773311400,
                "expiryDate": 1775903400,
                "locationRestrictions": ["Germany"],
                "categories": ["Go"],
                "minSalary": 1,
                "maxSalary": 2,
                "currency": "USD",
                "description": "x",
                "applicationLink": "https://h.example/6",
                "seniority": ["Senior"],
            }
        ]
    },
    "workingnomads": [
        {
            "url": "https://www.workingnomads.com/job/go/7/",
            "title": "Dev",
            "description": "x",
            "company_name": "Acme",
            "category_name": "Development",
            "tags": "go,sql",
            "location": "Europe",
            "pub_date": "2026-03-12T10:30:00-04:00",
        }
    ],
    **{name: one[0] for name, one in documents.DOCUMENTS.items() if not isinstance(one[0], bytes)},
}
XML = {name: one[0] for name, one in documents.DOCUMENTS.items() if isinstance(one[0], bytes)}
NAMES = st.sampled_from(sorted(BOARDS))
MAPS = mutated_bytes(
    [
        f"<{root}><{tag}><loc>https://{host}/jobs/1</loc><lastmod>2026-01-01</lastmod></{tag}></{root}>".encode()
        for root, tag in (("urlset", "url"), ("sitemapindex", "sitemap"))
        for host in ("board.example", "other.example")
    ]
)


def check_feed(format_: str, body: bytes, url: str | None = None) -> None:
    def parse(given: bytes) -> Parsed:
        return parse_feed(given, feed=FeedContext("board", format_, url=url))

    guess_format(body)
    with contextlib.suppress(FeedError):
        check(parse, body, PARSED_POSTINGS)


@given(
    mutated_bytes((RSS, ATOM, RDF)),
    st.sampled_from(
        [None, "https://weworkremotely.com/f.rss", "https://hh.ru/search/vacancy/rss", "https://habr.example/"]
    ),
)
@FUZZ
def test_rss_of_any_bytes_is_postings_rejects_or_no_feed(body: bytes, url: str | None) -> None:
    check_feed("rss", body, url)


@given(st.sampled_from(sorted(XML)), mutated_bytes(tuple(XML.values())))
@FUZZ
def test_xml_boards_of_any_bytes_are_postings_rejects_or_no_feed(format_: str, body: bytes) -> None:
    check_feed(format_, body, "https://board.example/feed.xml")


@given(NAMES.flatmap(lambda name: st.tuples(st.just(name), json_bodies(BOARDS[name]))))
@example(("remoteok", b'[{"legal":"x"},{"id":"1","position":"' + b"9" * 400 + b'","salary_min":1e999}]'))
@FUZZ
def test_boards_of_any_json_are_postings_rejects_or_no_feed(given_: tuple[str, bytes]) -> None:
    check_feed(*given_)


@given(st.sampled_from(sorted(FORMATS)), st.one_of(NAMES.flatmap(lambda name: json_bodies(BOARDS[name])), MAPS))
@example("jsonld", b"<sitemapindex><sitemap><loc>/")
@example("adzuna", b'{"count": 1e308, "results": [1]}')
@FUZZ
def test_a_body_names_other_pages_of_its_own_host_only(format_: str, body: bytes) -> None:
    known, url = FORMATS[format_], "https://board.example/jobs/gb/search/1?limit=1&offset=0&Page=1"
    found = [*known.next_pages(url, body), *(page.url for page in known.job_pages(url, body))]
    assert all(urlsplit(one).hostname == "board.example" for one in found)


@given(NAMES, NAMES.flatmap(lambda name: json_bodies(BOARDS[name])))
@FUZZ
def test_a_body_of_another_board_is_no_crash(format_: str, body: bytes) -> None:
    check_feed(format_, body)


@given(json_bodies(OLD, NEW, {"items": [OLD, NEW], "found": 2, "pages": 1, "page": 0, "per_page": 100}, [OLD],
                   {"errors": [{"type": "forbidden"}], "request_id": "1"}))  # fmt: skip
@FUZZ
def test_hh_bodies_of_any_json_are_postings_or_rejects(body: bytes) -> None:
    parsed = check(lambda given: parse_hh_bodies([("", given)]), body, PARSED_POSTINGS)
    assert parsed.rows["job_id"].str.starts_with("hh:").all()
