"""The digests as an asset: selects users and jobs, renders, and records what was sent."""

import datetime as dt
import os
import time
from typing import Any

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.digests.letters import LetterWriter, missing_settings
from assets.digests.links import DigestLinks
from assets.digests.recipients import without_opted_out
from assets.digests.rendering import render
from assets.digests.selection import digest_items, due_users, sent_items
from assets.digests.sending import Sender, queue_digests
from assets.digests.smtp import MailServer
from assets.io import StoredTable
from assets.lake import Lake
from assets.resources import RunClock, Workspace
from features.schemas.insight import DIGEST_ITEMS, DIGEST_OUTBOX, DIGESTS
from features.vocabulary.display_names import display_names
from models.explanations.names import Names
from serving.contract.tables import GLOBAL_AREA, JOB_REFERENCE_CODES

SEND_TAG = "jobfeed/send"  # any value: the run sends the digests that are due, where a mail server is configured
KEPT_DAYS = 7  # a weekly digest can be looked up until the next one
_N_TRENDS = 5
_N_SKILLS = 3


@asset(
    "digests/digests",
    inputs=("ranking/feeds", "catalog/jobs", "catalog/users", "insight/skill_demand", "insight/skill_gaps"),
    deps=("bronze/unsubscribes", "bronze/bounces"),
)
def digests(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    feeds: pl.LazyFrame,
    jobs: pl.LazyFrame,
    users: pl.LazyFrame,
    skill_demand: pl.LazyFrame,
    skill_gaps: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """The newest digest of every subscriber of the last week, rendered in the subscriber's language."""
    as_of = clock.as_of(context)
    settings = workspace.config.pipeline.digest
    users = without_opted_out(users, workspace.lake)
    due = due_users(users, as_of=as_of)
    items = digest_items(
        due,
        feeds,
        jobs,
        _sent_before(workspace.lake, as_of),
        as_of=as_of,
        settings=settings,
        company_cap=workspace.config.ranking.company_cap,
    )
    cards = items.lazy().join(jobs, on="job_id", how="left").sort("user_id", "place").collect()
    trends = _trends(skill_demand)
    titles = _referenced_titles(items, jobs)
    links = DigestLinks.of(settings, os.environ)
    names = Names(display_names(workspace.vocabulary).iter_rows())
    new = _render_all(due, cards, trends, _skills(skill_gaps), titles, links, names)
    workspace.lake.replace_partition("digests", DIGEST_ITEMS, _partition(as_of), sent_items(items, due, as_of=as_of))
    kept = (
        workspace.lake.scan("digests", DIGESTS)
        .filter(pl.col("digest_date") > as_of.date() - dt.timedelta(days=KEPT_DAYS))
        .join(new.lazy().select("user_id"), on="user_id", how="anti")
        # Users who were erased or who unsubscribed since then lose their earlier digests too.
        .join(users.filter(pl.col("digest_frequency") != "none").select("user_id"), on="user_id", how="semi")
        .collect()
    )
    table = pl.concat([new, kept]).sort(DIGESTS.key)
    return dg.Output(
        table,
        metadata={"due_users": due.height, "digests_with_jobs": items["user_id"].n_unique()},
    )


def _partition(as_of: dt.datetime) -> str:
    return f"made={as_of.date().isoformat()}"


def _sent_before(lake: Lake, as_of: dt.datetime) -> pl.LazyFrame:
    """The items of earlier days' digests. Today's are left out, so that a repeated run makes the same digests."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    return lake.scan("digests", DIGEST_ITEMS).filter(pl.col("made_at") < midnight)


def _trends(skill_demand: pl.LazyFrame) -> list[dict[str, object]]:
    top = skill_demand.filter(pl.col("area") == GLOBAL_AREA).sort(["n_jobs", "skill"], descending=[True, False])
    columns = [pl.col("skill").alias("name"), "n_jobs", "change"]
    return top.head(_N_TRENDS).select(columns).collect().to_dicts()


def _skills(skill_gaps: pl.LazyFrame) -> dict[str, list[str]]:
    wanted = (
        skill_gaps.select("user_id", "role", "missing")
        .explode("missing")
        .select("user_id", "role", pl.col("missing").struct.field("skill"), pl.col("missing").struct.field("impact"))
        .drop_nulls("skill")
        .sort(["user_id", "impact", "skill"], descending=[False, True, False])
        .group_by("user_id", maintain_order=True)
        .agg(pl.col("skill").unique(maintain_order=True).head(_N_SKILLS))
        .collect()
    )
    return dict(zip(wanted["user_id"].to_list(), wanted["skill"].to_list(), strict=True))


def _referenced_titles(items: pl.DataFrame, jobs: pl.LazyFrame) -> dict[str, str]:
    """Titles of the jobs that reasons name, such as “similar to a job you saved”."""
    reason = items.select("reasons").explode("reasons").unnest("reasons")
    refs = reason.filter(pl.col("code").is_in(JOB_REFERENCE_CODES)).select(pl.col("ref").alias("job_id")).unique()
    found = jobs.join(refs.lazy(), on="job_id", how="semi").select("job_id", "title").collect()
    return dict(found.iter_rows())


def _render_all(
    due: pl.DataFrame,
    cards: pl.DataFrame,
    trends: list[dict[str, object]],
    skills: dict[str, list[str]],
    titles: dict[str, str],
    links: DigestLinks,
    names: Names,
) -> pl.DataFrame:
    """One row of DIGESTS for each due user with items. The time is the mean of the batch."""
    users = {row["user_id"]: row for row in due.iter_rows(named=True)}
    started, rows = time.perf_counter(), []
    for (user_id,), group in cards.group_by(["user_id"], maintain_order=True):
        user, items = users[user_id], group.to_dicts()
        wanted = skills.get(user["user_id"], [])
        rendered = render(
            items,
            language=user["language"],
            trends=trends,
            skills=wanted,
            titles=titles,
            names=names,
            unsubscribe_url=links.unsubscribe_url(user["user_id"]),
        )
        rows.append(
            {
                "user_id": user["user_id"],
                "digest_date": user["digest_date"],
                **vars(rendered),
                "top_jobs": [
                    {"job_id": item["job_id"], "rank": place, "match_percent": round(100 * item["score"])}
                    for place, item in enumerate(items, start=1)
                ],
                "total_new_jobs": items[0]["total_new_jobs"],
                "total_matches": items[0]["total_matches"],
                "market_trends": trends,
                "skill_recommendations": wanted,
            }
        )
    mean_seconds = (time.perf_counter() - started) / max(1, len(rows))
    frame = pl.DataFrame(rows, schema={k: v for k, v in DIGESTS.columns.items() if k != "generation_time_seconds"})
    return DIGESTS.conform(frame.with_columns(generation_time_seconds=pl.lit(round(mean_seconds, 6))))


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
    n_rows = workspace.lake.n_rows("digests", DIGEST_OUTBOX)
    return dg.Output(StoredTable(DIGEST_OUTBOX, n_rows), metadata=metadata)


ASSETS = [digests, digest_outbox]
