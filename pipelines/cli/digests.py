"""`jobfeed digests`: sends the digests that are due, lists e-mails, shows a user's digest."""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.terminal import AsJson, checked_config, command_group, fail, out, workspace

if TYPE_CHECKING:
    from assets.digests.letters import LetterWriter

app = command_group("Digests by e-mail: send what is due, list what was sent, show a user's digest.")
_DRY_RUN_FOLDER = Path("digests")


@app.command()
def send(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the mails as .eml files instead.")] = False,
    folder: Annotated[Path, typer.Option(help="Where --dry-run writes them.")] = _DRY_RUN_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Send the digests whose users' hour has come, each once. What is refused for now is tried again meanwhile."""
    import os

    from assets.digests.sending import Sender, write_due
    from assets.digests.smtp import MailServer
    from pipelines.cli.print_digests import print_dry_run, print_report

    writer = _letter_writer()
    if dry_run:
        n_written, reasons = write_due(writer, folder, now=dt.datetime.now(dt.UTC))
        print_dry_run(out, n_written, reasons, folder, as_json=as_json)
        return
    report = Sender(writer, MailServer(writer.settings.delivery, os.environ)).send_due()
    print_report(out, report, as_json=as_json)


@app.command("list")
def list_digests(
    status: Annotated[str | None, typer.Option(help="Only with this status.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=100_000, help="E-mails to list; 0 for the counts alone.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the e-mails in the outbox: counts by status and reason, then the newest."""
    from assets.digests.outbox import open_outbox
    from features.schemas.insight import OUTBOX_STATUSES
    from pipelines.cli.print_digests import print_outbox

    if status is not None and status not in OUTBOX_STATUSES:
        raise typer.BadParameter(f"{status!r}; statuses are {', '.join(OUTBOX_STATUSES)}", param_hint="--status")
    condition, values = ("true", ()) if status is None else ("status = ?", (status,))
    with open_outbox(workspace().lake, is_read_only=True) as outbox:
        print_outbox(out, outbox.counts(), outbox.rows(condition, values, limit=limit), as_json=as_json)


@app.command()
def show(user_id: str, as_json: AsJson = False) -> None:
    """Show the text of a user's newest digest, and what became of the e-mails to the user."""
    import polars as pl

    from assets.digests.outbox import STAGE, open_outbox
    from features.schemas.insight import DIGESTS
    from pipelines.cli.print_digests import print_digest

    lake = workspace().lake
    digests = lake.scan(STAGE, DIGESTS).filter(pl.col("user_id") == user_id).sort("digest_date").collect()
    with open_outbox(lake, is_read_only=True) as outbox:
        mails = outbox.rows("user_id = ?", (user_id,))
    if digests.is_empty() and mails.is_empty():
        fail(f"no digest is known of a user {user_id!r}")
    print_digest(out, digests, mails, as_json=as_json)


def _letter_writer() -> "LetterWriter":
    import os

    from assets.digests.letters import LetterWriter
    from assets.digests.links import DigestLinks

    settings, found = checked_config().pipeline.digest, workspace()
    return LetterWriter(found.lake, found.landing, settings, DigestLinks.of(settings, os.environ))
