"""The catalog's tables of applications: timelines folded from the log, and what they come to."""

import datetime as dt
import os
from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.catalog.application_updates import (
    USERS_AT_ONCE,
    applications_with_news_of_the_clock,
    log_made_of,
    put_rows,
    refresh,
    user_table,
    users_of_new_events,
)
from assets.config.llm import Llm
from assets.declare import asset
from assets.erasing.requests import Erasures
from assets.io import StoredTable
from assets.lake import Lake
from assets.llm.client import LlmClient, llm_client
from assets.llm.replies import judged_replies
from assets.resources import RunClock, Workspace, upkeep_of
from assets.user_rows import blocks_of_users, rows_of_users
from features.applications import summaries
from features.applications.folding import fold_timelines
from features.jobs.salary import PAY, load_rates, monthly_usd
from features.schemas.bronze import APPLICATION_LOG, QUARANTINE
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, INTERVIEWS, JOBS, OFFERS, USERS
from features.schemas.insight import EXPOSURES
from features.sources.parsed import mask_contacts

_KEY = ["user_id", "application_id"]
_REFUSED = "transition_not_allowed"


@asset("catalog/application_events", deps=("bronze/application_log", "bronze/erasures", "catalog/users"))
def application_events(
    context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock
) -> dg.Output[StoredTable]:
    """The timeline of each application, with the state after each event. Events that ask for a transition that
    applications.yaml does not allow change nothing and are put into quarantine."""
    lake, settings, as_of = workspace.lake, workspace.config.applications, clock.as_of(context)
    upkeep, llm = upkeep_of(context, lake, as_of=as_of), workspace.config.llm
    erasures, stored = Erasures.load(lake), user_table(lake, APPLICATION_EVENTS, upkeep)
    with stored.lock():
        now = log_made_of(lake, erasures, f"{settings!r} {judge_of(llm)}", as_of=as_of)
        users = users_of_new_events(lake, erasures, stored.made_of, now)
        if users is not None and upkeep.kind == "daily":
            users = pl.concat([users, users_to_judge_again(lake)]).unique().sort()
        log, client = lake.scan("bronze", APPLICATION_LOG), _llm(llm, lake)
        everybody = users if users is not None else log.select(pl.col("user_id").unique()).collect()["user_id"]
        allowed: dict[str, list[str]] = {state: list(after) for state, after in settings.transitions.items()}
        refused, n_users = [], 0

        def timelines() -> Iterator[pl.DataFrame]:
            nonlocal n_users
            for block in blocks_of_users(everybody, at_once=USERS_AT_ONCE):
                kept = erasures.without_erased(rows_of_users(block, log).collect(), at="occurred_at")
                folded = fold_timelines(kept, transitions=settings.table, implied=settings.words_implied, as_of=as_of)
                judged = with_sentiments(folded, lake, client)
                refused.append(refused_transitions(judged, allowed))
                n_users += judged["user_id"].n_unique()
                yield judged
            # Before the table is there: a run that is killed then finds them once more.
            put_aside(lake, pl.concat(refused), as_of=as_of)

        n_rows = put_rows(stored, timelines(), users, now)
    counts = {"n_refused": sum(len(some) for some in refused), "n_folded_users": n_users}
    return dg.Output(StoredTable(APPLICATION_EVENTS, n_rows), metadata=counts)


@asset("catalog/interviews", deps=("catalog/application_events",))
def interviews(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Interviews as they stand: the newest word on each, how often it was changed, and whether it is near."""
    lake, as_of = workspace.lake, clock.as_of(context)

    def others_near() -> pl.DataFrame:
        differs = summaries.is_soon(as_of=as_of).ne_missing(pl.col("is_soon"))
        return lake.scan("catalog", INTERVIEWS).filter(differs).select(_KEY).collect()

    n_rows = refresh(
        lake,
        INTERVIEWS,
        lambda timelines, _: summaries.interviews(timelines).with_columns(is_soon=summaries.is_soon(as_of=as_of)),
        as_of=as_of,
        upkeep=upkeep_of(context, lake, as_of=as_of),
        also=others_near,
    )
    return dg.Output(StoredTable(INTERVIEWS, n_rows))


@asset("catalog/offers", deps=("catalog/application_events", "catalog/jobs"))
def offers(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Offers as they stand, with their monthly value and their place among the market's salaries of the day."""
    rates, jobs = load_rates(workspace.vocabulary / "currencies.csv"), workspace.lake.scan("catalog", JOBS)

    def rows_of(timelines: pl.DataFrame, _: pl.Series) -> pl.DataFrame:
        of_jobs = timelines.select(*_KEY, "job_id").drop_nulls("job_id")
        newest = of_jobs.unique(_KEY, keep="last", maintain_order=True)
        return summaries.market_places(with_monthly_value(summaries.offers(timelines), rates), jobs, newest)

    as_of = clock.as_of(context)
    # The salaries of the day give every offer another place.
    upkeep = upkeep_of(context, workspace.lake, as_of=as_of).whole_by_day()
    n_rows = refresh(workspace.lake, OFFERS, rows_of, as_of=as_of, upkeep=upkeep)
    return dg.Output(StoredTable(OFFERS, n_rows))


@asset(
    "catalog/applications",
    deps=("catalog/application_events", "catalog/interviews", "catalog/offers", "catalog/jobs", "insight/exposures"),
)
def applications(context: dg.AssetExecutionContext, workspace: Workspace, clock: RunClock) -> dg.Output[StoredTable]:
    """Applications as they stand: state, what comes next, and the score of the feed that last showed the job before."""
    lake, as_of, days = workspace.lake, clock.as_of(context), workspace.config.applications.days_by_state

    def rows_of(timelines: pl.DataFrame, users: pl.Series) -> pl.DataFrame:
        tables = (INTERVIEWS, OFFERS)
        planned, offered = (rows_of_users(users, lake.scan("catalog", table)).collect() for table in tables)
        jobs = lake.scan("catalog", JOBS)
        stands = summaries.applications(timelines, planned, offered, jobs, silent_after_days=days, as_of=as_of)
        return summaries.with_match_percent(stands, rows_of_users(users, lake.scan("insight", EXPOSURES)))

    # Jobs and exposures of the day may change any row, and to find which costs as much as to compute all.
    n_rows = refresh(
        lake,
        APPLICATIONS,
        rows_of,
        as_of=as_of,
        upkeep=upkeep_of(context, lake, as_of=as_of).whole_by_day(),
        also=lambda: applications_with_news_of_the_clock(lake, days, as_of=as_of),
    )
    states = lake.scan("catalog", APPLICATIONS).group_by("state").len().sort("state").collect()
    counts = {f"n_{state or 'without_state'}": n for state, n in states.iter_rows()}
    return dg.Output(StoredTable(APPLICATIONS, n_rows), metadata=counts)


def with_sentiments(timelines: pl.DataFrame, lake: Lake, llm: LlmClient | None) -> pl.DataFrame:
    """The timelines with the sentiment of each reply of an employer: the app's own, else judged from its text."""
    is_judged = (pl.col("direction") == "in") & pl.col("sentiment").is_null() & pl.col("text").is_not_null()
    own = timelines.with_columns(sentiment_by=pl.when(pl.col("sentiment").is_not_null()).then(pl.lit("app")))
    replies = own.filter(is_judged).select(*_KEY, "position", "text")
    if replies.is_empty():
        return own.pipe(APPLICATION_EVENTS.conform)
    names = lake.scan("catalog", USERS).select("user_id", "full_name")
    named = replies.lazy().join(names, on="user_id", how="left", maintain_order="left").collect()
    judged = judged_replies(named, llm).select(
        *_KEY, "position", judged="sentiment", by=pl.when(pl.col("sentiment").is_not_null()).then("judged_by")
    )
    return APPLICATION_EVENTS.conform(
        own.join(judged, on=[*_KEY, "position"], how="left", maintain_order="left")
        .with_columns(sentiment=pl.coalesce("sentiment", "judged"), sentiment_by=pl.coalesce("sentiment_by", "by"))
        .drop("judged", "by")
    )


def judge_of(llm: Llm) -> str:
    """What decides who judges replies. The address is left out: it may hold a password, and this is stored."""
    return repr((llm.enabled, llm.uses, llm.base_url.host, llm.model, llm.temperature))


def users_to_judge_again(lake: Lake) -> pl.Series:
    """The users with replies that the language model was asked about and did not judge."""
    failed = lake.scan("catalog", APPLICATION_EVENTS).filter(sentiment_by="rules_after_model_failed")
    return failed.select(pl.col("user_id").unique()).collect()["user_id"]


def refused_transitions(timelines: pl.DataFrame, allowed: dict[str, list[str]]) -> pl.DataFrame:
    """event_id, detail of the events that asked for a transition which is not allowed."""
    words = {state: ", ".join(after) or "nothing" for state, after in allowed.items()}
    before = pl.col("state_before").fill_null("new")
    return timelines.filter("is_refused").select(
        "event_id",
        detail=pl.format(
            "from {} to {}; allowed: {}",
            before,
            "asked_state",
            before.replace_strict(words, default="", return_dtype=pl.String),
        ),
        raw=pl.format("{} {} {}", "user_id", "application_id", pl.col("occurred_at").dt.to_string("iso")),
    )


def put_aside(lake: Lake, refused: pl.DataFrame, *, as_of: dt.datetime) -> None:
    """Adds refused transitions to the quarantine, once each. A late event may allow one that lies there already."""
    rows = refused.select(
        source=pl.lit("applications"),
        file=pl.lit(APPLICATION_LOG.name),
        entry="event_id",
        reason=pl.lit(_REFUSED),
        detail="detail",
        raw=mask_contacts(pl.col("raw")),
        seen_at=pl.lit(as_of, QUARANTINE.columns["seen_at"]),
    )
    if rows.height:
        lake.append_new("bronze", QUARANTINE, QUARANTINE.conform(rows), within=["source", "file"])


def with_monthly_value(offers: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """`offers` with the value in dollars a month; null if currency or period are not known."""
    pay = offers.select(
        salary_min="salary",
        salary_max="salary",
        salary_currency="currency",
        salary_period="period",
        salary_gross=pl.lit(None, pl.Boolean),
    ).select(list(PAY))
    value = monthly_usd(pay, rates=rates, at=offers["updated_at"])["salary_monthly_usd_max"]
    return OFFERS.conform(offers.with_columns(monthly_usd=value))


def _llm(settings: Llm, lake: Lake) -> LlmClient | None:
    return llm_client(settings, lake, environment=os.environ, now=lambda: dt.datetime.now(dt.UTC))


ASSETS = [application_events, interviews, offers, applications]
