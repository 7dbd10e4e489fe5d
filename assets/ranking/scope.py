"""Which users a run ranks again, and the feeds that it keeps."""

from collections.abc import Sequence
from typing import Literal

import polars as pl

from assets.ranking.inputs import Tables
from models.ranking.feed_problems import violations
from models.ranking.settings import CompanyCap

SCOPE_TAG = "jobfeed/scope"
Scope = Literal["all", "touched", "acted"]
SCOPES: Sequence[Scope] = ("all", "touched", "acted")


def parse_scope(text: str | None) -> Scope:
    """The value of the run tag; no tag means all. Raises ValueError that names the allowed values."""
    for scope in SCOPES:
        if text is None or text == scope:
            return scope
    raise ValueError(f"{SCOPE_TAG} is {text!r}; it must be one of {', '.join(SCOPES)}")


def users_to_rank_again(scope: Scope, feeds: pl.LazyFrame, user_ids: pl.Series, tables: Tables) -> pl.Series | None:
    """The sorted ids of the users to rank again under `scope`, None for all; given the stored `feeds` (schema FEEDS).

    acted: users with an interaction since their feed was made, without a feed, who opted out of personalisation since,
    or whose feed now breaks a hard rule (an event may come late). touched: all users if there are jobs newer than the
    oldest feed, else like acted.
    """
    if scope == "all":
        return None
    made = feeds.select("user_id", "generated_at").collect()
    if scope == "touched" and _has_new_jobs(tables.jobs, made):
        return None
    last = tables.interactions.group_by("user_id").agg(last_at=pl.col("last_at").max()).collect()
    acted = (
        pl.DataFrame({"user_id": user_ids}).join(made, on="user_id", how="left").join(last, on="user_id", how="left")
    )
    acted = acted.filter(pl.col("generated_at").is_null() | (pl.col("last_at") > pl.col("generated_at")))
    broken = violations(feeds, jobs=tables.jobs, interactions=tables.interactions, profiles=tables.profiles)
    broken = broken.filter(~pl.col("rule").is_in(["not_open", "not_in_catalog"]))
    opted_out = tables.profiles.filter(~pl.col("personalization_enabled").fill_null(value=True))
    personal = feeds.filter(pl.col("source") == "personal").select("user_id")
    outdated = personal.join(opted_out, on="user_id", how="semi").collect()
    return pl.concat([acted["user_id"], broken["user_id"], outdated["user_id"]]).unique().sort()


def kept_feeds(
    feeds: pl.DataFrame, *, users: pl.Series, again: pl.Series, companies: pl.DataFrame, cap: CompanyCap
) -> pl.DataFrame:
    """The feeds of `users` that are not ranked again, without jobs that are no longer open, with new ranks.

    `companies` (job_id, company) are the open jobs. Items that would break the company cap by moving up are dropped
    too; the components of the others stay as they are stored.
    """
    kept = feeds.filter(pl.col("user_id").is_in(users.implode()), ~pl.col("user_id").is_in(again.implode()))
    flat = (
        kept.select("user_id", "items")
        .explode("items")
        .with_columns(job_id=pl.col("items").struct.field("job_id"))
        .join(companies.with_columns(is_open=pl.lit(1)), on="job_id", how="left", maintain_order="left")
    )
    if flat["is_open"].null_count() == 0:
        return kept
    changed = flat.filter(pl.col("is_open").is_null())["user_id"].unique()
    flat = flat.filter(pl.col("is_open").is_not_null(), pl.col("user_id").is_in(changed.implode()))
    rank = pl.int_range(1, pl.len() + 1, dtype=pl.Int16).over("user_id")
    of_company = pl.when(pl.col("company").is_not_null()).then(pl.int_range(pl.len()).over("user_id", "company"))
    while True:
        is_over = ((rank <= cap.top) & (of_company >= cap.most)).fill_null(value=False)
        fitting = flat.filter(~is_over)
        if len(fitting) == len(flat):
            break
        flat = fitting
    remade = (
        flat.with_columns(items=pl.col("items").struct.with_fields(rank=rank))
        .group_by("user_id", maintain_order=True)
        .agg("items")
        .rename({"items": "open_items"})
    )
    shortened = kept.join(remade, on="user_id", how="left", maintain_order="left").with_columns(
        items=pl.when(pl.col("user_id").is_in(changed.implode()))
        .then(pl.coalesce("open_items", pl.lit([], dtype=feeds.schema["items"])))
        .otherwise("items")
    )
    return shortened.drop("open_items")


def _has_new_jobs(jobs: pl.LazyFrame, made: pl.DataFrame) -> bool:
    oldest = made["generated_at"].min()
    if oldest is None:
        return True
    newest = jobs.filter(pl.col("status") == "open").select(pl.col("first_seen_at").max()).collect().item()
    return newest is not None and newest > oldest
