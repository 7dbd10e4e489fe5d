"""The matches table: the first items of all feeds broken down, or those of the feeds that changed, as a layer."""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from assets.increments import LayeredTable, changed_since, mark_of
from assets.lake import Lake
from assets.layers import IS_REMOVED
from assets.llm.client import llm_client
from assets.llm.matches import Reasoner
from assets.ranking.inputs import ranking_settings
from assets.ranking.listed import feeds_table, read_feeds
from assets.resources import Workspace
from assets.user_rows import rows_of, rows_of_users
from features.schemas.catalog import JOBS
from features.schemas.features import SKILL_WEIGHTS, USER_PROFILES
from features.schemas.ranking import FEEDS, MATCHES
from features.vocabulary.display_names import display_names
from features.vocabulary.skills import SkillVocabulary
from models.explanations.match_breakdown import (
    JOBS_READ,
    PROFILES_READ,
    MatchSettings,
    match_breakdowns,
    match_items,
)
from models.explanations.names import Names

_STAGE = "ranking"
_ITEM_FIELDS = ("rank", "job_id", "components")
_USERS_AT_ONCE = 10_000  # of 50,000, the skills of all their jobs would take a gigabyte and more


def matches_table(lake: Lake) -> LayeredTable:
    """The matches: parts of some ten thousand users, and layers of those whose feeds changed since."""
    return LayeredTable(lake, _STAGE, MATCHES, by=("user_id",))


def match_settings(workspace: Workspace) -> MatchSettings:
    """`matches` of ranking.yaml."""
    settings = workspace.config.ranking.matches
    recipe = ranking_settings(workspace.config).recipes[settings.recipe]
    return MatchSettings(recipe, settings.items, settings.min_compatibility, settings.min_confidence)


def update_matches(workspace: Workspace, *, only_changes: bool) -> int:
    """Brings `ranking/matches` up to date with the feeds; returns its number of rows.

    `only_changes`: only users whose feeds changed are computed, if they are known.
    """
    lake = workspace.lake
    breakdown = Breakdown.load(workspace)
    stored = matches_table(lake)
    with stored.lock():
        now: dict[str, Any] = {"feeds": mark_of(lake, _STAGE, FEEDS.name), "settings": repr(breakdown.settings)}
        before = stored.made_of
        is_same = before is not None and before["settings"] == now["settings"]
        users = changed_since(lake, _STAGE, FEEDS.name, before["feeds"], "user_id") if before and is_same else None
        if before is None or users is None or not only_changes:
            _replace_all(lake, breakdown)
            return stored.rebase(now)
        # Feeds that changed lie in layers: the shards need not be read.
        newest = feeds_table(lake).newest(after=before["feeds"]["sequence"])
        changed = newest.filter(~pl.col(IS_REMOVED)) if newest is not None else FEEDS.empty().lazy()
        rows = breakdown.rows_of_items(match_items(changed, breakdown.settings).collect(engine="streaming"))
        old = rows_of_users(users, lake.scan(_STAGE, MATCHES).select("user_id")).collect()
        return stored.add(rows, old.join(rows, on="user_id", how="anti"), now, n_rows_before=len(old))


@dataclass(frozen=True)
class Breakdown:
    """What feeds are broken down with."""

    lake: Lake
    names: Names
    settings: MatchSettings
    reasoner: Reasoner | None = None

    @classmethod
    def load(cls, workspace: Workspace) -> "Breakdown":
        names = Names(display_names(workspace.vocabulary).iter_rows())
        return cls(workspace.lake, names, match_settings(workspace), _reasoner(workspace))

    def rows_of_items(self, items: pl.DataFrame) -> pl.DataFrame:
        """MATCHES of items (user_id, rank, job_id, components)."""
        lake = self.lake
        job_ids, user_ids = (items[key].unique().sort() for key in ("job_id", "user_id"))
        known = lake.scan("catalog", JOBS).select(*JOBS_READ, "title")
        jobs = known.filter(pl.col("job_id").is_in(job_ids.implode())).collect()
        found = match_breakdowns(
            items,
            jobs=jobs,
            profiles=rows_of(lake, "features", USER_PROFILES, user_ids).select(PROFILES_READ),
            skill_weights=lake.scan("features", SKILL_WEIGHTS).collect(),
            names=self.names,
            settings=self.settings,
        )
        return found if self.reasoner is None else self.reasoner.reasoned(found, jobs)


def _reasoner(workspace: Workspace) -> Reasoner | None:
    """Who writes the reasoning in the place of the rules; None if no language model does."""
    settings = workspace.config.llm
    llm = llm_client(settings, workspace.lake, environment=os.environ, now=lambda: dt.datetime.now(dt.UTC))
    if llm is None or not llm.is_on("matches"):
        return None
    return Reasoner(llm, lambda: SkillVocabulary.load(workspace.vocabulary), settings.max_matches_per_run)


def _replace_all(lake: Lake, breakdown: Breakdown) -> None:
    """Writes the parts of all users anew."""
    names = []
    for number, items in enumerate(_batches(lake, breakdown.settings)):
        names.append(f"part={number:04d}")
        lake.replace_partition(_STAGE, MATCHES, names[-1], breakdown.rows_of_items(items))
    lake.drop_partitions_except(_STAGE, MATCHES, names)


def _batches(lake: Lake, settings: MatchSettings) -> Iterator[pl.DataFrame]:
    """The items of all feeds, file by file and then those in layers, about _USERS_AT_ONCE users at a time."""
    pending, n_users = [], 0
    for items in read_feeds(lake, _ITEM_FIELDS, lambda feeds: _first_items(feeds, settings)):
        pending.append(items)
        n_users += items["user_id"].n_unique()
        if n_users >= _USERS_AT_ONCE:
            yield pl.concat(pending)
            pending, n_users = [], 0
    if pending:
        yield pl.concat(pending)


def _first_items(feeds: pa.Table, settings: MatchSettings) -> pl.DataFrame:
    return match_items(pl.DataFrame(feeds).lazy(), settings).collect()
