"""Facts and news of companies: out of landing/, from GitHub and from feeds, all served by a local server."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assets.config.sources import CompanySource, Sources
from assets.ingest.companies.facts import ingest_company_facts
from assets.ingest.companies.news import DAYS_KEPT, ingest_company_news
from assets.ingest.http.client import HttpClient
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.bronze import QUARANTINE
from features.schemas.companies import COMPANY_FACTS, COMPANY_NEWS
from tests.assets.ingest.http.fault_server import Answer, FaultServer, Request

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
BIDI = "\u202e"


def item(title: str, link: str, date: str = "Fri, 27 Feb 2026 10:00:00 GMT") -> str:
    return f"<item><title>{title}</title><link>{link}</link><pubDate>{date}</pubDate></item>"


def rss(*items: str) -> bytes:
    return f"<rss version='2.0'><channel><title>News</title>{''.join(items)}</channel></rss>".encode()


def source(name: str = "acme", **about: Any) -> CompanySource:
    return CompanySource.model_validate({"name": name, "company": "Acme GmbH", **about})


def news(lake: Lake, landing: Path, client: HttpClient, *sources: CompanySource, at: dt.datetime = AS_OF) -> RunReport:
    report = ingest_company_news(lake, landing, sources, client, as_of=at)
    report.metadata()  # raises unless all that was read is accounted for
    return report


def facts(
    lake: Lake, landing: Path, client: HttpClient, *sources: CompanySource, api: str = "http://127.0.0.1:1",
    at: dt.datetime = AS_OF, environment: dict[str, str] | None = None,
) -> RunReport:  # fmt: skip
    configured = Sources.model_validate({"companies": [], "github_api": api}).model_copy(
        update={"companies": list(sources)}
    )
    report = ingest_company_facts(lake, landing, configured, client, as_of=at, environment=environment or {})
    report.metadata()
    return report


def stored(lake: Lake, table: Any) -> list[dict[str, Any]]:
    return lake.scan("bronze", table).collect().to_dicts()


def reasons(lake: Lake) -> list[str]:
    return lake.scan("bronze", QUARANTINE).collect().sort("entry", "reason")["reason"].to_list()


def test_news_are_read_with_plain_titles_and_links_that_lead_to_pages_only(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    nasty = f"<![CDATA[<b>Acme</b> {BIDI}opens &lt;script&gt;alert(1)&lt;/script&gt; an office&#7;]]>"
    body = rss(
        item(nasty, "https://acme.example/1"),
        item("Bad", "javascript:alert(1)"),
        item("Tomorrow", "https://acme.example/3", "Thu, 05 Mar 2026 10:00:00 GMT"),
        item("Old", "https://acme.example/4", "Mon, 27 Oct 2025 10:00:00 GMT"),
        item("", "https://acme.example/5"),
        "<item><title>No date</title><link>https://acme.example/6</link></item>",
    )  # fmt: skip
    acme = source(news=server.route("/news", Answer(body=body)))
    report = news(lake, landing, client, acme)
    (row,) = stored(lake, COMPANY_NEWS)
    assert (row["company_id"], row["source"], row["url"]) == ("name:acme", "127.0.0.1", "https://acme.example/1")
    assert row["title"] == "Acme opens alert(1) an office"
    assert sorted(reasons(lake)) == ["future_published_at", "missing_link", "missing_published_at", "missing_title"]
    assert report.of("news/acme").status == "read"
    assert DAYS_KEPT < 125, "the old entry is dropped"


def test_news_are_asked_for_again_only_when_due_and_only_if_they_changed(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    def answer(request: Request) -> Answer:
        known = request.headers.get("if-none-match") == '"1"'
        return Answer(304) if known else Answer(body=rss(item("One", "https://a.example/1")), headers={"ETag": '"1"'})

    acme = source(news=server.route("/news", answer))
    assert news(lake, landing, client, acme).of("news/acme").n_new == 1
    assert news(lake, landing, client, acme).of("news/acme").status == "not due yet"
    assert news(lake, landing, client, acme, at=AS_OF + DAY).of("news/acme").status == "unchanged (304)"
    assert server.count("/news") == 2
    assert len(stored(lake, COMPANY_NEWS)) == 1


def test_news_that_a_run_could_not_store_are_read_by_the_next(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer(body=rss(item("One", "https://a.example/1")), headers={"ETag": '"v1"'})
    acme = source(news=server.route("/news", answer))
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "replace", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            news(lake, landing, client, acme)
    assert news(lake, landing, client, acme).of("news/acme").n_new == 1


def test_a_bad_feed_harms_no_other_and_a_disabled_one_is_not_asked(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    bad = source("bad", news=server.route("/bad", Answer(body=b"<html>no feed</html>")))
    off = source("off", news=server.route("/off", Answer(body=rss())), enabled=False)
    good = source("good", news=server.route("/good", Answer(body=rss(item("One", "https://a.example/1")))))
    report = news(lake, landing, client, bad, off, good)
    assert report.of("news/bad").is_failed
    assert report.of("news/bad").status == "failed: feed bad: an HTML page, no feed"
    assert [row["title"] for row in stored(lake, COMPANY_NEWS)] == ["One"]
    assert server.count("/off") == 0


def test_saved_feeds_are_read_as_if_they_were_fetched_and_those_of_nobody_are_refused(
    lake: Lake, landing: Path, client: HttpClient
) -> None:
    for name in ("acme", "nobody"):
        (landing / "company_news" / name).mkdir(parents=True)
        (landing / "company_news" / name / "feed.xml").write_bytes(rss(item("Saved", "https://a.example/1")))
    (landing / "company_news" / "acme" / "page.html").write_bytes(b"<html>")
    acme = source(news="https://news.acme.example/feed", enabled=False)
    news(lake, landing, client, acme)
    (row,) = stored(lake, COMPANY_NEWS)
    assert (row["title"], row["source"]) == ("Saved", "news.acme.example")
    assert sorted(reasons(lake)) == ["unknown_company", "unsupported_format"]
    news(lake, landing, client, acme, source("nobody", company="Nobody", github="nobody"), at=AS_OF + DAY)
    assert {row["company_id"] for row in stored(lake, COMPANY_NEWS)} == {"name:acme", "name:nobody"}


def repository(n: int, **about: Any) -> dict[str, Any]:
    made = {"name": f"r{n}", "stargazers_count": n, "language": "Go" if n % 2 else "Python"}
    return {**made, "fork": False, "archived": False, "pushed_at": f"2026-02-{1 + n % 20:02}T00:00:00Z", **about}


def github(server: FaultServer, repositories: list[dict[str, Any]], **about: Any) -> list[Request]:
    asked: list[Request] = []
    organisation = {"login": "acme", "public_repos": len(repositories), "html_url": "https://github.com/acme", **about}

    def listing(request: Request) -> Answer:
        asked.append(request)
        first = 100 * (int(request.values("page")[0]) - 1)
        return Answer(body=json.dumps(repositories[first : first + 100]).encode())

    server.route("/orgs/acme", Answer(body=json.dumps(organisation).encode()))
    server.route("/orgs/acme/repos", listing)
    return asked


def test_a_public_organisation_becomes_facts_with_their_page_and_date(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    listed = [repository(n) for n in range(120)] + [
        repository(1, fork=True, stargazers_count=10**6), repository(2, archived=True, stargazers_count=10**6),
    ]  # fmt: skip
    asked = github(server, listed)
    report = facts(lake, landing, client, source(github="acme"), api=server.url, environment={"GITHUB_TOKEN": "t0ken"})
    found = {row["fact"]: row for row in stored(lake, COMPANY_FACTS)}
    assert {fact: row["value"] for fact, row in found.items()} == {
        "github_repositories": "122",
        "github_stars": str(sum(range(120))),
        "github_languages": "Go (60), Python (60)",
        "github_last_push": "2026-02-20",
    }
    assert {(row["company_id"], row["source"], row["url"], row["observed_at"]) for row in found.values()} == {
        ("name:acme", "GitHub", "https://github.com/acme", AS_OF)
    }
    assert [request.values("page") for request in asked] == [["1"], ["2"]]
    assert {request.headers["authorization"] for request in asked} == {"Bearer t0ken"}
    assert report.of("github/acme").n_new == 4
    assert facts(lake, landing, client, source(github="acme"), api=server.url).of("github/acme").status == "not due yet"


@pytest.mark.parametrize("in_pages", [True, False])
def test_landed_answers_of_github_give_the_facts_of_their_fetch(
    tmp_path: Path, landing: Path, client: HttpClient, server: FaultServer, *, in_pages: bool
) -> None:
    listed = [repository(n, fork=n % 7 == 0) for n in range(230)]
    github(server, listed)
    fetched, replayed = Lake(tmp_path / "fetched"), Lake(tmp_path / "replayed")
    facts(fetched, landing, client, source(github="acme"), api=server.url)
    pages = [listed[:100], listed[100:200], listed[200:]]
    organisation = {"login": "acme", "public_repos": 230, "html_url": "https://github.com/acme"}
    answers = {"organisation": organisation, "repositories": pages if in_pages else listed}
    (landing / "companies").mkdir(parents=True)
    saved = {"company": "Acme GmbH", "observed_at": AS_OF.isoformat(), "github": answers}
    (landing / "companies" / "acme.json").write_text(json.dumps(saved))
    report = facts(replayed, landing, client, at=AS_OF + 7 * DAY)
    assert report.of("companies").n_new == 4
    assert stored(replayed, COMPANY_FACTS) == stored(fetched, COMPANY_FACTS)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", "the answer about an organisation has no login"),
        (b"[[[[", "the answer is no JSON"),
        (b'{"login": "acme", "public_repos": "many"}', "no number of public repositories"),
    ],
)
def test_an_answer_that_is_not_github_s_stores_nothing(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, body: bytes, status: str
) -> None:
    server.route("/orgs/acme", Answer(body=body))
    report = facts(lake, landing, client, source(github="acme"), api=server.url)
    assert status in report.of("github/acme").status
    assert stored(lake, COMPANY_FACTS) == []


def test_where_github_refuses_no_other_organisation_is_asked_in_this_run(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    server.route("/orgs/*", Answer(403, body=b'{"message": "API rate limit exceeded"}'))
    report = facts(lake, landing, client, source("a", github="a"), source("b", github="b"), api=server.url)
    assert report.of("github/b").status == "skipped: its host refuses further requests (403)"
    assert server.count("/orgs/b") == 0


def test_landed_documents_hold_many_facts_and_rubbish_goes_to_quarantine(
    lake: Lake, landing: Path, client: HttpClient
) -> None:
    folder = landing / "companies"
    folder.mkdir(parents=True)
    good = {
        "company": "Acme", "source": "register", "observed_at": "2026-02-20", "url": "javascript:alert(1)",
        "facts": {"headcount": 120, "is listed": False, "offices": ["Berlin", f"Alma{BIDI}ty"], "board": {"a": 1},
                  "x": None},
    }  # fmt: skip
    (folder / "one.json").write_text(json.dumps(good))
    (folder / "many.json").write_text(
        json.dumps([{**good, "company": "Beta", "facts": {"founded": 1999}}, {"company": "C"}, 7])
    )
    (folder / "bad.json").write_text("{")
    (folder / "lines.jsonl").write_text(json.dumps({**good, "company": "Delta", "facts": {"founded": 2001}}) + "\n")
    facts(lake, landing, client)
    found = {(row["company_id"], row["fact"]): row["value"] for row in stored(lake, COMPANY_FACTS)}
    assert found == {
        ("name:acme", "headcount"): "120", ("name:acme", "is listed"): "no", ("name:acme", "offices"): "Berlin, Almaty",
        ("name:beta", "founded"): "1999", ("name:delta", "founded"): "2001",
    }  # fmt: skip
    assert {row["url"] for row in stored(lake, COMPANY_FACTS)} == {None}
    assert sorted(reasons(lake)) == ["bad_json", "bad_value", "missing_company", "missing_source", "missing_value"]


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"company": None, "news": "https://a.example/feed"}, "names no employer"),
        ({}, "names no source"),
        ({"news": "https://www.linkedin.com/company/acme/feed"}, "LinkedIn is never read"),
        ({"github": "a/b"}, "github"),
        ({"news": "file:///etc/passwd"}, "news"),
    ],
)
def test_a_source_that_can_not_be_used_is_refused_when_it_is_loaded(about: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        source(**about)
