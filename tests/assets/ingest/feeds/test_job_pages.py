"""Answers about single jobs: which are asked for, when again, and what faults of a site do."""

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from assets.config.sources import FeedSource, Sources
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.feeds.job_pages import load_known_pages
from assets.ingest.http.client import HttpClient
from assets.ingest.jobs.postings import open_jobs
from assets.ingest.report import SourceCounts
from assets.lake import Lake
from features.schemas.bronze import FEED_POSTINGS, QUARANTINE
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, Request, make_client
from tests.features.sources.feeds.boards.documents import (
    BAMBOOHR,
    BAMBOOHR_JOB,
    SMARTRECRUITERS_ITEM,
    SMARTRECRUITERS_JOB,
)

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def run(
    lake: Lake, landing: Path, client: HttpClient, url: str, format_: str = "jsonld", *, at: dt.datetime = AS_OF,
    **settings: object,
) -> SourceCounts:  # fmt: skip
    about = {"lists_all_open_jobs": True, "min_interval_minutes": 1, **settings}
    feed = FeedSource.model_validate({"name": "site", "url": url, "format": format_, **about})
    report = ingest_feeds(lake, landing, Sources(feeds=[feed]), client, as_of=at)
    report.metadata()  # raises unless all that was read is accounted for
    return report.of("site")


def jobs(lake: Lake) -> set[str]:
    """Titles of the jobs that are open."""
    titles = lake.scan("bronze", FEED_POSTINGS).select("job_id", "title").unique().collect()
    return set(open_jobs(lake, "site").join(titles, on="job_id")["title"])


def posting(title: str) -> bytes:
    data = {
        "@context": "https://schema.org",
        "@type": "JobPosting",
        "title": title,
        "url": "https://site.example/careers",
    }
    return f'<html><script type="application/ld+json">{json.dumps(data)}</script></html>'.encode()


def sitemap(server: FaultServer, paths: Iterable[str], *, changed: str = "", root: str = "urlset") -> Answer:
    tag = "sitemap" if root == "sitemapindex" else "url"
    mark = f"<lastmod>{changed}</lastmod>" if changed else ""
    entries = "".join(
        f"<{tag}><loc>{path if '://' in path else server.url + path}</loc>{mark}</{tag}>" for path in paths
    )
    return Answer(body=f"<{root} xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{entries}</{root}>".encode())


@pytest.fixture
def site(server: FaultServer) -> str:
    """A site with three jobs; returns the address of its sitemap."""
    for n in (1, 2, 3):
        server.route(f"/jobs/{n}", Answer(body=posting(f"Cook {n}"), headers={"ETag": f'"{n}"'}))
    return server.route("/sitemap.xml", sitemap(server, [f"/jobs/{n}" for n in (1, 2, 3)], changed="2026-01-01"))


def asked(server: FaultServer) -> list[str]:
    """The pages that were asked for since the last call."""
    found = [request.path for request in server.requests if request.path.startswith("/jobs/")]
    server.requests.clear()
    return found


def test_a_site_is_read_by_its_sitemap_and_pages_that_did_not_change_are_not_asked_again(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    assert run(lake, landing, client, site).n_new == 3
    assert jobs(lake) == {"Cook 1", "Cook 2", "Cook 3"} and len(asked(server)) == 3
    counts = run(lake, landing, client, site, at=AS_OF + HOUR)
    assert asked(server) == [] and jobs(lake) == {"Cook 1", "Cook 2", "Cook 3"}
    assert counts.n_listed == 3 and not counts.is_failed
    last = open_jobs(lake, "site")["seen_at"].unique().to_list()
    assert last == [AS_OF + HOUR]


def test_a_page_with_a_new_date_is_asked_with_its_validator(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    asked(server)
    server.route("/sitemap.xml", sitemap(server, ["/jobs/1", "/jobs/2", "/jobs/3"], changed="2026-02-01"))
    server.route("/jobs/1", Answer(304))
    run(lake, landing, client, site, at=AS_OF + HOUR)
    assert server.requests and all("if-none-match" in r.headers for r in server.requests if r.path.startswith("/jobs/"))
    assert sorted(asked(server)) == ["/jobs/1", "/jobs/2", "/jobs/3"] and jobs(lake) == {"Cook 1", "Cook 2", "Cook 3"}


def test_a_page_that_left_the_sitemap_closes_its_job_and_so_does_one_that_is_gone(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    server.route("/sitemap.xml", sitemap(server, ["/jobs/1", "/jobs/2"], changed="2026-02-01"))
    server.route("/jobs/2", Answer(410))
    run(lake, landing, client, site, at=AS_OF + HOUR)
    assert jobs(lake) == {"Cook 1"}
    asked(server)
    run(lake, landing, client, site, at=AS_OF + 2 * HOUR)
    assert asked(server) == []


def test_old_readings_are_repeated_after_a_week(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    asked(server)
    server.route("/jobs/1", Answer(body=posting("Chef 1")))
    run(lake, landing, client, site, at=AS_OF + 8 * DAY)
    assert len(asked(server)) == 3 and "Chef 1" in jobs(lake)


def test_a_clock_that_was_ahead_once_does_not_silence_the_pages_of_a_site(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site, at=AS_OF + 4000 * DAY)
    asked(server)
    asked_then = []
    for n in range(2):
        run(lake, landing, client, site, at=AS_OF + n * HOUR)
        asked_then.append(len(asked(server)))
    assert asked_then == [3, 0]


def test_what_the_cap_leaves_comes_with_the_next_run_and_closes_nothing(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    first = run(lake, landing, client, site, max_job_pages=2)
    assert first.statuses == ["read; 1 job pages left for the next run"] and len(asked(server)) == 2
    run(lake, landing, client, site, at=AS_OF + HOUR, max_job_pages=2)
    assert asked(server) == ["/jobs/3"] and jobs(lake) == {"Cook 1", "Cook 2", "Cook 3"}


def test_only_addresses_that_match_the_pattern_are_asked(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site, page_pattern="/jobs/[12]$")
    assert sorted(asked(server)) == ["/jobs/1", "/jobs/2"]


def test_robots_txt_is_obeyed(lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str) -> None:
    server.route("/robots.txt", Answer(body=b"User-agent: *\nDisallow: /jobs/2"))
    counts = run(lake, landing, client, site)
    assert sorted(asked(server)) == ["/jobs/1", "/jobs/3"]
    assert counts.statuses == ["read; 1 job pages disallowed by robots.txt"]


def test_a_job_whose_page_robots_txt_disallows_is_kept_while_it_is_listed(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    server.route("/robots.txt", Answer(body=b"User-agent: *\nDisallow: /jobs/"))
    counts = run(lake, landing, client, site, at=AS_OF + 8 * DAY)
    assert jobs(lake) == {"Cook 1", "Cook 2", "Cook 3"} and counts.n_listed == 3
    server.route("/sitemap.xml", sitemap(server, ["/jobs/1", "/jobs/2"]))
    run(lake, landing, client, site, at=AS_OF + 9 * DAY)
    assert jobs(lake) == {"Cook 1", "Cook 2"}


@pytest.mark.parametrize("robots", [Answer(body=b"User-agent: *\nDisallow: /"), Answer(503)])
def test_a_site_that_allows_nothing_is_asked_for_nothing(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str, robots: Answer
) -> None:
    server.route("/robots.txt", robots)
    counts = run(lake, landing, client, site)
    assert counts.is_failed and "robots.txt" in counts.statuses[0]
    assert {request.path for request in server.requests} == {"/robots.txt"}


def test_no_other_host_is_asked_by_links_or_redirects(
    lake: Lake, landing: Path, server: FaultServer, fake_time: FakeTime, site: str
) -> None:
    client = make_client(fake_time, allowed_private_hosts=["127.0.0.1", "localhost"])
    elsewhere = server.url.replace("127.0.0.1", "localhost")
    server.route("/jobs/1", Answer(302, headers={"Location": f"{elsewhere}/jobs/9"}))
    server.route("/sitemap.xml", sitemap(server, ["/jobs/1", "/jobs/2", f"{elsewhere}/jobs/8"]))
    counts = run(lake, landing, client, site)
    assert jobs(lake) == {"Cook 2"} and "1 job pages failed" in counts.statuses[0]
    assert all(request.headers["host"].startswith("127.0.0.1") for request in server.requests)


def test_a_site_that_asks_for_a_pause_is_left_alone_and_nothing_is_closed(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    server.route("/sitemap.xml", sitemap(server, ["/jobs/1", "/jobs/2", "/jobs/3"], changed="2026-02-01"))
    server.route("/jobs/*", Answer(429))
    for n in (1, 2, 3):
        server.route(f"/jobs/{n}", Answer(429, headers={"Retry-After": "3600"}))
    asked(server)
    counts = run(lake, landing, client, site, at=AS_OF + HOUR)
    assert len(set(asked(server))) == 1 and "job pages stopped" in counts.statuses[0]
    assert jobs(lake) == {"Cook 1", "Cook 2", "Cook 3"}


CHALLENGE = Answer(body=b"<html><body>Prove that you are human</body></html>")


@pytest.mark.parametrize("fault", [Answer(404), CHALLENGE])
def test_a_site_whose_pages_all_lose_their_jobs_at_once_is_not_believed(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, fault: Answer
) -> None:
    paths = [f"/jobs/{n}" for n in range(100)]
    server.route("/jobs/*", lambda request: Answer(body=posting(request.path)))
    url = server.route("/sitemap.xml", sitemap(server, paths, changed="2026-01-01"))
    run(lake, landing, client, url, max_job_pages=70)
    run(lake, landing, client, url, at=AS_OF + 5 * DAY)
    server.route("/jobs/*", fault)
    for n in range(2):  # of the first 70, then of the others too
        counts = run(lake, landing, client, url, at=AS_OF + (8 + 5 * n) * DAY)
        assert len(jobs(lake)) == 100 and "nothing is closed" in counts.statuses[0]
    server.route("/jobs/*", lambda request: Answer(body=posting(request.path)))
    counts = run(lake, landing, client, url, at=AS_OF + 14 * DAY)
    assert len(jobs(lake)) == 100 and counts.statuses == ["read"]


def test_a_small_site_that_loses_its_jobs_is_believed_if_the_next_reading_repeats_it(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    for n in (1, 2, 3):
        server.route(f"/jobs/{n}", CHALLENGE)
    asked(server)
    open_then, asked_then = [], []
    for n in range(3):
        run(lake, landing, client, site, at=AS_OF + 8 * DAY + n * HOUR)
        open_then.append(len(jobs(lake)))
        asked_then.append(len(asked(server)))
    assert (open_then, asked_then) == ([3, 0, 0], [3, 3, 0])


def test_endless_sitemaps_end_at_the_cap(lake: Lake, landing: Path, client: HttpClient, server: FaultServer) -> None:
    def deeper(request: Request) -> Answer:
        return sitemap(server, [request.path + "x"], root="sitemapindex")

    counts = run(lake, landing, client, server.route("/maps/*", deeper) + "a", max_pages=5)
    assert counts.statuses == ["read, cut at 5 pages"]


def test_sitemaps_in_a_circle_are_a_failure(lake: Lake, landing: Path, client: HttpClient, server: FaultServer) -> None:
    url = server.url + "/a.xml"
    server.route("/a.xml", sitemap(server, [url], root="sitemapindex"))
    assert "circle" in run(lake, landing, client, url).statuses[0]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<urlset><url><loc>", "breaks off"),
        (b"", "no HTML page"),
        (b"<html><body>Nothing here</body></html>", "no schema.org JobPosting"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><urlset/>', "entities"),
        (b"\x1f\x8bdamaged", "damaged gzip"),
    ],
)
def test_a_broken_sitemap_is_told_and_quarantined(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, body: bytes, says: str
) -> None:
    counts = run(lake, landing, client, server.route("/sitemap.xml", Answer(body=body)))
    assert says in counts.statuses[0] and lake.n_rows("bronze", QUARANTINE) == 1


def test_a_page_without_a_posting_costs_no_other_and_is_not_asked_again_soon(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    server.route("/jobs/2", Answer(body=b"<html><body>About us</body></html>"))
    run(lake, landing, client, site)
    assert jobs(lake) == {"Cook 1", "Cook 3"}
    asked(server)
    run(lake, landing, client, site, at=AS_OF + 8 * DAY)
    assert sorted(asked(server)) == ["/jobs/1", "/jobs/3"]


def test_one_page_with_postings_is_a_feed_too(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    url = server.route("/careers", Answer(body=posting("Cook"), headers={"ETag": '"1"'}))
    run(lake, landing, client, url)
    server.route("/careers", Answer(304))
    assert run(lake, landing, client, url, at=AS_OF + HOUR).statuses == ["unchanged (304)"]
    assert jobs(lake) == {"Cook"}


def test_a_landed_page_is_the_same_job_as_a_fetched_one(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    url = server.url + "/jobs/1"
    body = posting("Cook").replace(b"<html>", f"<html><link rel='canonical' href='{url}'/>".encode())
    server.route("/jobs/1", Answer(body=body))
    (landing / "feeds/site").mkdir(parents=True)
    (landing / "feeds/site/page.html").write_bytes(body)
    run(lake, landing, client, server.route("/sitemap.xml", sitemap(server, ["/jobs/1"])))
    assert lake.scan("bronze", FEED_POSTINGS).select(pl.col("job_id").n_unique()).collect().item() == 1
    assert lake.n_rows("bronze", FEED_POSTINGS) == 1


def test_a_landed_page_of_one_job_closes_no_other(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, site: str
) -> None:
    run(lake, landing, client, site)
    (landing / "feeds/site").mkdir(parents=True)
    (landing / "feeds/site/page.html").write_bytes(posting("Baker"))
    run(lake, landing, client, site, at=AS_OF + HOUR)
    assert jobs(lake) == {"Cook 1", "Cook 2", "Cook 3", "Baker"}


# --- lists with an answer for each job


def smartrecruiters(server: FaultServer, *names: str) -> str:
    """A list of postings called `names`, and their answers."""
    found = []
    for n, name in enumerate(names, 1):
        ref = f"{server.url}/jobs/{n}"
        found.append({**SMARTRECRUITERS_ITEM, "id": str(n), "name": name, "ref": ref})
        server.route(
            f"/jobs/{n}", Answer(body=json.dumps({**SMARTRECRUITERS_JOB, "id": str(n), "name": name}).encode())
        )
    document = {"offset": 0, "limit": 100, "totalFound": len(found), "content": found}
    return server.route("/postings", Answer(body=json.dumps(document).encode()))


def texts(lake: Lake) -> dict[str, str | None]:
    """The newest version of each job: its title and description."""
    rows = lake.scan("bronze", FEED_POSTINGS).sort("seen_at").group_by("job_id").last().collect()
    return dict(rows.select("title", "description").iter_rows())


def test_each_listed_job_is_completed_once_and_again_if_its_entry_changes(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    run(lake, landing, client, smartrecruiters(server, "Cook", "Clerk"), "smartrecruiters")
    assert sorted(asked(server)) == ["/jobs/1", "/jobs/2"]
    assert all(texts(lake).values()) and jobs(lake) == {"Cook", "Clerk"}
    run(lake, landing, client, smartrecruiters(server, "Cook", "Head clerk"), "smartrecruiters", at=AS_OF + HOUR)
    assert asked(server) == ["/jobs/2"] and set(texts(lake)) == {"Cook", "Head clerk"}
    run(lake, landing, client, smartrecruiters(server, "Cook"), "smartrecruiters", at=AS_OF + 2 * HOUR)
    assert asked(server) == [] and open_jobs(lake, "site").height == 1


def test_a_job_whose_answer_fails_is_kept_as_listed_and_asked_again(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    url = smartrecruiters(server, "Cook", "Clerk")
    server.route("/jobs/1", Answer(500))
    counts = run(lake, landing, client, url, "smartrecruiters")
    assert "1 job pages failed" in counts.statuses[0] and jobs(lake) == {"Cook", "Clerk"}
    assert texts(lake)["Cook"] is None
    smartrecruiters(server, "Cook", "Clerk")
    asked(server)
    run(lake, landing, client, url, "smartrecruiters", at=AS_OF + HOUR)
    assert asked(server) == ["/jobs/1"] and texts(lake)["Cook"] is not None


def test_openings_of_bamboohr_are_completed_under_the_same_id(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    server.route("/careers/31/detail", Answer(body=json.dumps(BAMBOOHR_JOB).encode()))
    run(lake, landing, client, server.route("/careers/list", Answer(body=json.dumps(BAMBOOHR).encode())), "bamboohr")
    assert open_jobs(lake, "site")["job_id"].to_list() == ["site:31"]
    assert texts(lake) == {"Cook": "<p>Cook.</p>"}
    assert list(load_known_pages(lake, "site")) == [f"{server.url}/careers/31/detail"]
