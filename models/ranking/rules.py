"""The hard rules: which jobs a user must never be shown. As sparse rows for ranking, and as joins to verify feeds.

Closed, expired and duplicate jobs have no row in a JobTable, so that no rule is needed for them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.text.normalise import company_key
from models.ranking.interaction_arrays import APPLIED, DISMISSED, Behaviour, Catalog
from models.ranking.job_arrays import JobTable, UserTable
from models.ranking.signals import ones, pairs_with

Csr = Any

RULES = ("not_in_catalog", "not_open", "applied", "dismissed", "blocked_company", "blocked_tag", "repeated")


def forbidden_by_acts(behaviour: Behaviour, known: Catalog, *, n_jobs: int) -> Csr:
    """Jobs applied to or turned down, or duplicates of those: CSR users x jobs of ones."""
    return pairs_with(behaviour, APPLIED | DISMISSED, known, n_jobs=n_jobs)


@dataclass(frozen=True)
class Blockable:
    """The jobs of what a user may block: tags, companies, company names x jobs, CSR of ones."""

    by_tag: Csr
    by_company: Csr
    by_company_name: Csr


def blockable(jobs: JobTable) -> Blockable:
    """Once for all shards."""
    return Blockable(
        by_tag=jobs.tags.T.tocsr(),
        by_company=_members(jobs.company, n_groups=len(jobs.vocabularies["company"])),
        by_company_name=_members(jobs.company_name, n_groups=len(jobs.vocabularies["company_name"])),
    )


def forbidden_rows(users: UserTable, jobs: Blockable, by_interactions: Csr, *, rows: slice) -> Csr:
    """The jobs that each user of the block must not see, CSR (B, J) with sorted columns."""
    forbidden = by_interactions[rows]
    for blocked, members in (
        (users.blocked_tags, jobs.by_tag),
        (users.blocked_companies, jobs.by_company),
        (users.blocked_company_names, jobs.by_company_name),
    ):
        block = blocked[rows]
        if block.nnz:
            forbidden = (forbidden + block @ members).tocsr()
    forbidden.sort_indices()
    return forbidden


@dataclass(frozen=True)
class Rulebook:
    """What the rules forbid as frames: jobs with group, status, companies, tags; ended groups and blocks by user."""

    known: pl.DataFrame
    ended: pl.DataFrame  # user_id, group, rule
    blocked: pl.DataFrame  # user_id, blocked_companies, blocked_tags


def rulebook(*, jobs: pl.LazyFrame, interactions: pl.LazyFrame, profiles: pl.LazyFrame) -> Rulebook:
    """From the tables as they lie (JOBS, INTERACTIONS, USER_PROFILES), apart from the arrays that ranking uses."""
    known = jobs.select(
        "job_id",
        "status",
        group=pl.coalesce("duplicate_of", "job_id"),
        company_keys=pl.concat_list(
            _lower("company_id"), _lower("company"), company_key(pl.col("company"))
        ).list.drop_nulls(),
        job_tags=pl.col("tags").list.eval(pl.element().str.to_lowercase().str.strip_chars()),
    )
    ended = (
        interactions.filter(_is_ended())
        .select("user_id", "job_id", rule=pl.when("is_applied").then(pl.lit("applied")).otherwise(pl.lit("dismissed")))
        .join(known.select("job_id", "group"), on="job_id", how="left")
        .select("user_id", "rule", group=pl.coalesce("group", "job_id"))
        .unique()
    )
    blocked = profiles.select(
        "user_id",
        *(
            pl.col(name).list.eval(pl.element().str.to_lowercase().str.strip_chars()).alias(name)
            for name in ("blocked_companies", "blocked_tags")
        ),
    ).filter((pl.col("blocked_companies").list.len() > 0) | (pl.col("blocked_tags").list.len() > 0))
    return Rulebook(*(frame.collect(engine="streaming") for frame in (known, ended, blocked)))


def broken_rules(feeds: pl.DataFrame, book: Rulebook) -> pl.DataFrame:
    """Every item of the feeds (columns user_id, items) that a hard rule forbids: user_id, job_id, rule; sorted."""
    items = feeds.lazy().select("user_id", job_id=pl.col("items").list.eval(pl.element().struct.field("job_id")))
    placed = items.explode("job_id").drop_nulls("job_id").join(book.known.lazy(), on="job_id", how="left")
    with_blocks = placed.join(book.blocked.lazy(), on="user_id")
    found = [
        placed.filter(pl.col("status").is_null()).select("user_id", "job_id", rule=pl.lit("not_in_catalog")),
        placed.filter(pl.col("status") != "open").select("user_id", "job_id", rule=pl.lit("not_open")),
        placed.join(book.ended.lazy(), on=["user_id", "group"]).select("user_id", "job_id", "rule"),
        with_blocks.filter(pl.col("company_keys").list.set_intersection("blocked_companies").list.len() > 0).select(
            "user_id", "job_id", rule=pl.lit("blocked_company")
        ),
        with_blocks.filter(pl.col("job_tags").list.set_intersection("blocked_tags").list.len() > 0).select(
            "user_id", "job_id", rule=pl.lit("blocked_tag")
        ),
        placed.group_by("user_id", "group")
        .agg(pl.col("job_id").min(), pl.len().alias("n"))
        .filter(pl.col("n") > 1, pl.col("group").is_not_null())
        .select("user_id", "job_id", rule=pl.lit("repeated")),
    ]
    return pl.concat(found).unique().sort("user_id", "job_id", "rule").collect()


def violations(
    feeds: pl.LazyFrame, *, jobs: pl.LazyFrame, interactions: pl.LazyFrame, profiles: pl.LazyFrame
) -> pl.DataFrame:
    """`broken_rules` of feeds that are held whole."""
    book = rulebook(jobs=jobs, interactions=interactions, profiles=profiles)
    return broken_rules(feeds.select("user_id", "items").collect(), book)


def _is_ended() -> pl.Expr:
    return pl.col("is_applied").fill_null(value=False) | pl.col("is_dismissed").fill_null(value=False)


def _lower(name: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().str.strip_chars()


def _members(group: NDArray[np.int32], *, n_groups: int) -> Csr:
    return ones(group, np.arange(len(group), dtype=np.int32), shape=(n_groups, len(group)))
