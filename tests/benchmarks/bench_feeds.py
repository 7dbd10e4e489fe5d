"""Feeds of thousands of items: bytes to postings, and over HTTP into the lake, beside plain alternatives.

    python -m tests.benchmarks.bench_feeds --items 5000

The plain alternatives are feedparser with its own sanitising, its entries put into dictionaries, and `json.loads` with
a loop. Each is measured in a process of its own, the best of three.
"""

import argparse
import datetime as dt
import io
import json
import multiprocessing
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import feedparser

from assets.config.sources import FeedSource, HttpLimits, Sources
from assets.ingest.feeds.ingest import ingest_feeds
from assets.ingest.feeds.parsing import FeedParser
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.lake import Lake
from features.sources.feeds.entries import FeedContext
from features.sources.feeds.formats import parse_feed
from tests.assets.ingest.http.fault_server import Answer, fault_server

SEED = 7
RUNS = 3
AS_OF = dt.datetime(2026, 11, 25, 2, tzinfo=dt.UTC)
_WORDS = (
    "build", "design", "services", "data", "команда", "опыт", "разработка", "customers", "Python", "SQL", "проекты",
    "remote", "senior", "platform", "quality", "задачи", "learn", "together", "product", "release",
)  # fmt: skip


def description(rng: random.Random) -> str:
    paragraphs = (" ".join(rng.choices(_WORDS, k=45)) for _ in range(7))
    return "".join(f"<p>{paragraph} &amp; <b>more</b></p>" for paragraph in paragraphs)


def rss(n_items: int) -> bytes:
    """A feed as We Work Remotely writes it."""
    rng = random.Random(SEED)
    items = "".join(
        f"<item><title>Firm {n % 700}: {rng.choice(_WORDS)} {n}</title><region>Anywhere in the World</region>"
        f"<category>Programming</category><type>Full-Time</type><description><![CDATA[{description(rng)}]]></description>"
        f"<pubDate>Mon, 23 Nov 2026 13:23:53 +0000</pubDate><guid>https://jobs.example/{n}</guid>"
        f"<link>https://jobs.example/{n}</link></item>"
        for n in range(n_items)
    )
    head = "<?xml version='1.0' encoding='UTF-8'?><rss version='2.0'><channel><title>Jobs</title>"
    return f"{head}{items}</channel></rss>".encode()


def remotive(n_items: int) -> bytes:
    """The same jobs as Remotive writes them."""
    rng = random.Random(SEED)
    jobs = [
        {"id": n, "url": f"https://jobs.example/{n}", "title": f"{rng.choice(_WORDS)} {n}", "job_type": "full_time",
         "company_name": f"Firm {n % 700}", "category": "Programming", "tags": ["a", "b"], "salary": "$50k - $70k",
         "publication_date": "2026-11-23T13:23:53", "candidate_required_location": "Europe",
         "description": description(rng)}
        for n in range(n_items)
    ]  # fmt: skip
    return json.dumps({"jobs": jobs}, ensure_ascii=False).encode()


def ours(body: bytes, format_: str) -> int:
    return parse_feed(body, feed=FeedContext("board", format_)).rows.height


def ours_apart(body: bytes, format_: str) -> int:
    with FeedParser() as parser:
        return parser.parse(body, feed=FeedContext("board", format_)).rows.height


def plain_rss(body: bytes, _: str) -> int:
    found = feedparser.parse(io.BytesIO(body))
    names = ("title", "link", "id", "summary", "published_parsed", "region", "type")
    return len([{name: entry.get(name) for name in names} for entry in found.entries])


def plain_json(body: bytes, _: str) -> int:
    rows = []
    for job in json.loads(body)["jobs"]:
        row = {name: job.get(name) for name in ("id", "title", "url", "company_name", "description", "salary", "tags")}
        row["published_at"] = dt.datetime.fromisoformat(job["publication_date"])
        rows.append(row)
    return len(rows)


def ingest(body: bytes, format_: str) -> int:
    """Over HTTP into the lake, and again unchanged."""
    limits = HttpLimits(allowed_private_hosts=["127.0.0.1"], max_body_bytes=200_000_000)
    with tempfile.TemporaryDirectory() as folder, fault_server() as server:
        feed = FeedSource.model_validate(
            {"name": "board", "url": server.route("/feed", Answer(body=body)), "format": format_}
        )
        for hours in range(2):
            report = ingest_feeds(
                Lake(Path(folder) / "lake"), Path(folder) / "landing", Sources(feeds=[feed]),
                HttpClient(limits, HostPacer(1e9)), as_of=AS_OF + dt.timedelta(hours=hours),
            )  # fmt: skip
    return report.of("board").n_unchanged


CASES: tuple[tuple[str, str, Callable[[int], bytes], Callable[[bytes, str], int]], ...] = (
    ("RSS, jobfeed", "rss", rss, ours),
    ("RSS, jobfeed, in a process with a deadline", "rss", rss, ours_apart),
    ("RSS, plain feedparser", "rss", rss, plain_rss),
    ("JSON, jobfeed", "remotive", remotive, ours),
    ("JSON, plain json and dictionaries", "remotive", remotive, plain_json),
    ("RSS over HTTP into the lake, twice", "rss", rss, ingest),
    ("JSON over HTTP into the lake, twice", "remotive", remotive, ingest),
)


def measure(number: int, n_items: int) -> tuple[int, float, float]:
    """Megabytes of the body, best seconds, peak memory in MiB (children included) of one case."""
    name, format_, make, run = CASES[number]
    body = make(n_items)
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        n_found = run(body, format_)
        seconds.append(time.perf_counter() - started)
        assert n_found == n_items, (name, n_found)
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return len(body), min(seconds), max(peaks) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=5_000)
    options = parser.parse_args()
    print(f"{options.items} items, best of {RUNS}, load average before {os.getloadavg()[0]:.1f}\n")
    print("| what | MB | seconds | items/s | peak memory, MiB |\n| --- | ---: | ---: | ---: | ---: |")
    context = multiprocessing.get_context("spawn")
    for number, (name, *_) in enumerate(CASES):
        # no pool: its processes are daemons, which may have no children
        with context.Manager() as manager:
            results = manager.dict()
            process = context.Process(target=_store_measured, args=(number, options.items, results))
            process.start()
            process.join()
            n_bytes, seconds, mebibytes = results["measured"]
        rate = options.items / seconds
        print(f"| {name} | {n_bytes / 1e6:.1f} | {seconds:.2f} | {rate:,.0f} | {mebibytes:.0f} |", flush=True)


def _store_measured(number: int, n_items: int, results: dict[str, object]) -> None:
    results["measured"] = measure(number, n_items)


if __name__ == "__main__":
    main()
