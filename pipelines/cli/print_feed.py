"""Prints a user's published feed: jobs with scores and reasons."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models.explanations.templates import render_reason
from pipelines.cli.read_feed import Feed


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
