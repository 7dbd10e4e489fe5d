"""The malformed entries of a landing folder: cut bodies, items without titles, lines and events that can't be used."""

from math import ceil
from pathlib import Path

import polars as pl

from pipelines.simulation.writing import folder

MALFORMED_KINDS = 5  # of events
_MOST = 50
_FEED = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>Simboard: remote jobs</title>'
    "<link>https://simboard.example/jobs.rss</link><description>Simboard</description>{}</channel></rss>\n"
)
_ITEM = '<item><description>An item that lost its title</description><guid isPermaLink="false">simlost{}</guid></item>'


def write_malformed(out: Path, *, n_jobs: int, n_users: int, share: float) -> int:
    """Adds malformed entries, about `share` of the jobs and users; returns how many. Of each kind there is at least one
    (none if `share` is 0), at most 50.
    """
    if share == 0:
        return 0
    n_lost, n_lines = (min(_MOST, ceil(n * share / 2)) for n in (n_jobs, n_users))
    for n in range(n_lost):
        (folder(out / "hh" / "vacancies") / f"cut-{n:03}.json").write_text('{"id":"1199', encoding="utf-8")
    items = "".join(_ITEM.format(n) for n in range(n_lost))
    (folder(out / "feeds" / "simboard") / "lost.xml").write_text(_FEED.format(items), encoding="utf-8", newline="\n")
    advertisements = "".join(f'{{"source_id":"ad-lost-{n}","company":"Nobody"}}\n' for n in range(n_lost))
    (folder(out / "jobs") / "lost.jsonl").write_text(advertisements, encoding="utf-8", newline="\n")
    people = "".join(f'{{"full_name":"Somebody {n}","updated_at":"2020-01-01T00:00:00Z"}}\n' for n in range(n_lines))
    (folder(out / "users") / "users-lost.jsonl").write_text(people, encoding="utf-8", newline="\n")
    return 3 * n_lost + n_lines


def malformed_line(kind: int, event_id: str) -> bytes:
    """A malformed event as a JSON line; each `kind` is malformed in its own way."""
    kinds = (
        f'{{"event_id":"bad-{event_id}","user_id":"u0000001","event_ty',
        f'{{"event_id":"bad-{event_id}","event_type":"view","occurred_at":"2020-01-01T00:00:00Z","job_id":"hh:1"}}',
        f'{{"event_id":"bad-{event_id}","user_id":"u0000001","event_type":"view","occurred_at":"yesterday","job_id":"hh:1"}}',
        f'{{"event_id":"bad-{event_id}","user_id":"u0000001","event_type":"stare","occurred_at":"2020-01-01T00:00:00Z","job_id":"hh:1"}}',
        f'{{"event_id":"bad-{event_id}","user_id":"u0000001","event_type":"view","occurred_at":"2999-01-01T00:00:00Z","job_id":"hh:1"}}',
    )
    return kinds[kind].encode() + b"\n"


def malformed_rows(bad: pl.DataFrame) -> pl.DataFrame:
    """Malformed events for Parquet: no user, no type, an unknown type, no job, a time in the far future."""
    kind, nothing = pl.col("kind"), pl.lit(None, pl.String)
    return bad.with_columns(
        event_id=pl.format("bad-{}", "event_id"),
        user_id=pl.when(kind == 0).then(nothing).otherwise("user_id"),
        event_type=pl.when(kind == 1).then(nothing).when(kind == 2).then(pl.lit("stare")).otherwise("event_type"),
        job_id=pl.when(kind == 3).then(nothing).otherwise("job_id"),
        occurred_at=pl.when(kind == 4).then(pl.col("occurred_at").dt.offset_by("900y")).otherwise("occurred_at"),
    ).drop("kind")
