"""A user's published feed: read from the DuckDB file of a generation, and printed with scores and reasons."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.publishing.database import open_database
from features.localisation.jobs import facts
from models.explanations.names import Names
from models.explanations.templates import render_reason
from pipelines.cli.terminal import print_table, visible
from serving.contract.tables import JOB_REFERENCE_CODES

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "personal": "personal feed", "profile": "profile feed", "segment": "segment feed", "global": "global feed",
        "made": "{at} UTC, recipe {recipe}, arm {arm}",
        "score": "score", "sure": "sure", "job": "job", "why": "why", "seen": "seen", "explored": "exploration",
        "unknown": "{user} has no feed of their own: this is what anybody gets.",
        "hint": "How a score came about: {command}",
    },
    "ru": {
        "personal": "личная лента", "profile": "лента по профилю", "segment": "лента сегмента",
        "global": "общая лента", "made": "{at} UTC, рецепт {recipe}, группа {arm}",
        "score": "балл", "sure": "точность", "job": "вакансия", "why": "почему", "seen": "просмотрена",
        "explored": "для разнообразия",
        "unknown": "У {user} нет своей ленты: это видит любой.",
        "hint": "Как получился балл: {command}",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """A feed to show. `made`: when and how it was computed, None for the fallback feed. `titles`: of the jobs that
    reasons refer to. `names`: of the skills, roles, tags and places in them."""

    source: str
    made: tuple[dt.datetime, str, str] | None  # instant, recipe, arm
    items: pl.DataFrame
    titles: Mapping[str, str]
    names: Names


def read_feed(generation: Path, user_id: str, *, limit: int) -> Feed:
    """The first `limit` items of a user's feed in the folder `generation`; an unknown user gets the fallback feed.

    The items have the columns of a feed item and those of the job.
    """
    with open_database(generation) as con:
        found = con.sql(
            "select source, generated_at at time zone 'UTC', recipe, arm from feeds where user_id = $user",
            params={"user": user_id},
        ).fetchall()
        table, key, value = ("feeds", "user_id", user_id) if found else ("fallback_feeds", "segment", "all")
        items = con.sql(
            f"""
            select item.*, jobs.* exclude (job_id)
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
    return Feed(source, (generated_at, recipe, arm), items, titles, names)


def print_feed(console: Console, user_id: str, feed: Feed, *, language: str) -> None:
    """Prints the items as a table with score, confidence and reasons in `language` (en or ru)."""
    words = _WORDS[language]
    shown_id = escape(visible(user_id))
    title = [shown_id, words[feed.source]]
    if feed.made is not None:
        made_at, recipe, arm = feed.made
        title.append(escape(words["made"].format(at=f"{made_at:%Y-%m-%d %H:%M}", recipe=recipe, arm=arm)))
    table = Table(title=" · ".join(title), title_justify="left", expand=False)
    for name, justify in (("#", "right"), ("score", "right"), ("sure", "right"), ("job", "left"), ("why", "left")):
        table.add_column(words.get(name, name), justify="right" if justify == "right" else "left", overflow="fold")
    items = feed.items.with_columns(**facts(language, feed.names.of_kind("place", language)))
    for item in items.iter_rows(named=True):
        place = ", ".join(item[name] for name in ("city", "country", "work_format") if item[name])
        marks = "".join(f" ({words[mark]})" for mark in ("seen", "explored") if item[mark])
        lines = [f"[bold]{_cell(item['title'])}[/]{marks}", f"{_cell(item['company'])} · {_cell(place)}"]
        lines += [_cell(" · ".join(extra))] if (extra := [item[n] for n in ("salary", "board") if item[n]]) else []
        reasons = _reasons(feed, item, language)
        score, confidence = f"{100 * item['score']:.1f}", f"{item['confidence']:.2f}"
        numbers = (_number(text, language) for text in (score, confidence))
        described = "\n".join([*lines, f"[dim]{_cell(item['job_id'])}[/]"])
        table.add_row(str(item["rank"]), *numbers, described, "\n".join(map(_cell, reasons)))
    print_table(console, table)
    if feed.made is None:
        console.print(words["unknown"].format(user=shown_id))
    elif feed.items.height:
        first = _cell(feed.items["job_id"][0])
        console.print(words["hint"].format(command=f"jobfeed why {shown_id} {first}"), soft_wrap=True)


def feed_as_json(feed: Feed, *, language: str) -> dict[str, Any]:
    """The feed and its items with the texts of their reasons in `language`."""
    made_at, recipe, arm = feed.made or (None, None, None)
    generated_at = made_at.replace(tzinfo=dt.UTC) if made_at is not None else None
    shown = ("rank", "job_id", "score", "confidence", "seen", "explored", "title", "company", "city", "country", "url")
    items = [
        {**{name: item[name] for name in shown}, "reasons": _reasons(feed, item, language)}
        for item in feed.items.iter_rows(named=True)
    ]
    return {"source": feed.source, "generated_at": generated_at, "recipe": recipe, "arm": arm, "items": items}


def _reasons(feed: Feed, item: Mapping[str, Any], language: str) -> list[str]:
    return [render_reason(r["code"], _named(feed, r, language), r["value"], language) for r in item["reasons"] or []]


def _number(text: str, language: str) -> str:
    return text.replace(".", ",") if language == "ru" else text


def _named(feed: Feed, reason: Mapping[str, Any], language: str) -> str | None:
    """What a reason refers to, as a reader sees it."""
    ref = reason["ref"]
    return feed.titles.get(ref) or feed.names.reference(reason["code"], ref, language)


def _cell(text: str | None) -> str:
    return escape(visible(text or "—"))


def _references(items: pl.DataFrame) -> list[str]:
    reasons = items.select("reasons").explode("reasons").drop_nulls().unnest("reasons")
    return reasons.filter(pl.col("code").is_in(JOB_REFERENCE_CODES))["ref"].unique().sort().to_list()
