"""The state of each source: when it was read, with which result, when it is due; and how it is printed."""

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.config.sources import FeedSource, Sources
from assets.ingest.companies.facts import company_requests
from assets.ingest.feeds.fetching import FeedReading, fetch_feeds
from assets.ingest.http.client import HttpClient
from assets.ingest.http.pacing import HostPacer
from assets.ingest.run_log import recent_runs
from assets.ingest.source_state import FeedState, load_states
from assets.lake import Lake
from features.schemas.bronze import INGEST_RUNS, POSTING_CONTENT
from features.source_health import source_alarms
from features.sources.feeds.formats import FORMATS
from pipelines.cli.terminal import print_table, visible


@dataclass(frozen=True)
class SourceStatus:
    """The state of a source: on, off, gone, or landing for a source that comes as files only."""

    name: str
    state: str
    last_run_at: dt.datetime | None
    last_status: str
    n_listed: int | None
    due: str
    alarm: str


def source_statuses(lake: Lake, sources: Sources, *, now: dt.datetime) -> list[SourceStatus]:
    """The status of each configured feed, of HH, of the sources about companies, then of all others ever read."""
    runs = lake.scan("bronze", INGEST_RUNS).collect()
    last = {row["source"]: row for row in runs.sort("ran_at", "attempt").iter_rows(named=True)}
    alarms = {row["source"]: row["alarm"] for row in source_alarms(recent_runs(lake)).iter_rows(named=True)}
    known_states = load_states(lake)
    states = known_states.feeds
    gone = {name for name, state in states.items() if state.gone_at is not None}
    off = {name: "landing" if name in last else "off" for name in ("hh", *(feed.name for feed in sources.feeds))}
    found = [
        _status(
            feed.name,
            off[feed.name] if not feed.enabled else "gone" if feed.name in gone else "on",
            last,
            alarms,
            due=_due(feed, states, now),
        )
        for feed in sorted(sources.feeds, key=lambda feed: feed.name)
    ]
    found.append(_status("hh", "on" if sources.hh.enabled else off["hh"], last, alarms, due=""))
    for request in company_requests(sources):
        state = known_states.companies.get(request.name)
        is_gone = state is not None and state.gone_at is not None
        found.append(_status(request.name, "gone" if is_gone else "on", last, alarms, due=""))
    known = {status.name for status in found}
    return [*found, *(_status(name, "landing", last, alarms, due="") for name in sorted(last) if name not in known)]


def try_feed(sources: Sources, name: str, *, now: dt.datetime) -> FeedReading:
    """Reads one configured feed over HTTP, enabled or not, and stores nothing. Raises KeyError for an unknown name."""
    feed = {feed.name: feed for feed in sources.feeds}[name]
    # The pages of a website lie behind its sitemap, and that often behind an index of sitemaps.
    limits = {"max_pages": 3 if FORMATS[feed.format].is_crawled else 1, "max_job_pages": 5}
    feed = feed.model_copy(update={"enabled": True, **limits})
    client = HttpClient(sources.http, HostPacer(sources.http.requests_per_host_per_second))
    return next(iter(fetch_feeds([feed], {}, client, as_of=now, environment=os.environ)))


def print_statuses(console: Console, found: Sequence[SourceStatus]) -> None:
    """Prints a line for each source; alarms in yellow."""
    table = Table()
    for name in ("source", "state", "last run", "status", "jobs", "due", "alarm"):
        table.add_column(name, justify="right" if name == "jobs" else "left", overflow="fold")
    for status in found:
        at = f"{status.last_run_at:%Y-%m-%d %H:%M}" if status.last_run_at else "never"
        n_listed = "" if status.n_listed is None else str(status.n_listed)
        cells = (status.name, status.state, at, visible(status.last_status)[:200], n_listed, status.due)
        table.add_row(
            *(escape(visible(cell)) for cell in cells),
            f"[yellow]{escape(visible(status.alarm))}[/]" if status.alarm else "",
        )
    print_table(console, table)


def print_reading(console: Console, reading: FeedReading, *, limit: int) -> None:
    """Prints the result of a trial read: counts, the share of jobs that fill each column, and the first jobs."""
    rows, rejects = reading.parsed.rows, reading.parsed.rejects
    console.print(f"[bold]{escape(visible(reading.name))}[/]: {escape(visible(reading.status))}")
    console.print(f"{rows.height} jobs, {rejects.height} refused, {reading.seconds:.1f} s")
    for reason, n in rejects["reason"].value_counts(sort=True).iter_rows():
        console.print(f"  refused: {escape(visible(reason))} {n}")
    if rows.is_empty():
        return
    filled = {column: rows.height - rows[column].null_count() for column in POSTING_CONTENT}
    table = Table("column", "filled", "first value")
    for column, n in filled.items():
        if n:
            first = visible(str(rows[column].drop_nulls()[0]))
            table.add_row(column, f"{100 * n / rows.height:.0f} %", escape(first[:80]))
    print_table(console, table)
    for title, company, place in rows.select("title", "company", "location_text").head(limit).iter_rows():
        console.print(f"  {escape(visible(' · '.join(part for part in (title, company, place) if part)))}")


def _due(feed: FeedSource, states: dict[str, FeedState], now: dt.datetime) -> str:
    state = states.get(feed.name)
    if not feed.enabled or (state is not None and state.gone_at is not None):
        return ""
    if state is None:
        return "now"
    read_again = state.read_at + dt.timedelta(minutes=feed.min_interval_minutes) if state.read_at else now
    at = max(at for at in (read_again, state.not_before or now))
    return "now" if at <= now else f"{at:%Y-%m-%d %H:%M}"


def _status(
    name: str, state: str, last: dict[str, dict[str, object]], alarms: dict[str, str], *, due: str
) -> SourceStatus:
    run = last.get(name, {})
    at, n_listed = run.get("ran_at"), run.get("n_listed")
    return SourceStatus(
        name=name,
        state=state,
        last_run_at=at if isinstance(at, dt.datetime) else None,
        last_status=str(run.get("status") or ""),
        n_listed=n_listed if isinstance(n_listed, int) else None,
        due=due,
        alarm=alarms.get(name, ""),
    )
