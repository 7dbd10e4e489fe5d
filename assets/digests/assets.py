"""The digests as an asset: selects users and jobs, renders, and records what was sent."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl
import pyarrow.parquet as pq

from assets.ahead import ahead
from assets.declare import asset
from assets.digests.advice import with_advice
from assets.digests.checks import ASSET_CHECKS as ASSET_CHECKS
from assets.digests.duties import with_duties
from assets.digests.letters import LetterWriter, missing_settings
from assets.digests.links import DigestLinks
from assets.digests.outbox import open_outbox
from assets.digests.queueing import settled_digests
from assets.digests.recipients import without_opted_out
from assets.digests.rendering import Wording, render
from assets.digests.selection import ITEM_FIELDS, ItemSelection, due_users, sent_items
from assets.digests.sending import Sender, queue_digests
from assets.digests.smtp import MailServer
from assets.ingest.report import markdown_table
from assets.io import StoredTable
from assets.lake import Lake, atomic_path
from assets.ranking.listed import read_feeds
from assets.resources import RunClock, Workspace
from assets.user_rows import rows_of_users
from features.localisation.places import town_names
from features.schemas.insight import DIGEST_ITEMS, DIGEST_OUTBOX, DIGESTS
from features.schemas.ranking import FEEDS
from features.vocabulary.display_names import display_names
from models.explanations.names import Names
from serving.contract.tables import JOB_REFERENCE_CODES

SEND_TAG = "jobfeed/send"  # any value: the run sends the digests that are due, where a mail server is configured
KEPT_DAYS = 7  # a weekly digest can be looked up until the next one
BATCH_USERS = 2_500  # rendered at once: about 75 MB of HTML, and several times as much on the way
_KEPT_AT_ONCE = 2_048  # digests of earlier runs that are copied at once
_GROUP_ROWS = 1_024  # who reads a few digests decodes about as many


@asset(
    "digests/digests",
    inputs=("catalog/jobs", "catalog/users", "insight/skill_demand", "insight/skill_gaps"),
    deps=(
        *("ranking/feeds", "bronze/unsubscribes", "bronze/bounces"),
        *("catalog/applications", "catalog/follow_ups", "catalog/interviews"),
    ),
)
def digests(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    jobs: pl.LazyFrame,
    users: pl.LazyFrame,
    skill_demand: pl.LazyFrame,
    skill_gaps: pl.LazyFrame,
) -> dg.Output[StoredTable]:
    """The newest digest of every subscriber of the last week, rendered in the subscriber's language.

    A run builds the digests of the day that begins with it. A digest whose hour has not come is built anew by a later
    run, with the jobs that are new until then; it is gone if none are. One whose e-mail went out stays as it is.
    """
    as_of, lake = clock.as_of(context), workspace.lake
    settings = workspace.config.pipeline.digest
    users = without_opted_out(users, workspace.lake)
    of_day = due_users(users, as_of=as_of)
    settled = settled_digests(lake, of_day, as_of=as_of)
    due = of_day.join(settled, on=DIGESTS.key, how="anti", maintain_order="left")
    selection = ItemSelection.of(due, jobs, lake.scan("digests", DIGEST_ITEMS), as_of=as_of, settings=settings)
    items = digest_items(lake, selection)
    built = due.join(items.select("user_id"), on="user_id", how="semi", maintain_order="left")
    linked = _with_links(built, DigestLinks.of(settings, os.environ))
    named = jobs.join(items.lazy().select("job_id"), on="job_id", how="semi").collect()
    names = Names([*display_names(workspace.vocabulary).iter_rows(), *town_names(jobs).iter_rows()])

    def advised(readers: pl.DataFrame) -> pl.DataFrame:
        gaps = rows_of_users(readers["user_id"], skill_gaps)
        return with_duties(with_advice(readers, gaps, skill_demand), lake)

    edition = Edition(linked, advised, items, named, Wording(_referenced_titles(items, jobs), names))
    kept = _kept(lake, users, due, built, as_of=as_of)
    with _replaced_table(lake) as write:
        made = _write(write, ahead(edition.rendered()), lake.scan("digests", DIGESTS), kept)
        # First what was built: a run that dies in between sends no job twice. Of digests that were mailed meanwhile,
        # what was built before counts.
        settled = pl.concat([settled, settled_digests(lake, of_day, as_of=as_of)])
        _replace_items(lake, made, settled, as_of=as_of)
    _drop_old_items(lake, before=as_of - dt.timedelta(days=settings.not_again_within_days + KEPT_DAYS))
    metadata = {"due_users": due.height, "digests_with_jobs": built.height}
    return dg.Output(StoredTable(DIGESTS, lake.n_rows("digests", DIGESTS)), metadata=metadata)


@dataclass(frozen=True)
class Edition:
    """All digests of a run: readers (sorted by user), what makes them readers as `render` takes them, items, jobs and
    wording."""

    readers: pl.DataFrame
    advised: Callable[[pl.DataFrame], pl.DataFrame]
    items: pl.DataFrame
    jobs: pl.DataFrame
    wording: Wording

    def rendered(self) -> Iterator[pl.DataFrame]:
        """Rows of DIGESTS, batch by batch. The time of a digest is the mean of its batch."""
        for some in self.readers.iter_slices(BATCH_USERS):
            readers = self.advised(some)
            started = time.perf_counter()
            items = self.items.join(readers.select("user_id"), on="user_id", how="semi", maintain_order="left")
            jobs = self.jobs.join(items.select("job_id"), on="job_id", how="semi")
            digests = render(readers, items, jobs, self.wording)
            seconds = round((time.perf_counter() - started) / max(1, digests.height), 6)
            yield DIGESTS.conform(digests.with_columns(generation_time_seconds=pl.lit(seconds)))


def digest_items(lake: Lake, selection: ItemSelection) -> pl.DataFrame:
    """The items of all due digests, by user and place. Of the feeds a few files at a time are in memory."""
    nothing = selection.items(FEEDS.empty().select("user_id", "items"))
    chosen = read_feeds(lake, ITEM_FIELDS, lambda feeds: _compact(selection.items(pl.DataFrame(feeds))))
    return pl.concat([nothing, *chosen]).sort("user_id", "place")


def _compact(rows: pl.DataFrame) -> pl.DataFrame:
    """The same rows with texts of their own: a few texts of a feeds file would keep all of its texts in memory."""
    return pl.DataFrame(rows.to_arrow(compat_level=pl.CompatLevel.oldest()))


def _partition(as_of: dt.datetime) -> str:
    return f"made={as_of:%Y-%m-%dT%H%M%SZ}"


def _replace_items(lake: Lake, made: pl.DataFrame, settled: pl.DataFrame, *, as_of: dt.datetime) -> None:
    """Stores the items of the digests that this run made. Those of `settled` ones stay as they are."""
    key = list(DIGESTS.key)
    before = lake.scan("digests", DIGEST_ITEMS).filter(pl.col("made_at") == as_of)
    stay = before.join(settled.lazy(), on=key, how="semi").collect()
    items = sent_items(made.join(settled, on=key, how="anti"), as_of=as_of)
    lake.replace_partition("digests", DIGEST_ITEMS, _partition(as_of), pl.concat([stay, items]).sort(DIGEST_ITEMS.key))


def _drop_old_items(lake: Lake, *, before: dt.datetime) -> None:
    names = [path.stem for path in lake.folder("digests", DIGEST_ITEMS.name).glob("*.parquet")]
    lake.drop_partitions_except("digests", DIGEST_ITEMS, (name for name in names if name >= _partition(before)))


@contextmanager
def _replaced_table(lake: Lake) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Writes rows that replace the table of digests at the end. They are compressed once, as they come."""
    schema = DIGESTS.empty().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    with (
        atomic_path(lake.file("digests", DIGESTS.name)) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", compression_level=1, use_dictionary=False) as writer,
    ):

        def write(rows: pl.DataFrame) -> None:
            writer.write_table(rows.to_arrow(compat_level=pl.CompatLevel.oldest()), row_group_size=_GROUP_ROWS)

        yield write


def _write(
    write_rows: Callable[[pl.DataFrame], None],
    batches: Iterator[pl.DataFrame],
    stored: pl.LazyFrame,
    kept: pl.DataFrame,
) -> pl.DataFrame:
    """Writes `batches` (sorted by user), and between them the rows of `stored` that `kept` (sorted keys) names.

    Whatever the table's size, only a part of it is in memory. Returns user_id, digest_date and top_jobs of the batches.
    """
    made = [DIGESTS.empty().select("user_id", "digest_date", "top_jobs")]
    for batch in batches:
        made.append(batch.select(made[0].columns))
        is_before = kept["user_id"] <= batch["user_id"][-1]
        left = batch  # of which no row was written
        for keys in kept.filter(is_before).iter_slices(_KEPT_AT_ONCE):
            is_up_to = _is_up_to(keys)
            write_rows(pl.concat([left.filter(is_up_to), _stored_rows(stored, keys)]).sort(DIGESTS.key))
            left = left.filter(~is_up_to)
        if len(left):
            write_rows(left)
        kept = kept.filter(~is_before)
    for keys in kept.iter_slices(_KEPT_AT_ONCE):
        write_rows(_stored_rows(stored, keys).sort(DIGESTS.key))
    return pl.concat(made)


def _is_up_to(keys: pl.DataFrame) -> pl.Expr:
    """Whether a row comes no later than the last of these keys."""
    user, date = (pl.lit(keys[name][-1], keys[name].dtype) for name in DIGESTS.key)
    return (pl.col("user_id") < user) | ((pl.col("user_id") == user) & (pl.col("digest_date") <= date))


def _stored_rows(stored: pl.LazyFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """The rows of these keys. The range spares decoding the others' pages, which the join alone does not."""
    users = pl.col("user_id").is_between(pl.lit(keys["user_id"][0]), pl.lit(keys["user_id"][-1]))
    return stored.filter(users).join(keys.lazy(), on=list(DIGESTS.key), how="semi").collect()


def _kept(lake: Lake, users: pl.LazyFrame, due: pl.DataFrame, new: pl.DataFrame, *, as_of: dt.datetime) -> pl.DataFrame:
    """The keys of digests of the last days: of users without a new one, and of those that still wait to be sent.

    Those of users who were erased or who unsubscribed since then are left out, and so are those that another run built
    for what is `due` now: their jobs may have closed.
    """
    subscribed = users.filter(pl.col("digest_frequency") != "none").select("user_id")
    key = ["user_id", "digest_date"]
    with open_outbox(lake, is_read_only=True) as outbox:
        waiting = outbox.waiting().select(key, is_waiting=pl.lit(value=True)).lazy()
    has_new = new.lazy().select("user_id", has_new=pl.lit(value=True))
    return (
        lake.scan("digests", DIGESTS)
        .filter(pl.col("digest_date") > as_of.date() - dt.timedelta(days=KEPT_DAYS))
        .join(subscribed, on="user_id", how="semi")
        .join(due.lazy().select(key), on=key, how="anti")
        .join(has_new, on="user_id", how="left")
        .join(waiting, on=key, how="left")
        .filter(pl.col("has_new").is_null() | pl.col("is_waiting").is_not_null())
        .select(key)
        .sort(key)
        .collect()
    )


def _with_links(due: pl.DataFrame, links: DigestLinks) -> pl.DataFrame:
    """`due` with unsubscribe_url and view_url."""
    unsubscribe = [links.unsubscribe_url(user_id) for user_id in due["user_id"]]
    view = {day: links.digest_url(day) for day in due["digest_date"].unique()}
    return due.with_columns(
        pl.Series("unsubscribe_url", unsubscribe, pl.String),
        pl.Series("view_url", [view[day] for day in due["digest_date"]], pl.String),
    )


def _referenced_titles(items: pl.DataFrame, jobs: pl.LazyFrame) -> pl.DataFrame:
    """Titles (job_id, title) of the jobs that reasons name, such as “similar to a job you saved”."""
    reason = items.select("reasons").explode("reasons").unnest("reasons")
    refs = reason.filter(pl.col("code").is_in(JOB_REFERENCE_CODES)).select(pl.col("ref").alias("job_id")).unique()
    return jobs.join(refs.lazy(), on="job_id", how="semi").select("job_id", "title").collect()


@asset("digests/digest_outbox", deps=("digests/digests", "catalog/users", "bronze/unsubscribes", "bronze/bounces"))
def digest_outbox(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """E-mails with digests: queued, and in runs of the job `digests` sent where a mail server is configured.

    What is due goes by the wall clock, so that a replay sends nothing.
    """
    settings = workspace.config.pipeline.digest
    links = DigestLinks.of(settings, os.environ)
    writer = LetterWriter(workspace.lake, workspace.landing, settings, links)
    missing = missing_settings(settings, links)
    metadata: dict[str, Any] = {"not_configured": "; ".join(missing)} if missing else {}
    if SEND_TAG in context.run.tags and settings.delivery.host and not missing:
        report = Sender(writer, MailServer(settings.delivery, os.environ), clock.now).send_due()
        metadata |= vars(report)
        if report.n_unknown:
            context.log.warning(f"{report.n_unknown} digests may have arrived or not; they are not sent again")
    else:
        metadata["n_queued"] = queue_digests(writer, now=clock.now())
    with open_outbox(workspace.lake, is_read_only=True) as outbox:
        metadata["statuses"] = markdown_table(("status", "reason", "e-mails"), outbox.counts())
    n_rows = workspace.lake.n_rows("digests", DIGEST_OUTBOX)
    return dg.Output(StoredTable(DIGEST_OUTBOX, n_rows), metadata=metadata)


ASSETS = [digests, digest_outbox]
