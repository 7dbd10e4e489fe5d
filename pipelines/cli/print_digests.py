"""Prints digests, and what became of their e-mails, as tables or as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.digests.sending import SendReport
from pipelines.cli.terminal import print_json, print_table

_SHOWN = ("user_id", "digest_date", "status", "reason", "due_at", "attempts", "ended_at", "smtp_code", "smtp_status")
_OF_A_USER = _SHOWN[1:]


def print_report(console: Console, report: SendReport, *, as_json: bool) -> None:
    """What a run of the sender did."""
    if as_json:
        print_json(console, vars(report))
        return
    console.print(escape(report.line()))
    if report.n_unknown:
        console.print(
            f"{report.n_unknown:,} may have arrived or not: the run or the connection ended before the mail server "
            "answered. They are not sent again; `jobfeed digests list --status failed` names them"
        )


def print_dry_run(console: Console, n_written: int, reasons: Mapping[str, int], folder: Path, *, as_json: bool) -> None:
    """How many e-mails were written into `folder`, and why others would not be sent."""
    if as_json:
        print_json(console, {"n_written": n_written, "folder": str(folder), "not_sent": dict(reasons)})
        return
    console.print(f"{n_written:,} e-mails written to {escape(str(folder))}; nothing was sent")
    for reason, n in sorted(reasons.items()):
        console.print(f"{n:,} would not be sent: {reason}")


def print_outbox(
    console: Console, counts: Sequence[tuple[str, str | None, int]], mails: pl.DataFrame, *, as_json: bool
) -> None:
    """Counts by status and reason, then e-mails."""
    if as_json:
        named = [{"status": status, "reason": reason, "n": n} for status, reason, n in counts]
        print_json(console, {"counts": named, "mails": mails.to_dicts()})
        return
    if not counts:
        console.print("no digest was queued yet; `jobfeed digests send` queues and sends what is due")
    table = Table("status", "reason", "e-mails")
    for status, reason, n in counts:
        table.add_row(status, reason or "", f"{n:,}")
    if counts:
        print_table(console, table)
    _print_mails(console, mails, _SHOWN)


def print_digest(console: Console, digests: pl.DataFrame, mails: pl.DataFrame, *, as_json: bool) -> None:
    """The newest of a user's digests, and the e-mails to the user."""
    newest = digests.tail(1).select("digest_date", "title", "summary", "text").to_dicts()
    if as_json:
        print_json(console, {"digest": newest[0] if newest else None, "mails": mails.to_dicts()})
        return
    for digest in newest:
        console.print(f"[bold]{digest['digest_date']}[/]")
        console.print(digest["text"].strip(), markup=False, highlight=False)
    _print_mails(console, mails, _OF_A_USER)


def _print_mails(console: Console, mails: pl.DataFrame, names: Sequence[str]) -> None:
    if mails.is_empty():
        return
    table = Table(*(name.replace("_", " ") for name in names))
    for row in mails.select(names).iter_rows():
        table.add_row(*(escape(_cell(value)) for value in row))
    print_table(console, table)


def _cell(value: object) -> str:
    return "" if value is None else str(value).removesuffix("+00:00")
