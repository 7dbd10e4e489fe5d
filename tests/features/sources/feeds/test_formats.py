import contextlib
import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features.sources.feeds.entries import FeedContext, FeedError
from features.sources.feeds.formats import FORMATS, guess_format, parse_feed
from features.sources.parsed import REJECTS, Parsed
from features.sources.postings import PARSED_POSTINGS, canonical_link, stable_id


def rss(items: str, *, head: str = '<?xml version="1.0" encoding="UTF-8"?>') -> str:
    return f'{head}<rss version="2.0" xmlns:job_listing="https://b.example"><channel><title>Jobs</title>{items}</channel></rss>'


def item(title: str, extra: str = "", link: str = "https://jobs.example/1") -> str:
    return f"<item><title>{title}</title><link>{link}</link>{extra}</item>"


def parse_rss(document: str | bytes, **context: str) -> Parsed:
    body = document.encode() if isinstance(document, str) else document
    return parse_feed(body, feed=FeedContext(name="board", format="rss", **context))


def only(parsed: Parsed) -> dict[str, object]:
    assert parsed.rows.height == 1, parsed.rejects
    return parsed.rows.row(0, named=True)


def parse_json(format_: str, document: object, **context: str) -> Parsed:
    return parse_feed(json.dumps(document).encode(), feed=FeedContext(name="board", format=format_, **context))


def test_a_title_of_company_and_role_is_split_for_the_board_that_writes_so() -> None:
    row = only(parse_rss(rss(item("Acme: Web Designer", link="https://weworkremotely.com/remote-jobs/acme-web"))))
    assert (row["company"], row["title"], row["work_format"]) == ("Acme", "Web Designer", "remote")


def test_titles_are_split_when_four_of_five_name_a_company_and_the_fifth_stays_whole() -> None:
    items = "".join(item(f"Firm {n}: Cook", link=f"https://jobs.example/{n}") for n in range(4))
    rows = parse_rss(rss(items + item("Gardener", link="https://jobs.example/9"))).rows
    assert rows["title"].to_list() == ["Cook"] * 4 + ["Gardener"]
    assert rows["company"].to_list() == ["Firm 0", "Firm 1", "Firm 2", "Firm 3", None]


def test_titles_are_kept_whole_when_colons_are_rare() -> None:
    items = item("Cook") + item("Driver") + item("Night shift: nurse")
    assert parse_rss(rss(items)).rows["title"].to_list() == ["Cook", "Driver", "Night shift: nurse"]


def test_a_configured_pattern_names_company_role_place_and_pay() -> None:
    pattern = r"^(?P<title>.+) @ (?P<company>.+) \[(?P<location>.+); (?P<salary>.+)\]$"
    row = only(parse_rss(rss(item("Cook @ Diner [Omsk; 50 000 ₽]")), title_pattern=pattern))
    assert (row["title"], row["company"], row["location_text"]) == ("Cook", "Diner", "Omsk")
    assert row["salary_text"] == "50 000 ₽"


def test_an_invalid_title_pattern_is_an_error() -> None:
    with pytest.raises(FeedError, match="title_pattern"):
        parse_rss(rss(item("a")), title_pattern="(")


@pytest.mark.parametrize(
    ("link", "title", "expected"),
    [
        ("https://www.python.org/jobs/7/", "Senior Dev, Acme", ("Senior Dev", "Acme", None, None)),
        (
            "https://career.habr.com/vacancies/1000",
            "Требуется «Тестировщик» (Казань, от 90 000 ₽)",
            ("Тестировщик", None, "Казань", "от 90 000 ₽"),
        ),
        (
            "https://jobs.dou.ua/companies/x/vacancies/55/?utm_source=rss",
            "QA Lead в Roga, $4000–5000, Київ",
            ("QA Lead", "Roga", "Київ", "$4000–5000"),
        ),
    ],
)
def test_titles_of_boards_are_split(link: str, title: str, expected: tuple[str | None, ...]) -> None:
    row = only(parse_rss(rss(item(title, link=link.replace("&", "&amp;")))))
    assert tuple(row[name] for name in ("title", "company", "location_text", "salary_text")) == expected


def test_elements_of_remote_boards_become_columns() -> None:
    extra = (
        "<region>USA Only</region><type>Full-Time</type><category>Design</category>"
        "<skills>Figma, CSS, and HTML</skills>"
        "<country>🇩🇪 Germany</country><pubDate>Mon, 07 Nov 2022 13:23:53 +0000</pubDate>"
        "<expires_at>Wed, 07 Dec 2022 13:23:53 +0000</expires_at>"
    )
    row = only(parse_rss(rss(item("A: B", extra, link="https://weworkremotely.com/x"))))
    assert row["location_text"] == "USA" and row["country"] == "Germany" and row["employment_type"] == "Full-Time"
    assert row["skills"] == ["Figma", "CSS", "HTML"] and row["tags"] == ["Design"]
    assert row["published_at"] == datetime(2022, 11, 7, 13, 23, 53, tzinfo=UTC)
    assert row["expires_at"] == datetime(2022, 12, 7, 13, 23, 53, tzinfo=UTC)


def test_a_labelled_line_of_the_description_gives_the_place() -> None:
    extra = "<description>&lt;p&gt;&lt;b&gt;Location:&lt;/b&gt; Austin, TX\n&lt;br/&gt;URL&lt;/p&gt;</description>"
    assert only(parse_rss(rss(item("A: B", extra))))["location_text"] == "Austin, TX"


def test_elements_of_word_press_boards_are_matched_by_prefix() -> None:
    extra = "<job_listing:location>Berlin</job_listing:location><job_listing:company>Acme</job_listing:company>"
    row = only(parse_rss(rss(item("Cook", extra, link="https://b.example/?post_type=job_listing&amp;p=100"))))
    assert (row["location_text"], row["company"], row["source_id"]) == ("Berlin", "Acme", "100")


def test_the_labels_of_the_site_search_feed_are_read() -> None:
    text = (
        "<![CDATA[<p>Вакансия компании: Ромашка</p><p>Создана: 01.02.2026</p><p>Регион: Москва</p>"
        "<p>Предполагаемый уровень месячного дохода: от 200 000 руб.</p>]]>"
    )
    extra = f"<description>{text}</description><pubDate>2026-07-27T14:48:48.366+03:00</pubDate>"
    row = only(parse_rss(rss(item("Повар", extra, link="https://hh.ru/vacancy/123"))))
    assert (row["company"], row["location_text"], row["salary_text"]) == ("Ромашка", "Москва", "от 200 000 руб.")
    assert row["source_id"] == "123" and row["is_complete"] is False
    assert row["published_at"] == datetime(2026, 7, 27, 11, 48, 48, 366000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<?xml version="1.0" encoding="windows-1251"?>', "windows-1251"),
        ('<?xml version="1.0" encoding="utf-8"?>', "windows-1251"),
        ("", "windows-1251"),
        ("", "koi8-r"),
        ('<?xml version="1.0" encoding="windows-1251"?>', "utf-8"),
        ("", "utf-8-sig"),
        ('<?xml version="1.0" encoding="utf-16"?>', "utf-16"),
    ],
)
def test_russian_is_decoded_whatever_encoding_the_feed_declares(head: str, encoding: str) -> None:
    document = rss(item("Разработчик на Питоне"), head=head)
    assert only(parse_rss(document.encode(encoding)))["title"] == "Разработчик на Питоне"


def test_the_http_charset_is_used() -> None:
    document = rss(item("Über Café"), head="").encode("iso-8859-15")
    assert only(parse_rss(document, content_type="text/xml; charset=iso-8859-15"))["title"] == "Über Café"


def test_titles_lose_entities_and_tags() -> None:
    assert only(parse_rss(rss(item("R&amp;amp;D &lt;b&gt;lead&lt;/b&gt;"))))["title"] == "R&D lead"


def test_relative_links_are_resolved_and_other_schemes_dropped() -> None:
    row = only(parse_rss(rss(item("a", link="/jobs/1")), url="https://board.example/feed"))
    assert row["url"] == "https://board.example/jobs/1"
    assert only(parse_rss(rss(item("a", link="javascript:alert(1)"))))["url"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<doc/>",
        b"<html><head><title>Captcha</title></head><body>Are you human?</body></html>",
        b'{"jobs": []}',
        b"\x1f\x8b\x08\x00\x00",
        b"\x00" * 64,
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss version="2.0"/>',
        b'<!-- <rss> --><!DOCTYPE r [<!entity a "b">]><rss version="2.0"><channel/></rss>',
    ],
)
def test_what_is_no_feed_is_a_failure_and_not_an_empty_feed(body: bytes) -> None:
    with pytest.raises(FeedError):
        parse_rss(body)


def test_a_valid_feed_without_items_is_empty() -> None:
    parsed = parse_rss(rss(""))
    assert (parsed.rows.height, parsed.rejects.height) == (0, 0)


def test_the_readable_part_of_a_truncated_feed_is_kept_and_the_break_is_reported() -> None:
    document = rss(item("One") + item("Two", link="https://jobs.example/2"))
    parsed = parse_rss(document[: document.index("Two") - 10])
    assert parsed.rows["title"].to_list()[0] == "One"
    assert "truncated" in parsed.rejects["reason"].to_list()


def test_a_sloppy_feed_that_is_whole_is_not_called_truncated() -> None:
    parsed = parse_rss(rss(item("R&D dev", "<description>a & b <br></description>")) + "\n")
    assert parsed.rows.height == 1 and parsed.rejects.is_empty()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><title>x</title>", "HTML"),
        (b'{"jobs": []}', "JSON"),
        (b"<doc/>", "no RSS, Atom or RDF"),
    ],
)
def test_the_error_says_what_the_body_is_instead_of_a_feed(body: bytes, message: str) -> None:
    with pytest.raises(FeedError, match=message):
        parse_rss(body)


def test_a_guid_that_several_links_share_names_none_of_them() -> None:
    guid = "<guid isPermaLink='false'>7</guid>"
    links = ("https://j.example/a", "https://j.example/b")
    parsed = parse_rss(rss("".join(item(link[-1], guid, link=link) for link in links)))
    assert parsed.rows["source_id"].n_unique() == 2 and "7" not in parsed.rows["source_id"].to_list()
    again = parse_rss(rss(item("a", guid, link=links[0]) * 2))
    assert again.rows["source_id"].to_list() == ["7", "7"]


GUESSED = {
    "jobicy": {"jobs": [{"jobTitle": "a"}]},
    "remotive": {"jobs": [{"publication_date": "a"}]},
    "greenhouse": {"jobs": [{"absolute_url": "a"}]},
    "ashby": {"jobs": [{"isListed": True}]},
    "himalayas": {"jobs": [{"companySlug": "a"}]},
    "lever": [{"hostedUrl": "a"}],
    "workingnomads": [{"category_name": "a"}],
    "remoteok": [{"legal": "a"}],
    "jsonfeed": {"items": []},
}


@pytest.mark.parametrize("format_", GUESSED)
def test_the_format_of_an_unknown_body_is_guessed_from_its_keys(format_: str) -> None:
    assert guess_format(json.dumps(GUESSED[format_]).encode()) == format_
    assert guess_format(b"\xef\xbb\xbf <rss/>") == "rss" and guess_format(b"{") == "jsonfeed"


def test_an_entry_without_title_is_refused_and_takes_no_other_with_it() -> None:
    parsed = parse_rss(rss(item("") + item("Cook")))
    assert parsed.rows["title"].to_list() == ["Cook"]
    assert parsed.rejects.select("entry", "reason").rows() == [("entry 0", "missing_title")]


def test_the_same_posting_has_the_same_id_and_hash_beside_other_postings() -> None:
    alone = only(parse_rss(rss(item("A: B"))))
    among = parse_rss(rss(item("C: D", link="https://jobs.example/2") + item("A: B"))).rows.row(1, named=True)
    assert (alone["job_id"], alone["content_hash"]) == (among["job_id"], among["content_hash"])


def test_a_changed_word_changes_the_hash_and_not_the_id() -> None:
    first = only(parse_rss(rss(item("A: B", "<description>one</description>"))))
    second = only(parse_rss(rss(item("A: B", "<description>two</description>"))))
    assert first["job_id"] == second["job_id"] and first["content_hash"] != second["content_hash"]


def test_tracking_parameters_do_not_make_another_job() -> None:
    assert canonical_link("http://J.example/a/?utm_source=x&id=3#top") == "https://j.example/a?id=3"
    assert stable_id(None, "https://j.example/a?id=3&utm_medium=rss") == stable_id(None, "https://j.example/a?id=3")


def test_ids_come_from_the_guid_then_the_link_then_a_hash() -> None:
    assert stable_id("abc-1.2_3", "https://djinni.co/jobs/55-x/") == "abc-1.2_3"
    assert stable_id("https://djinni.co/jobs/55-x/", None) == "55"
    assert len(stable_id("https://x.example/some/job", None)) == 16
    assert stable_id(None, None, "Acme", "Cook", None) == stable_id(None, None, "acme", "cook", None)


# --- JSON boards


def test_remote_ok_skips_its_notice_repairs_double_encoding_and_reads_zero_pay_as_unknown() -> None:
    job = {
        "id": "77", "position": "DÃ©veloppeur", "company": "Acme", "url": "https://remoteok.com/remote-jobs/77",
        "tags": ["dev"], "salary_min": 0, "salary_max": 90000, "epoch": 1630872060, "location": "Omsk, ",
    }  # fmt: skip
    row = only(parse_json("remoteok", [{"legal": "…", "last_updated": 1}, job]))
    assert (row["title"], row["location_text"], row["salary_min"]) == ("Développeur", "Omsk", None)
    assert (row["salary_max"], row["salary_currency"], row["salary_period"]) == (90000.0, "USD", "year")
    assert row["published_at"] == datetime(2021, 9, 5, 20, 1, tzinfo=UTC)


def test_remote_ok_with_only_its_notice_is_a_failure() -> None:
    with pytest.raises(FeedError, match="notice"):
        parse_json("remoteok", [{"legal": "…", "last_updated": 1}])


def test_remotive_times_are_utc_and_pay_stays_text() -> None:
    job = {
        "id": 5, "url": "https://remotive.com/remote-jobs/dev/x-5", "title": "Dev", "company_name": "Acme ",
        "publication_date": "2026-01-02T03:04:05", "salary": "$31,2k- $52k", "job_type": "full_time",
        "candidate_required_location": "Europe", "tags": ["python"], "category": "Software",
    }  # fmt: skip
    row = only(parse_json("remotive", {"jobs": [job]}))
    assert (row["job_id"], row["company"], row["salary_text"]) == ("board:5", "Acme", "$31,2k- $52k")
    assert row["published_at"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) and row["tags"] == ["python", "Software"]


def test_jobicy_lists_are_joined_and_spaces_mended() -> None:
    job = {
        "id": 9, "jobTitle": "Dev &amp; Ops", "companyName": "Acme", "jobGeo": "France,  Spain",
        "jobType": ["full-time"], "jobLevel": "Senior", "salaryMin": 10, "salaryMax": 20, "salaryCurrency": "EUR",
        "salaryPeriod": "hourly", "jobIndustry": ["IT &amp; Co"], "url": "https://jobicy.com/jobs/9-dev",
    }  # fmt: skip
    row = only(parse_json("jobicy", {"jobs": [job]}))
    assert (row["title"], row["location_text"], row["salary_period"]) == ("Dev & Ops", "France, Spain", "hour")
    assert row["tags"] == ["IT & Co"]


def test_greenhouse_content_is_unescaped_once_and_cents_become_units() -> None:
    job = {
        "id": 4, "title": "Dev", "absolute_url": "https://g.example/4", "location": {"name": "Berlin"},
        "content": "&lt;p&gt;Tom &amp;amp; Co&lt;/p&gt;", "first_published": "2026-01-01T00:00:00-05:00",
        "pay_input_ranges": [{"min_cents": 100000, "max_cents": 200000, "currency_type": "USD", "title": "Annual"}],
    }  # fmt: skip
    row = only(parse_json("greenhouse", {"jobs": [job], "meta": {"total": 1}}, company="Acme"))
    assert (row["description"], row["company"]) == ("<p>Tom &amp; Co</p>", "Acme")
    assert (row["salary_min"], row["salary_max"], row["salary_period"]) == (1000.0, 2000.0, "year")
    assert row["initial_created_at"] == datetime(2026, 1, 1, 5, tzinfo=UTC)


def test_a_greenhouse_board_that_holds_fewer_jobs_than_it_counts_is_truncated() -> None:
    for total, reasons in ((2, ["truncated"]), (1, []), (None, [])):
        parsed = parse_json("greenhouse", {"jobs": [{"id": 1, "title": "Dev"}], "meta": {"total": total}})
        assert (parsed.rows.height, parsed.rejects["reason"].to_list()) == (1, reasons)


def test_lever_sections_are_part_of_the_description_and_times_are_milliseconds() -> None:
    job = {
        "id": "ab-1", "text": "Dev", "categories": {"location": "Oslo", "commitment": "Full-time"}, "country": "NO",
        "description": "<p>Hi</p>", "lists": [{"text": "Needs", "content": "<li>SQL</li>"}], "createdAt": 1767225600000,
        "workplaceType": "hybrid",
        "salaryRange": {"min": 1, "max": 2, "currency": "EUR", "interval": "per-year-salary"},
    }  # fmt: skip
    row = only(parse_json("lever", [job]))
    assert "SQL" in str(row["description"]) and row["work_format"] == "hybrid" and row["salary_period"] == "year"
    assert row["published_at"] == datetime(2026, 1, 1, tzinfo=UTC)


def test_ashby_jobs_that_are_not_listed_are_refused() -> None:
    jobs = [
        {"id": "1", "title": "Seen", "isListed": True, "isRemote": True},
        {"id": "2", "title": "x", "isListed": False},
    ]
    parsed = parse_json("ashby", {"apiVersion": "1", "jobs": jobs})
    assert only(parsed)["work_format"] == "remote"
    assert parsed.rejects["reason"].to_list() == ["unlisted"]


def test_himalayas_without_restriction_is_worldwide() -> None:
    job = {
        "title": "Dev", "companyName": "Acme", "guid": "https://himalayas.app/jobs/1", "locationRestrictions": [],
        "pubDate": 1767225600, "expiryDate": 1769904000, "minSalary": 5, "maxSalary": 6, "currency": "USD",
    }  # fmt: skip
    row = only(parse_json("himalayas", {"jobs": [job]}))
    assert row["location_text"] == "Anywhere in the World" and row["expires_at"] == datetime(2026, 2, 1, tzinfo=UTC)


def test_working_nomads_ids_come_from_the_url_and_tags_from_one_string() -> None:
    job = {
        "url": "https://www.workingnomads.com/job/go/77/", "title": "Dev ", "company_name": "Acme",
        "location": "Europe", "category_name": "Development", "tags": "python,sql",
        "pub_date": "2026-01-01T00:00:00-04:00",
    }  # fmt: skip
    row = only(parse_json("workingnomads", [job]))
    assert (row["source_id"], row["title"], row["work_format"]) == ("77", "Dev", "remote")
    assert row["tags"] == ["python", "sql", "Development"]
    assert row["published_at"] == datetime(2026, 1, 1, 4, tzinfo=UTC)


def test_json_feed_needs_its_version() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "items": [{"id": "1", "title": "Cook", "url": "https://j.example"}],
    }
    assert only(parse_json("jsonfeed", feed))["title"] == "Cook"
    with pytest.raises(FeedError):
        parse_json("jsonfeed", {"items": []})


@pytest.mark.parametrize("format_", [name for name in FORMATS if name != "rss"])
def test_json_of_another_shape_is_a_failure(format_: str) -> None:
    for document in ({}, {"error": 1}, 3, "x", {"jobs": {}}):
        with pytest.raises(FeedError):
            parse_json(format_, document)


@pytest.mark.parametrize("format_", ["remotive", "jobicy", "greenhouse", "ashby", "himalayas"])
def test_entries_that_are_no_objects_are_refused_one_by_one(format_: str) -> None:
    parsed = parse_json(format_, {"jobs": [1, None, [], "x", {}]})
    assert parsed.rejects["reason"].to_list() == ["bad_entry"] * 4 + ["missing_title"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
JOB_KEYS = (
    "id", "title", "url", "position", "text", "location", "categories", "salaryRange", "lists", "address", "tags",
    "compensation", "epoch", "pubDate", "guid", "pay_input_ranges", "departments", "isListed", "salary_min", "jobType",
    "locationRestrictions", "description", "content",
)  # fmt: skip
job_keys = st.sampled_from(JOB_KEYS)


@given(format_=st.sampled_from(sorted(FORMATS)), job=st.dictionaries(job_keys, json_values, max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_job_object_of_any_shape_raises_or_is_lost(format_: str, job: dict[str, object]) -> None:
    board = FORMATS[format_]
    document: object = [{**job, "id": "1"}] if board.jobs_at is None else {board.jobs_at: [job]}
    if format_ == "jsonfeed":
        document = {"version": "https://jsonfeed.org/version/1", "items": [job]}
    if board.known_by or format_ == "jsonfeed":
        parsed = parse_json(format_, document)
        assert parsed.rows.height + parsed.rejects.height == 1
        PARSED_POSTINGS.validate(parsed.rows)
        REJECTS.validate(parsed.rejects)


@given(format_=st.sampled_from(sorted(FORMATS)), body=st.binary(max_size=300))
@example(format_="remotive", body=b"[" * 100_000)
@example(format_="rss", body=b"<rss" + b"<a" * 5_000)
@example(format_="rss", body=b"<!--" * 5_000)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_rows_or_a_feed_error(format_: str, body: bytes) -> None:
    try:
        parsed = parse_feed(body, feed=FeedContext("board", format_))
    except FeedError:
        return
    assert isinstance(parsed.rows, pl.DataFrame)


TORN = (
    "<item>", "</item>", "<title>", "</title>", "x: y", "<link>", "&amp;", "<![CDATA[", "]]>", "<pubDate>", "2026",
    "</pubDate>", "<guid>", "<georss:point>", "1 2", "<category>", "http://[", "\x00",
)  # fmt: skip


@given(pieces=st.lists(st.sampled_from(TORN), max_size=30))
@settings(max_examples=100, deadline=None)
def test_torn_markup_never_raises_anything_but_a_feed_error(pieces: list[str]) -> None:
    with contextlib.suppress(FeedError):
        parse_rss(rss("".join(pieces)))
