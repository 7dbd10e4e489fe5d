"""Good feeds, sloppy ones and bad ones, each on a host of its own, and one ingest of them all side by side.

Reusable: `GOOD`, `SLOPPY` and `BAD` are tables to add to. `python -m tests.assets.ingest.feeds.feed_faults` runs the
ingest and prints the outcome of each feed and the memory that it took, the server's included.
"""

import datetime as dt
import gzip
import json
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from assets.config.sources import FeedSource, HttpLimits, Sources
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.run_log import record_runs
from assets.lake import Lake
from features.schemas.bronze import FEED_POSTINGS, INGEST_RUNS, QUARANTINE
from tests.assets.ingest.http.fault_server import Answer, FaultServer, Request, fault_server

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
N_JOBS = 20
DOMAIN = ".faults.test"
ELSEWHERE = "elsewhere" + DOMAIN
TOTAL_SECONDS = 1.5
MAX_BODY_BYTES = 2_000_000


@dataclass(frozen=True)
class Feed:
    """One feed: what its host answers, and what must come of it.

    `says`: a regular expression that the status in the log of runs matches. `reasons`: what is quarantined. `n_rows`:
    how many jobs are stored. `is_right`: of the stored rows.
    """

    answers: tuple[Answer, ...]
    says: str = "^read$"
    n_rows: int = N_JOBS
    reasons: tuple[str, ...] = ()
    is_right: Callable[[pl.DataFrame], bool] = lambda rows: True
    format: str = "rss"
    path: str = "/feed"
    scheme: str = "http"
    login: str = ""
    elsewhere: dict[str, Answer] = field(default_factory=dict)


def item(n: int, extra: str = "", *, guid: str | None = None, title: str | None = None, link: str | None = None) -> str:
    named = f"<guid isPermaLink='false'>g{n}</guid>" if guid is None else guid
    address = f"<link>https://jobs.example/{n}</link>" if link is None else link
    return f"<item><title>{title or f'Clerk {n}'}</title>{address}{named}{extra}</item>"


def rss(*items: str, head: str = "") -> str:
    return f"{head}<rss version='2.0'><channel><title>Jobs</title>{''.join(items)}</channel></rss>"


def many(extra: str = "", **about: Any) -> str:
    return rss(*(item(n, extra, **about) for n in range(N_JOBS)))


def xml(document: str | bytes, **headers: str) -> Answer:
    body = document if isinstance(document, bytes) else document.encode()
    return Answer(body=body, headers={"Content-Type": "application/rss+xml", **headers})


def as_json(document: object) -> Answer:
    return Answer(body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})


def packed(body: bytes, *, times: int = 1) -> Answer:
    for _ in range(times):
        body = gzip.compress(body)
    return Answer(body=body, headers={"Content-Encoding": ", ".join(["gzip"] * times)})


def to(target: str, status: int = 302) -> Answer:
    return Answer(status, headers={"Location": target})


def russian(encoding: str, *, says: str) -> Answer:
    document = rss(*(item(n, title=f"Разработчик {n}") for n in range(N_JOBS)), head=says)
    return Answer(body=document.encode(encoding), headers={"Content-Type": "text/xml"})


def is_russian(rows: pl.DataFrame) -> bool:
    return bool(rows["title"].str.starts_with("Разработчик ").all())


def dated(written: str, expected: dt.datetime | None) -> Feed:
    return Feed(
        (xml(many(f"<pubDate>{written}</pubDate>")),),
        is_right=lambda rows: rows["published_at"].to_list() == [expected] * N_JOBS,
    )


_CUT = many().encode()
_JOBS = [{"id": str(n), "position": f"Clerk {n}", "company": "Acme"} for n in range(N_JOBS)]
_ATOM = "".join(
    f"<entry><title>Clerk {n}</title><id>g{n}</id><link href='https://jobs.example/{n}'/></entry>"
    for n in range(N_JOBS)
)
_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))
_HTML = b"<!DOCTYPE html><html><body>Prove that you are human</body></html>"

GOOD: dict[str, Feed] = {
    "good-rss": Feed((xml(many()),)),
    "good-atom": Feed((xml(f"<feed xmlns='http://www.w3.org/2005/Atom'><title>Jobs</title>{_ATOM}</feed>"),)),
    "good-gzip": Feed((packed(many().encode()),)),
    "good-large": Feed((xml(many(f"<description>{'word ' * 1500}</description>")),)),
    "good-jsonfeed": Feed(
        (as_json({"version": "https://jsonfeed.org/version/1.1",
                  "items": [{"id": f"g{n}", "title": f"Clerk {n}"} for n in range(N_JOBS)]}),),
        format="jsonfeed",
    ),
    "good-remoteok": Feed((as_json([{"legal": "notice"}, *_JOBS]),), format="remoteok"),
    "good-greenhouse": Feed(
        (as_json({"jobs": [{"id": n, "title": f"Clerk {n}"} for n in range(N_JOBS)], "meta": {"total": N_JOBS}}),),
        format="greenhouse",
    ),
    "good-indeed": Feed(
        (xml("<source>" + "".join(f"<job><title>Clerk {n}</title><referencenumber>g{n}</referencenumber></job>"
                                  for n in range(N_JOBS)) + "</source>"),),
        format="indeed",
    ),
    "good-personio": Feed(
        (xml("<workzag-jobs>" + "".join(f"<position><id>{n}</id><name>Clerk {n}</name></position>"
                                        for n in range(N_JOBS)) + "</workzag-jobs>"),),
        format="personio",
    ),
    "good-moved": Feed(
        (to(f"http://{ELSEWHERE}:PORT/moved", 301),),
        elsewhere={"/moved": xml(many())},
        login="me:secret@",
    ),
    "good-empty": Feed((xml(rss()),), n_rows=0),
}  # fmt: skip

SLOPPY: dict[str, Feed] = {
    "busy-once": Feed((Answer(503, _HTML), xml(many()))),
    "reset-once": Feed((Answer(resets=True), xml(many()))),
    "cp1251-undeclared": Feed((russian("cp1251", says=""),), is_right=is_russian),
    "cp1251-said-utf8": Feed((russian("cp1251", says="<?xml version='1.0' encoding='utf-8'?>"),), is_right=is_russian),
    "utf8-said-cp1251": Feed((russian("utf-8", says="<?xml version='1.0' encoding='cp1251'?>"),), is_right=is_russian),
    "utf16": Feed((russian("utf-16", says="<?xml version='1.0' encoding='utf-16'?>"),), is_right=is_russian),
    "date-moscow": dated("Sun, 01 Feb 2026 12:00:00 MSK", dt.datetime(2026, 2, 1, 9, tzinfo=dt.UTC)),
    "date-no-zone": dated("Sun, 01 Feb 2026 12:00:00", dt.datetime(2026, 2, 1, 12, tzinfo=dt.UTC)),
    "date-iso": dated("2026-02-01T12:00:00.500+03:00", dt.datetime(2026, 2, 1, 9, 0, 0, 500_000, tzinfo=dt.UTC)),
    "date-epoch": dated("1769947200", dt.datetime(2026, 2, 1, 12, tzinfo=dt.UTC)),
    "date-9999": dated("Fri, 31 Dec 9999 23:59:59 GMT", None),
    "date-31-february": dated("Tue, 31 Feb 2026 12:00:00 GMT", None),
    "no-guids": Feed((xml(many(guid="")),)),
    "one-guid-for-all": Feed((xml(many(guid="<guid isPermaLink='false'>1</guid>")),)),
    "no-guids-no-links": Feed((xml(many(guid="", link="")),)),
    "script-links": Feed(
        (xml(many(link="<link>javascript:alert(1)</link>")),), is_right=lambda rows: rows["url"].null_count() == N_JOBS
    ),
    "relative-links": Feed(
        (xml(rss(*(item(n, link=f"<link>/jobs/{n}</link>") for n in range(N_JOBS)))),),
        is_right=lambda rows: bool(rows["url"].str.contains(r"^http://relative-links\.faults\.test:\d+/jobs/\d+$").all()),
    ),
    "missing-titles": Feed(
        (xml(rss(*(item(n) for n in range(N_JOBS)), "<item><guid>x</guid></item>" * 3)),), reasons=("missing_title",)
    ),
    "cut-in-the-middle": Feed(
        (xml(_CUT[: _CUT.index(b"<title>Clerk 10")]),),
        says="breaks off", n_rows=10, reasons=("missing_title", "truncated"),
    ),
    "cut-indeed": Feed(
        (xml("<source>" + "<job><title>Clerk</title></job>" + "<job><title>Cl"),),
        format="indeed", says="breaks off", n_rows=1, reasons=("truncated",),
    ),
    "control-characters": Feed(
        (xml(many(title="Cl\x00er\x08k\x1b[2J & <b>Co")),),
        is_right=lambda rows: bool(rows["title"].str.contains(r"^[^\x00-\x1f<]+$").all()),
    ),
    "hostile-markup": Feed(
        (xml(many("<description>&lt;script&gt;steal()&lt;/script&gt;<![CDATA[<img src=x onerror=a>]]></description>")),)
    ),
}  # fmt: skip

BAD: dict[str, Feed] = {
    name: Feed(tuple(answers), says=says, n_rows=0, **about)
    for name, says, answers, about in (
        ("drip-body", "in time", [Answer(body=b"x" * 9999, drip_seconds=0.05)], {}),
        ("drip-headers", "in time",
         [Answer(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9999, drip_seconds=0.05)], {}),
        ("hangs", "did not answer in time", [Answer(hangs=True)], {}),
        ("endless-body", "larger than", [Answer(endless=b"<item/>" * 999)], {}),
        ("bomb", "larger than", [packed(b"\0" * 60_000_000)], {}),
        ("bomb-in-a-bomb", "larger than", [packed(b"\0" * 60_000_000, times=2)], {}),
        ("no-gzip", "EncodingError", [Answer(body=b"plain", headers={"Content-Encoding": "gzip"})], {}),
        ("length-too-long", "IncompleteRead|ProtocolError", [Answer(body=b"<rss/>", length=999)], {}),
        ("bad-chunks", "ProtocolError",
         [Answer(raw=b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnothing")], {}),
        ("redirect-loop", "redirected more than", [to("/feed")], {}),
        ("redirect-nowhere", "without a Location", [Answer(302)], {}),
        ("redirect-to-metadata", "not public", [to("http://169.254.169.254/latest/meta-data")], {}),
        ("redirect-to-loopback", "not public", [to("http://localhost:PORT/inside")], {}),
        ("redirect-to-file", "only http and https", [to("file:///etc/passwd")], {}),
        ("unasked-304", "304 to a request without conditions", [Answer(304)], {}),
        ("no-content", "answered 204", [Answer(204)], {}),
        ("unauthorized", "answered 401", [Answer(401)], {}),
        ("captcha", "answered 403", [Answer(403, _HTML)], {}),
        ("not-found", "answered 404", [Answer(404)], {}),
        ("gone", r"gone \(410\)", [Answer(410)], {}),
        ("too-many-seconds", "answered 429", [Answer(429, headers={"Retry-After": "3600"})], {}),
        ("too-many-date", "answered 429", [Answer(429, headers={"Retry-After": "Sun, 01 Mar 2099 00:00:00 GMT"})], {}),
        ("broken", "answered 500", [Answer(500, _HTML)], {}),
        ("html-page", "an HTML page", [Answer(body=_HTML)], {"reasons": ("bad_feed",)}),
        ("empty-body", "an empty body", [Answer()], {"reasons": ("bad_feed",)}),
        ("empty-document", "no RSS, Atom or RDF", [xml("<doc/>")], {"reasons": ("bad_feed",)}),
        ("laughs", "declares entities",
         [xml(f"<!DOCTYPE r [{_LAUGHS}]>" + rss(item(1, title="&l9;")))], {"reasons": ("bad_feed",)}),
        ("outside-entity", "declares entities",
         [xml("<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + rss(item(1, title="&x;")))],
         {"reasons": ("bad_feed",)}),
        ("laughs-in-indeed", "declares entities",
         [xml(f"<!DOCTYPE r [{_LAUGHS}]><source><job><title>&l9;</title></job></source>")],
         {"reasons": ("bad_feed",), "format": "indeed"}),
        ("personio-of-nobody", "an HTML page", [Answer(body=_HTML)], {"reasons": ("bad_feed",), "format": "personio"}),
        ("page-without-posting", "no schema.org JobPosting", [Answer(body=_HTML)],
         {"reasons": ("bad_feed",), "format": "jsonld"}),
        ("zeros", "empty body", [Answer(body=b"\0" * 5000)], {"reasons": ("bad_feed",)}),
        ("binary", "no RSS", [Answer(body=bytes(range(1, 256)) * 20)], {"reasons": ("bad_feed",)}),
        ("json-for-rss", "JSON, expected RSS", [as_json({"jobs": []})], {"reasons": ("bad_feed",)}),
        ("rss-for-json", "no JSON", [xml(many())], {"reasons": ("bad_feed",), "format": "remotive"}),
        ("other-json", "array 'jobs'", [as_json({"error": 1})], {"reasons": ("bad_feed",), "format": "ashby"}),
        ("cut-json", "no JSON", [Answer(body=b'{"jobs": [{"title": "Cl')],
         {"reasons": ("bad_feed",), "format": "jobicy"}),
        ("only-the-notice", "only the legal notice", [as_json([{"legal": "x"}])],
         {"reasons": ("bad_feed",), "format": "remoteok"}),
        ("too-many-entries", "more than 200000 entries", [packed(b"<rss version='2.0'>" + b"<item/>" * 250_000)],
         {"reasons": ("bad_feed",)}),
        ("slow-markup", "parsing took more than", [packed(b"<rss version='2.0'><channel>" + b"<item>" * 190_000)],
         {"reasons": ("bad_feed",)}),
        ("resets", "ConnectionError", [Answer(resets=True)], {}),
        ("no-http", "ConnectionError", [Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n")], {}),
        ("no-tls", "SSLError", [xml(many())], {"scheme": "https"}),
        ("endless-headers", "ConnectionError", [Answer(raw=b"HTTP/1.1 200 OK\r\n", endless=b"X-A: b\r\n" * 50)], {}),
        ("no-such-host", "ConnectionError", [Answer()], {}),
    )
}  # fmt: skip

FEEDS = {**GOOD, **SLOPPY, **BAD}


def main() -> int:
    """Ingests all feeds once and prints, as JSON, the log of the run, what was quarantined, stored, and asked for."""
    started = time.perf_counter()
    socket.getaddrinfo = _resolve(socket.getaddrinfo)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder, fault_server() as server:
        port = server.url.rsplit(":", 1)[1]
        for name, feed in FEEDS.items():
            _serve(server, name, feed, port)
        lake = Lake(Path(folder) / "lake")
        report = ingest_feeds(
            lake, Path(folder) / "landing", Sources(feeds=sources(port)), _client(), as_of=AS_OF,
            parser=FeedParser(first_seconds=0.5),
        )  # fmt: skip
        record_runs(lake, report, kind="feed_postings", as_of=AS_OF)
        runs, refused, rows = (
            lake.scan("bronze", table).collect() for table in (INGEST_RUNS, QUARANTINE, FEED_POSTINGS)
        )
        figures = {
            "statuses": dict(runs.select("source", "status").iter_rows()),
            "n_unaccounted": runs.filter(pl.col("n_read") != pl.sum_horizontal(
                "n_new", "n_changed", "n_unchanged", "n_quarantined")).height,
            "reasons": {key[0]: sorted(set(part["reason"])) for key, part in refused.group_by("source")},
            "n_rows": {key[0]: part.height for key, part in rows.group_by("source")},
            "is_right": {n: bool(f.is_right(rows.filter(pl.col("source") == n))) for n, f in FEEDS.items()},
            "leaks": sorted(f"{name} to {request.headers['host']}" for request in server.requests
                            for name in ("authorization", "cookie")
                            if name in request.headers and not (name == "authorization" and _is_known(request))),
            "n_logins": sum("authorization" in request.headers for request in server.requests),
            "inside_was_asked_for": server.count("/inside") > 0,
        }  # fmt: skip
    peak_bytes = _own_peak_bytes() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(json.dumps({**figures, "peak_bytes": peak_bytes, "seconds": time.perf_counter() - started}))
    return 0


def _own_peak_bytes() -> int:
    """The most memory this program held; ru_maxrss would count what the process that forked it held, too."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def sources(port: str) -> list[FeedSource]:
    """Every feed as `sources.yaml` would name it."""
    hosts = {name: "nowhere.invalid" if name == "no-such-host" else name + DOMAIN for name in FEEDS}
    return [
        FeedSource.model_validate(
            {"name": name, "url": f"{feed.scheme}://{feed.login}{hosts[name]}:{port}{feed.path}", "format": feed.format}
        )
        for name, feed in FEEDS.items()
    ]


def _is_known(request: Request) -> bool:
    """Whether the login that was sent is of the host that it was sent to."""
    feed = FEEDS.get(request.headers["host"].split(":")[0].removesuffix(DOMAIN))
    return feed is not None and bool(feed.login)


def _client() -> HttpClient:
    allowed = [ELSEWHERE, *(name + DOMAIN for name in FEEDS)]
    limits = HttpLimits(
        total_deadline_seconds=TOTAL_SECONDS,
        connect_timeout_seconds=1,
        max_body_bytes=MAX_BODY_BYTES,
        max_attempts=2,
        max_parallel_sources=16,
        allowed_private_hosts=allowed,
    )
    return HttpClient(limits, HostPacer(50), jitter=lambda: 0.0)


def _serve(server: FaultServer, name: str, feed: Feed, port: str) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        found = feed.answers[min(len(asked), len(feed.answers)) - 1]
        headers = {key: value.replace("PORT", port) for key, value in found.headers.items()}
        return Answer(**{**vars(found), "headers": {**headers, "Set-Cookie": "id=1; Domain=" + DOMAIN}})

    server.host_route(name + DOMAIN, answer)
    for path, elsewhere in feed.elsewhere.items():
        server.route(path, elsewhere)


def _resolve(real: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: str, *rest: Any, **about: Any) -> Any:
        if host == "nowhere.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return real("127.0.0.1" if host.endswith(DOMAIN) else host, *rest, **about)

    return getaddrinfo


if __name__ == "__main__":
    sys.exit(main())
