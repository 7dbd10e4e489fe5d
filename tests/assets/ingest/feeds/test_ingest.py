"""Feeds over HTTP and out of landing/: versions, sightings, ends, state, and isolation of bad ones."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pytest

from assets.config.sources import FeedSource, Sources
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.http.client import HttpClient
from assets.ingest.report import RunReport
from assets.ingest.source_state import (
    DictionaryState,
    FeedState,
    QueryState,
    SourceStates,
    address_of,
    believable_states,
    load_states,
    update_states,
)
from assets.lake import Lake
from features.schemas.bronze import FEED_POSTINGS, QUARANTINE, SIGHTINGS
from features.schemas.table import Table
from tests.assets.ingest.http.fault_server import Answer, FakeTime, FaultServer, Request, make_client

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def rss(*titles: str) -> bytes:
    items = "".join(
        f"<item><title>{t}</title><guid isPermaLink='false'>{t.split()[-1]}</guid><description>{t}</description></item>"
        for t in titles
    )
    return f"<rss version='2.0'><channel><title>Jobs</title>{items}</channel></rss>".encode()


def feed(name: str, url: str, **settings: object) -> FeedSource:
    return FeedSource.model_validate({"name": name, "url": url, **settings})


def rows(lake: Lake, table: Table) -> pl.DataFrame:
    return lake.scan("bronze", table).collect()


def run(lake: Lake, landing: Path, client: HttpClient, *feeds: FeedSource, at: dt.datetime = AS_OF) -> RunReport:
    report = ingest_feeds(lake, landing, Sources(feeds=list(feeds)), client, as_of=at)
    report.metadata()  # raises unless all that was read is accounted for
    return report


def test_a_feed_is_read_once_and_reading_it_again_at_the_same_instant_changes_nothing(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    board = feed("board", server.route("/feed", Answer(body=rss("Clerk 1", "Cook 2"))))
    assert run(lake, landing, client, board).of("board").n_new == 2
    before = {p: p.read_bytes() for p in lake.root.rglob("*.parquet")}
    assert run(lake, landing, client, board).of("board").statuses == ["not due yet"]
    assert {p: p.read_bytes() for p in lake.root.rglob("*.parquet")} == before
    assert rows(lake, FEED_POSTINGS)["job_id"].sort().to_list() == ["board:1", "board:2"]
    assert rows(lake, SIGHTINGS).height == 2


def test_a_changed_posting_gets_a_second_version_and_going_back_a_third(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    first, second = Answer(body=rss("Clerk 1")), Answer(body=rss("Senior Clerk 1"))
    board = feed("board", server.in_turn("/feed", first, second, first))
    outcomes = [run(lake, landing, client, board, at=AS_OF + n * HOUR).of("board") for n in range(4)]
    assert [(o.n_new, o.n_changed, o.n_unchanged) for o in outcomes] == [(1, 0, 0), (0, 1, 0), (0, 1, 0), (0, 0, 1)]
    versions = rows(lake, FEED_POSTINGS).sort("seen_at")
    assert versions["title"].to_list() == ["Clerk 1", "Senior Clerk 1", "Clerk 1"]
    assert versions["content_hash"].n_unique() == 3


def test_a_304_confirms_the_jobs_of_the_last_reading(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    def route(request: object) -> Answer:
        is_known = getattr(request, "headers", {}).get("if-none-match") == '"v1"'
        return Answer(304) if is_known else Answer(body=rss("Clerk 1", "Cook 2"), headers={"ETag": '"v1"'})

    board = feed("board", server.route("/feed", route))
    run(lake, landing, client, board)
    assert run(lake, landing, client, board, at=AS_OF + HOUR).of("board").statuses == ["unchanged (304)"]
    assert rows(lake, SIGHTINGS).group_by("job_id").len()["len"].to_list() == [2, 2]


def test_one_bad_feed_harms_no_other(lake: Lake, landing: Path, client: HttpClient, server: FaultServer) -> None:
    bad = {
        "html": Answer(body=b"<html><body>Prove that you are human</body></html>"),
        "doc": Answer(body=b"<doc/>"),
        "empty": Answer(),
        "denied": Answer(403),
        "down": Answer(500, body=b"<html>"),
        "cut": Answer(body=b"<rss>", length=100),
        "binary": Answer(body=bytes(range(256)) * 10, headers={"Content-Type": "image/png"}),
    }
    feeds = [feed(name, server.route(f"/{name}", answer)) for name, answer in bad.items()]
    feeds.append(feed("good", server.route("/good", Answer(body=rss("Clerk 1")))))
    report = run(lake, landing, client, *feeds)
    assert report.of("good").n_new == 1
    assert all(report.of(name).statuses[0].startswith("failed") for name in bad)
    assert rows(lake, FEED_POSTINGS)["job_id"].to_list() == ["good:1"]
    assert {name: state.n_failures for name, state in load_states(lake).feeds.items()} == dict.fromkeys(bad, 1) | {
        "good": 0
    }
    assert all(state.read_at is None for name, state in load_states(lake).feeds.items() if name in bad)


def test_an_answer_that_is_no_feed_is_quarantined_once_a_day(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    board = feed("board", server.route("/feed", lambda r: Answer(body=b"<html>%d" % len(server.requests))))
    for n in (0, 1, 24):
        assert run(lake, landing, client, board, at=AS_OF + n * HOUR).of("board").reasons == {"bad_feed": 1}
    assert rows(lake, QUARANTINE)["entry"].sort().to_list() == ["answer of 2026-03-01", "answer of 2026-03-02"]


def test_hosts_that_failed_last_time_are_asked_last(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    port = server.url.rsplit(":", 1)[1]
    client.limits.allowed_private_hosts.append("localhost")
    one_at_a_time = HttpClient(
        client.limits.model_copy(update={"max_parallel_sources": 1}), client.pacer, sleep=client.sleep
    )
    server.in_turn("/ill", *[Answer(404)] * 3, Answer(body=rss("B 2")))
    ill, well = (
        feed("ill", f"http://localhost:{port}/ill"),
        feed("well", server.route("/well", Answer(body=rss("A 1")))),
    )
    for n in range(5):
        run(lake, landing, one_at_a_time, ill, well, at=AS_OF + n * HOUR)
    asked = [request.path for request in server.requests]
    assert asked == ["/ill", "/well", *["/well", "/ill"] * 3, "/ill", "/well"]


def test_410_ends_a_feed_until_its_url_changes(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    board = feed("board", server.route("/feed", Answer(410)))
    run(lake, landing, client, board)
    assert run(lake, landing, client, board, at=AS_OF + HOUR).of("board").statuses == ["gone since 2026-03-01"]
    assert server.count("/feed") == 1
    moved = feed("board", server.route("/other", Answer(body=rss("Clerk 1"))))
    assert run(lake, landing, client, moved, at=AS_OF + 2 * HOUR).of("board").n_new == 1


def test_a_permanent_redirect_is_remembered(lake: Lake, landing: Path, client: HttpClient, server: FaultServer) -> None:
    server.route("/new", Answer(body=rss("Clerk 1")))
    board = feed("board", server.route("/feed", Answer(308, headers={"Location": "/new"})))
    run(lake, landing, client, board)
    run(lake, landing, client, board, at=AS_OF + HOUR)
    assert (server.count("/feed"), server.count("/new")) == (1, 2)


def test_a_feed_that_asks_for_a_pause_is_not_requested_before_it_ends(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    board = feed("board", server.route("/feed", Answer(429, headers={"Retry-After": "7200"})))
    run(lake, landing, client, board)
    assert run(lake, landing, client, board, at=AS_OF + HOUR).of("board").statuses == ["not due yet"]
    run(lake, landing, client, board, at=AS_OF + 2 * HOUR)
    assert server.count("/feed") == 2


def test_a_job_ends_when_it_is_gone_from_a_source_that_lists_all(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    full, less = Answer(body=rss("A 1", "B 2", "C 3")), Answer(body=rss("A 1", "B 2"))
    for name, lists_all in (("window", False), ("whole", True)):
        board = feed(name, server.in_turn(f"/{name}", full, less), lists_all_open_jobs=lists_all)
        run(lake, landing, client, board)
        run(lake, landing, client, board, at=AS_OF + HOUR)
    assert rows(lake, SIGHTINGS).filter("is_gone")["job_id"].to_list() == ["whole:3"]


def test_a_loss_of_half_a_board_is_believed_only_if_repeated(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    full, less = Answer(body=rss("A 1", "B 2", "C 3")), Answer(body=rss("A 1"), headers={"ETag": '"x"'})
    board = feed("whole", server.in_turn("/feed", full, less), lists_all_open_jobs=True)
    ended = []
    for n in range(3):
        run(lake, landing, client, board, at=AS_OF + n * HOUR)
        ended.append(rows(lake, SIGHTINGS).filter("is_gone")["job_id"].to_list())
    assert ended == [[], [], ["whole:2", "whole:3"]]


def test_a_landed_feed_is_read_like_a_fetched_one_and_again_if_it_is_exported_again(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    body = rss("Acme: Clerk 1", "No colon 2")
    settings = {"title_pattern": r"^(?P<company>.+?): (?P<title>.+)$", "language": "en"}
    run(lake, landing, client, feed("fetched", server.route("/feed", Answer(body=body)), **settings))
    folder = landing / "feeds" / "landed"
    folder.mkdir(parents=True)
    (folder / "a.xml").write_bytes(body)
    landed = feed("landed", "https://example.org/feed", enabled=False, **settings)
    assert run(lake, landing, client, landed).of("landed").n_new == 2
    ignored = ["job_id", "source", "seen_at", "origin"]
    by_source = {
        str(key[0]): part.drop(ignored).sort("source_id") for key, part in rows(lake, FEED_POSTINGS).group_by("source")
    }
    assert by_source["fetched"].equals(by_source["landed"])
    (folder / "b.xml").write_bytes(body)
    again = run(lake, landing, client, landed, at=AS_OF + HOUR)
    assert (again.n_files_read, again.n_files_skipped, again.of("landed").n_new) == (1, 1, 0)
    assert rows(lake, SIGHTINGS).filter(pl.col("source") == "landed").height == 4


_AHEAD = dt.datetime(2199, 1, 1, tzinfo=dt.UTC)
_MODIFIED_AHEAD = "Tue, 01 Jan 2199 00:00:00 GMT"


@pytest.mark.parametrize(
    "ahead",
    [
        {"read_at": _AHEAD},
        {"not_before": _AHEAD},
        {"last_modified": _MODIFIED_AHEAD},
        {"read_at": _AHEAD, "last_modified": _MODIFIED_AHEAD, "etag": '"a"', "not_before": _AHEAD},
    ],
)
def test_a_clock_that_was_ahead_once_does_not_silence_a_feed(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, ahead: dict[str, object]
) -> None:
    def answer(request: Request) -> Answer:
        # A server that only compares the date with its own.
        is_condition_met = {"if-modified-since", "if-none-match"} & set(request.headers)
        return Answer(304) if is_condition_met else Answer(body=rss("Clerk 1", "Cook 2"))

    url = server.route("/feed", answer)
    state = FeedState(address=address_of(url), n_jobs=1).model_copy(update=ahead)
    update_states(lake, SourceStates(feeds={"board": state}))
    assert run(lake, landing, client, feed("board", url)).of("board").n_new == 2
    kept = load_states(lake).feeds["board"]
    assert kept.read_at == AS_OF and kept.not_before is None


def test_states_of_a_clock_that_was_ahead_are_forgotten_and_those_of_a_simulated_clock_kept(lake: Lake) -> None:
    states = SourceStates(
        feeds={"board": FeedState(address="a", read_at=_AHEAD, etag="e", moved_to="m", n_jobs=3)},
        queries={"all": QueryState(address="a", walked_at=_AHEAD, walked_fully_at=_AHEAD)},
        dictionaries={"/areas": DictionaryState(fresh_until=_AHEAD)},
    )
    update_states(lake, states)
    assert believable_states(lake, as_of=_AHEAD) == states
    found = believable_states(lake, as_of=AS_OF)
    assert found == SourceStates(feeds={"board": FeedState(address="a", moved_to="m", n_jobs=3)})
    assert load_states(lake) == states


@pytest.mark.parametrize("name", ["hh", "file"])
def test_a_landed_feed_can_not_write_over_the_jobs_of_another_kind(
    lake: Lake, landing: Path, client: HttpClient, name: str
) -> None:
    (landing / "feeds" / name).mkdir(parents=True)
    (landing / "feeds" / name / "a.xml").write_bytes(rss("Clerk 1"))
    run(lake, landing, client)
    assert rows(lake, FEED_POSTINGS).is_empty()
    assert rows(lake, QUARANTINE)["reason"].to_list() == ["reserved_source"]


def test_landed_feeds_without_a_configuration_are_recognised_by_their_content(
    lake: Lake, landing: Path, client: HttpClient
) -> None:
    jsonfeed = {"version": "https://jsonfeed.org/version/1.1", "title": "x", "items": [{"id": "7", "title": "Cook"}]}
    for name, body in (("plain", rss("Clerk 1")), ("modern", json.dumps(jsonfeed).encode())):
        (landing / "feeds" / name).mkdir(parents=True)
        (landing / "feeds" / name / ("a.xml" if name == "plain" else "a.json")).write_bytes(body)
    run(lake, landing, client)
    assert rows(lake, FEED_POSTINGS)["job_id"].sort().to_list() == ["modern:7", "plain:1"]


def test_a_landed_feed_is_read_again_when_its_configuration_changes(
    lake: Lake, landing: Path, client: HttpClient
) -> None:
    (landing / "feeds" / "board").mkdir(parents=True)
    (landing / "feeds" / "board" / "a.xml").write_bytes(rss("Acme - Clerk 1"))
    run(lake, landing, client, feed("board", "https://example.org/", enabled=False))
    pattern = r"^(?P<company>.+?) - (?P<title>.+)$"
    changed = feed("board", "https://example.org/", enabled=False, title_pattern=pattern)
    assert run(lake, landing, client, changed, at=AS_OF + HOUR).of("board").n_changed == 1


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("board/page.xml", b"<html/>", "bad_feed"),
        ("board/page.json", b"{", "bad_feed"),
        ("board/page.txt", b"x", "unsupported_format"),
        ("loose.xml", rss("Clerk 1"), "unsupported_format"),
        ("Bad Name/a.xml", rss("Clerk 1"), "unsupported_format"),
    ],
)
def test_what_is_no_feed_goes_to_quarantine_once(
    lake: Lake, landing: Path, client: HttpClient, name: str, body: bytes, reason: str
) -> None:
    path = landing / "feeds" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    for n in range(2):
        run(lake, landing, client, at=AS_OF + n * HOUR)
    found = rows(lake, QUARANTINE)
    assert found.select("file", "reason", "seen_at").rows() == [(f"feeds/{name}", reason, AS_OF)]


def test_several_versions_that_one_run_reads_keep_their_order(lake: Lake, landing: Path, client: HttpClient) -> None:
    (landing / "feeds" / "board").mkdir(parents=True)
    for day, title in enumerate(("Clerk 1", "Senior Clerk 1", "Chief Clerk 1")):
        (landing / "feeds" / "board" / f"2026-02-0{day + 1}.xml").write_bytes(rss(title))
    run(lake, landing, client)
    versions = rows(lake, FEED_POSTINGS).sort("seen_at")
    assert versions["title"].to_list() == ["Clerk 1", "Senior Clerk 1", "Chief Clerk 1"]
    assert versions["seen_at"].max() == AS_OF


def himalayas(*numbers: int, cursor: str | None) -> Answer:
    jobs = [{"title": f"Job {n}", "guid": f"g{n}", "pubDate": (AS_OF - n * HOUR).timestamp()} for n in numbers]
    return Answer(body=json.dumps({"jobs": jobs, "nextCursor": cursor}).encode())


def test_pages_are_read_back_to_the_age_that_matters(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    pages = {"": himalayas(1, 2, cursor="b"), "b": himalayas(30, 49, cursor="c"), "c": himalayas(60, 99, cursor="d")}
    url = server.route("/api", lambda request: pages["".join(request.values("cursor"))])
    board = feed("board", url, format="himalayas", max_age_days=2)
    assert run(lake, landing, client, board).of("board").n_new == 6
    assert run(lake, landing, client, board, at=AS_OF + 5 * HOUR).of("board").n_unchanged == 4
    assert server.count("/api") == 5


def test_a_board_that_is_read_back_to_the_last_reading_closes_nothing(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    board = feed(
        "board",
        server.in_turn("/api", himalayas(1, 2, cursor=None), himalayas(1, cursor=None), himalayas(1, cursor=None)),
        format="himalayas",
        lists_all_open_jobs=True,
    )
    for n in range(3):
        run(lake, landing, client, board, at=AS_OF + n * HOUR)
    (landing / "feeds/board").mkdir(parents=True)
    (landing / "feeds/board/a.json").write_bytes(himalayas(3, cursor=None).body)
    run(lake, landing, client, board, at=AS_OF + 3 * HOUR)
    assert not rows(lake, SIGHTINGS)["is_gone"].any()


def usajobs(page: int, n_pages: int) -> bytes:
    job = {"PositionTitle": "Cook", "PositionURI": f"https://jobs.example/{page}"}
    items = [{"MatchedObjectId": str(page), "MatchedObjectDescriptor": job}]
    return json.dumps(
        {"SearchResult": {"SearchResultItems": items, "UserArea": {"NumberOfPages": str(n_pages)}}}
    ).encode()


@pytest.mark.parametrize(("n_pages", "ended"), [(1, ["board:1", "board:2"]), (3, [])])
def test_a_landed_page_of_several_closes_nothing(
    lake: Lake, landing: Path, client: HttpClient, n_pages: int, ended: list[str]
) -> None:
    about = {"format": "usajobs", "enabled": False, "lists_all_open_jobs": True}
    board = feed("board", "https://data.usajobs.gov/api/search?ResultsPerPage=250", **about)
    folder = landing / "feeds/board"
    folder.mkdir(parents=True)
    for page in (1, 2):
        (folder / f"{page}.json").write_bytes(usajobs(page, n_pages))
    run(lake, landing, client, board)
    (folder / "3.json").write_bytes(usajobs(3, n_pages))
    run(lake, landing, client, board, at=AS_OF + HOUR)
    assert rows(lake, SIGHTINGS).filter("is_gone")["job_id"].to_list() == ended


def test_a_page_that_fails_keeps_the_pages_before_it_and_is_tried_again(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    pages = [himalayas(1, cursor="b"), Answer(404), himalayas(1, cursor="b"), himalayas(2, cursor=None)]
    board = feed("board", server.in_turn("/api", *pages), format="himalayas")
    first = run(lake, landing, client, board).of("board")
    assert first.n_new == 1 and first.statuses[0].startswith("failed after 1 pages")
    second = run(lake, landing, client, board, at=AS_OF + HOUR).of("board")
    assert (second.n_new, second.n_unchanged, second.statuses) == (1, 1, ["read"])


def test_pages_have_a_bound_and_never_go_in_a_circle(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    circle = server.route("/circle", himalayas(1, cursor="same"))
    endless = server.route("/endless", lambda r: himalayas(1, cursor=f"{len(server.requests)}"))
    boards = [feed("circle", circle, format="himalayas"), feed("endless", endless, format="himalayas", max_pages=3)]
    report = run(lake, landing, client, *boards)
    assert "circle" in report.of("circle").statuses[0]
    assert report.of("endless").statuses == ["read, cut at 3 pages"]


def test_a_feed_that_breaks_off_closes_nothing_and_is_read_whole_next_time(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    full = rss("A 1", "B 2", "C 3")
    tagged = {"ETag": '"x"'}
    broken = Answer(body=full[: full.index(b"C 3") - 10], headers=tagged)
    board = feed("board", server.in_turn("/feed", Answer(body=full), broken), lists_all_open_jobs=True)
    run(lake, landing, client, board)
    report = run(lake, landing, client, board, at=AS_OF + HOUR)
    assert report.of("board").statuses == ["read up to where it breaks off"]
    assert not rows(lake, SIGHTINGS)["is_gone"].any()
    assert load_states(lake).feeds["board"].etag is None
    assert rows(lake, QUARANTINE)["reason"].to_list() == ["truncated"]


@pytest.mark.parametrize("end", [Answer(410), Answer(404), Answer(body=b"<html>this domain is for sale</html>")])
def test_an_address_that_a_feed_moved_to_and_that_died_is_given_up(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer, end: Answer
) -> None:
    server.in_turn("/new", Answer(body=rss("A 1")), end)
    old = server.in_turn("/old", Answer(301, headers={"Location": "/new"}), Answer(body=rss("A 1")))
    board = feed("board", old)
    statuses = [run(lake, landing, client, board, at=AS_OF + n * HOUR).of("board").statuses[0] for n in range(3)]
    assert statuses[0] == statuses[2] == "read" and "its first address is asked next" in statuses[1]


def test_a_host_that_keeps_us_waiting_twice_is_left_alone_for_this_run(
    lake: Lake, landing: Path, server: FaultServer
) -> None:
    client = HttpClient(make_client(FakeTime(), total_deadline_seconds=0.2).limits, make_client(FakeTime()).pacer)
    drip = Answer(body=b"x" * 1000, drip_seconds=0.02)
    feeds = [feed(f"slow{n}", server.route(f"/{n}", drip)) for n in range(4)]
    port = server.url.rsplit(":", 1)[1]
    server.route("/good", Answer(body=rss("A 1")))
    client.limits.allowed_private_hosts.append("localhost")
    client = HttpClient(client.limits, client.pacer)
    report = run(lake, landing, client, *feeds, feed("good", f"http://localhost:{port}/good"))
    outcomes = [report.of(f"slow{n}").statuses[0].split(":")[0] for n in range(4)]
    assert outcomes == ["failed", "failed", "skipped", "skipped"]
    assert report.of("good").n_new == 1


def test_the_same_bad_entry_is_quarantined_once_and_another_one_beside_it(
    lake: Lake, landing: Path, client: HttpClient, server: FaultServer
) -> None:
    def bad(guid: str) -> bytes:
        return rss("A 1").replace(b"<item>", b"<item><guid>" + guid.encode() + b"</guid></item><item>", 1)

    board = feed("board", server.in_turn("/feed", Answer(body=bad("x")), Answer(body=bad("x")), Answer(body=bad("y"))))
    for n in range(3):
        assert run(lake, landing, client, board, at=AS_OF + n * HOUR).of("board").n_quarantined == 1
    assert rows(lake, QUARANTINE).sort("seen_at")["seen_at"].to_list() == [AS_OF, AS_OF + 2 * HOUR]
