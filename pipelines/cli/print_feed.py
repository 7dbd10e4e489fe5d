"""What the terminal shows of published tables: a user's feed with scores and reasons. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.publishing.generations import current_generation
from features.errors import JobfeedError
from models.explanations.templates import render_reason
from serving.contract.tables import JOB_REFERENCE_CODES

if TYPE_CHECKING:
    from models.fitting.tuning import Tuned


class NothingPublishedError(JobfeedError, LookupError):
    """No generation was announced yet."""


@dataclass(frozen=True)
class Feed:
    """A feed to show: where it comes from, when and how it was made, its items, and the titles of jobs that its reasons
    name. `made` is None for the fallback feed."""

    source: str
    made: str | None
    items: pl.DataFrame
    titles: Mapping[str, str]


def read_feed(published: Path, user_id: str, *, limit: int) -> Feed:
    """The first `limit` items of the user's feed with their job cards; the fallback feed for an unknown user.

    Columns of the items: those of a feed's item, and title, company, city, work_format, url.
    Raises NothingPublishedError before the first generation.
    """
    generation = current_generation(published)
    if generation is None:
        raise NothingPublishedError(f"{published}: no generation is published yet; run `jobfeed run daily` first")
    with duckdb.connect(str(published / generation / "jobfeed.duckdb"), read_only=True) as con:
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
    if not found:
        return Feed("global", None, items, titles)
    source, generated_at, recipe, arm = found[0]
    return Feed(source, f"{generated_at:%Y-%m-%d %H:%M} UTC, recipe {recipe}, arm {arm}", items, titles)


def _references(items: pl.DataFrame) -> list[str]:
    reasons = items.select("reasons").explode("reasons").drop_nulls().unnest("reasons")
    return reasons.filter(pl.col("code").is_in(JOB_REFERENCE_CODES))["ref"].unique().sort().to_list()


def print_feed(console: Console, user_id: str, feed: Feed, *, language: str) -> None:
    """Prints the items as a table with score, confidence and reasons in `language` (en or ru)."""
    facts = [escape(user_id), f"{feed.source} feed", *([escape(feed.made)] if feed.made else [])]
    table = Table(title=" · ".join(facts), title_justify="left", expand=False)
    for name, justify in (("#", "right"), ("score", "right"), ("sure", "right"), ("job", "left"), ("why", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for item in feed.items.iter_rows(named=True):
        place = ", ".join(part for part in (item["city"], item["work_format"]) if part)
        marks = "".join([" (seen)" if item["seen"] else "", " (exploration)" if item["explored"] else ""])
        job = f"[bold]{escape(item['title'])}[/]{marks}\n{escape(item['company'] or '—')} · {escape(place or '—')}"
        reasons = [
            render_reason(r["code"], feed.titles.get(r["ref"], r["ref"]), r["value"], language)
            for r in item["reasons"] or []
        ]
        score, confidence = f"{100 * item['score']:.1f}", f"{item['confidence']:.2f}"
        told = f"{job}\n[dim]{escape(item['job_id'])}[/]"
        table.add_row(str(item["rank"]), score, confidence, told, escape("\n".join(reasons)))
    console.print(table)
    if feed.made is None:
        console.print(f"{escape(user_id)} has no feed of their own: this is what anybody gets.")
    elif feed.items.height:
        first = escape(feed.items["job_id"][0])
        console.print(f"How a score came about: jobfeed why {escape(user_id)} {first}", soft_wrap=True)


def print_tuned(console: Console, tuned: "Tuned") -> None:
    """Prints the best trials, and what was in use before as the first."""
    best = tuned.trials.sort(["ndcg", "trial"], descending=[True, False]).head(5)
    start = tuned.trials.head(1)
    table = Table("", "factors", "reg.", "alpha", "pop. power", "half-life", "NDCG@20", "recall@20")
    names = ("factors", "regularization", "alpha", "popularity_power", "half_life_days")
    for name, rows in (("in use", start), ("best", best)):
        for row in rows.iter_rows(named=True):
            table.add_row(name, *(f"{row[key]:.4g}" for key in names), f"{row['ndcg']:.4f}", f"{row['recall']:.4f}")
            name = ""
    console.print(table)
