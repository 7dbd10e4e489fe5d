"""A user's published feed: read from the DuckDB file of a generation, and printed with scores and reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.explanations.names import Names
from models.explanations.templates import render_reason
from pipelines.cli.terminal import print_table, visible
from serving.contract.tables import JOB_REFERENCE_CODES


@dataclass(frozen=True)
class Feed:
    """A feed to show. `made`: when and how it was computed, None for the fallback feed. `titles`: of the jobs that
    reasons refer to. `names`: of the skills, roles and tags in them."""

    source: str
    made: str | None
    items: pl.DataFrame
    titles: Mapping[str, str]
    names: Names


def read_feed(generation: Path, user_id: str, *, limit: int) -> Feed:
    """The first `limit` items of a user's feed in the folder `generation`; an unknown user gets the fallback feed.

    The items have the columns of a feed item, and title, company, city, work_format and url of the job.
    """
    with duckdb.connect(str(generation / "jobfeed.duckdb"), read_only=True) as con:
        found = con.sql(
            "select source, generated_at at time zone 'UTC', recipe, arm from feeds where user_id = $user",
            params={"user": user_id},
        ).fetchall()
        table, key, value = ("feeds", "user_id", user_id) if found else ("fallback_feeds", "segment", "all")
        items = con.sql(
            f"""
            select item.*, jobs.title, jobs.company, jobs.city, jobs.work_format, jobs.url
            from (select unnest(items) as item from {table} where {key} = $value)
            join jobs on jobs.job_id = item.job_id
            order by item.rank limit $limit
            """,  # noqa: S608 - the names are the two literals above
            params={"value": value, "limit": limit},
        ).pl()
        titles = dict(
            con.sql(
                "select job_id, title from jobs where list_contains($ids, job_id)", params={"ids": _references(items)}
            ).fetchall()
        )
        names = Names(con.sql("select kind, name, language, text from display_names").fetchall())
    if not found:
        return Feed("global", None, items, titles, names)
    source, generated_at, recipe, arm = found[0]
    return Feed(source, f"{generated_at:%Y-%m-%d %H:%M} UTC, recipe {recipe}, arm {arm}", items, titles, names)


def print_feed(console: Console, user_id: str, feed: Feed, *, language: str) -> None:
    """Prints the items as a table with score, confidence and reasons in `language` (en or ru)."""
    shown_id = escape(visible(user_id))
    facts = [shown_id, f"{feed.source} feed", *([escape(feed.made)] if feed.made else [])]
    table = Table(title=" · ".join(facts), title_justify="left", expand=False)
    for name, justify in (("#", "right"), ("score", "right"), ("sure", "right"), ("job", "left"), ("why", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for item in feed.items.iter_rows(named=True):
        place = ", ".join(part for part in (item["city"], item["work_format"]) if part)
        marks = "".join([" (seen)" if item["seen"] else "", " (exploration)" if item["explored"] else ""])
        job = f"[bold]{_cell(item['title'])}[/]{marks}\n{_cell(item['company'])} · {_cell(place)}"
        reasons = [
            render_reason(r["code"], _named(feed, r, language), r["value"], language) for r in item["reasons"] or []
        ]
        score, confidence = f"{100 * item['score']:.1f}", f"{item['confidence']:.2f}"
        described = f"{job}\n[dim]{_cell(item['job_id'])}[/]"
        table.add_row(str(item["rank"]), score, confidence, described, "\n".join(map(_cell, reasons)))
    print_table(console, table)
    if feed.made is None:
        console.print(f"{shown_id} has no feed of their own: this is what anybody gets.")
    elif feed.items.height:
        first = _cell(feed.items["job_id"][0])
        console.print(f"How a score came about: jobfeed why {shown_id} {first}", soft_wrap=True)


def _named(feed: Feed, reason: Mapping[str, Any], language: str) -> str | None:
    """What a reason refers to, as a reader sees it."""
    ref = reason["ref"]
    return feed.titles.get(ref) or feed.names.reference(reason["code"], ref, language)


def _cell(text: str | None) -> str:
    return escape(visible(text or "—"))


def _references(items: pl.DataFrame) -> list[str]:
    reasons = items.select("reasons").explode("reasons").drop_nulls().unnest("reasons")
    return reasons.filter(pl.col("code").is_in(JOB_REFERENCE_CODES))["ref"].unique().sort().to_list()
