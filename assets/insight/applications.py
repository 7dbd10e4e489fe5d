"""How far applications come, and how follow-ups are answered, as assets."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from assets.declare import asset
from assets.plots import bar_chart, lines_over
from assets.resources import RunClock, Workspace
from assets.user_rows import blocks_of_users, rows_of_users
from features.applications.answers import IS_ANSWER
from features.applications.follow_up_stats import ALL as ALL_GROUPS
from features.applications.follow_up_stats import READ_OF_EVENTS, READ_OF_FOLLOW_UPS, follow_up_stats
from features.applications.foretold import application_quality
from features.applications.funnel import ALL, EVERYBODY, funnel, groups, reached_steps
from features.applications.summaries import last_shown
from features.metrics import EVERY
from features.schemas.catalog import JOBS
from features.schemas.insight import EXPOSURES

_KEY = ["user_id", "application_id"]
_USERS_AT_ONCE = 20_000
_OF_EVENTS = [*_KEY, "occurred_at", "state"]  # all that shows the steps


@asset(
    "insight/application_funnel",
    inputs=("catalog/application_events", "catalog/applications"),
    deps=("catalog/jobs", "insight/exposures"),
)
def application_funnel(
    workspace: Workspace, application_events: pl.LazyFrame, applications: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """How many applications came to each step, how many of those before it, and in how many days: of each user, and of
    all by source, recipe, arm, company, role, skill, level and country, in groups of at least ten people."""
    stands = applications.select(*_KEY, "job_id", "company", "applied_at").collect().with_row_index("application")
    shown = last_shown(stands, workspace.lake.scan("insight", EXPOSURES)).drop("score")
    grouped = groups(stands, workspace.lake.scan("catalog", JOBS), shown)
    table = funnel(pl.concat(_reached(application_events.select(_OF_EVENTS), stands)), grouped)
    everybody = table.filter(pl.col("user_id") == EVERYBODY, pl.col("dimension") == ALL)
    steps = dict(everybody.select("step", "n_reached").iter_rows())
    chart = bar_chart(everybody.sort("position"), "step", "n_reached", "Applications by the step that they reached")
    return dg.Output(table, metadata={**{f"n_{step}": n for step, n in steps.items()}, "funnel": chart})


def _reached(events: pl.LazyFrame, stands: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """application, step and days of the steps that applications reached, some users at a time: events are many."""
    for users in blocks_of_users(stands["user_id"], at_once=_USERS_AT_ONCE):
        own = rows_of_users(users, stands.lazy()).collect()
        reached = reached_steps(rows_of_users(users, events).collect(), own)
        yield reached.select("application", "step", "days")


@asset(
    "insight/application_quality",
    inputs=("catalog/application_events", "catalog/applications"),
    deps=("insight/exposures",),
)
def application_quality_table(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    clock: RunClock,
    application_events: pl.LazyFrame,
    applications: pl.LazyFrame,
) -> dg.Output[pl.DataFrame]:
    """What the match score foretold against what became of applications: how many of each band of scores came to an
    interview or an offer, precision, recall and F1 by threshold, and how far scores are from shares."""
    stands = applications.drop_nulls("match_percent").collect()
    of_events = application_events.select(_OF_EVENTS)
    events = of_events.join(stands.lazy().select(_KEY), on=_KEY, how="semi").collect()
    shown = last_shown(stands, workspace.lake.scan("insight", EXPOSURES))
    table = application_quality(stands, shown, reached_steps(events, stands), as_of=clock.as_of(context))
    of_all = table.filter(recipe=EVERY, arm=EVERY)
    known = of_all.drop_nulls("positive_share")
    return dg.Output(
        table,
        metadata={
            "calibration": lines_over(known, "match_percent", "positive_share", "outcome", "Came so far, by score"),
            "f1": lines_over(of_all.drop_nulls("f1"), "match_percent", "f1", "outcome", "F1 by threshold"),
        },
    )


@asset("insight/follow_up_stats", inputs=("catalog/follow_ups", "catalog/application_events"))
def follow_up_stats_table(
    context: dg.AssetExecutionContext, clock: RunClock, follow_ups: pl.LazyFrame, application_events: pl.LazyFrame
) -> dg.Output[pl.DataFrame]:
    """How often follow-ups are answered, by sequence, step, template and waiting time, and which wait is recommended.

    Groups of fewer than ten people are left out.
    """
    # Texts of drafts and replies are most of both tables.
    sent = follow_ups.filter(pl.col("status") == "sent").select(READ_OF_FOLLOW_UPS)
    answers = application_events.filter(IS_ANSWER).select(READ_OF_EVENTS)
    events = answers.join(sent.select(_KEY).unique(), on=_KEY, how="semi")
    table = follow_up_stats(sent.collect(), events.collect(), as_of=clock.as_of(context))
    steps = table.filter(pl.col("step") > 0, pl.col("template") == ALL_GROUPS, pl.col("waiting") == ALL_GROUPS)
    labelled = steps.with_columns(label=pl.format("{} {}", "sequence", "step"))
    chart = bar_chart(labelled, "label", "reply_share", "Answered follow-ups by step")
    return dg.Output(table, metadata={"n_sent": int(steps["n_sent"].sum()), "answered": chart})


ASSETS = [application_funnel, application_quality_table, follow_up_stats_table]
