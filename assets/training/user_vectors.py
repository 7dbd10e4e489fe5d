"""Updates training/user_vectors: the vectors of all users, or of those whose rows may differ.

These are users with another profile or other events than before, and users of a job that has another vector.
"""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.config.pipeline import Embedding
from assets.increments import changed_since, mark_of
from assets.lake import Lake
from assets.training.inputs import consented, texts_of_users
from assets.user_rows import MOST_USERS, rows_of, rows_of_users
from features.schemas.catalog import INTERACTIONS
from features.schemas.features import USER_PROFILES
from models.arrays import row_digests
from models.fitting.artifacts import ArtifactError
from models.fitting.embeddings import TextModel, text_vectors
from models.fitting.job_vectors import JobVectors
from models.fitting.texts import distinct_texts
from models.fitting.user_vectors import (
    UserVectors,
    build_user_vectors,
    event_weights,
    replace_users,
)

# Increment it when the same tables would give other vectors.
_VERSION = "2"
# Whose events of any day differ, their sums over the days differ.
_FOLLOWED = {INTERACTIONS.name: "catalog", USER_PROFILES.name: "features"}


class Updated(NamedTuple):
    """The vectors of all users, and of how many they were computed."""

    vectors: UserVectors
    n_computed: int


@dataclass(frozen=True)
class UserSources:
    """What vectors of users are made of: USER_PROFILES, DAILY_INTERACTIONS, TEXT_EMBEDDINGS and vectors of jobs."""

    profiles: pl.LazyFrame
    daily: pl.LazyFrame
    embeddings: pl.LazyFrame
    jobs: JobVectors

    def compute(self, settings: Embedding, *, model: TextModel, as_of: dt.datetime) -> tuple[UserVectors, bool]:
        """The vectors of all users in the tables; False if any of their texts lacks a vector."""
        texts = texts_of_users(self.profiles, max_characters=settings.max_characters)
        wanted = distinct_texts(texts["roles"], texts["skills"], texts["summary"])
        embedded = text_vectors(self.embeddings, space=model.space("query"), texts=wanted)
        events = event_weights(
            consented(self.daily, self.profiles),
            as_of=as_of,
            half_life_days=settings.half_life_days,
            job_ids=self.jobs.job_ids,
        )
        return build_user_vectors(texts, events, embedded, self.jobs), len(embedded.hashes) == len(wanted)


def update_user_vectors(
    lake: Lake,
    stored: Path,
    sources: UserSources,
    settings: Embedding,
    *,
    model: TextModel,
    as_of: dt.datetime,
    only_changes: bool,
) -> Updated:
    """The vectors as of now, after those in the file `stored`, which stays as it is.

    `only_changes`: only users who may differ are computed, if they are known. They are not on another day, when all
    events have decayed, with another model, and if texts lacked a vector: whose texts got one since is not known.
    """
    # Before the tables are read: the next run computes once more what changes meanwhile.
    now: dict[str, Any] = {name: mark_of(lake, stage, name) for name, stage in _FOLLOWED.items()}
    options = (settings.max_characters, settings.max_summaries, settings.half_life_days)
    now["version"] = f"{_VERSION} {model} {sources.jobs.model} {options} {as_of.date()}"
    digests = row_digests(sources.jobs.vectors)
    made = None
    old = _stored(stored) if only_changes else None
    users = _changed(lake, old, now, sources, digests) if old is not None else None
    if old is not None and users is not None:
        of_users = _of_users(lake, sources, users)
        new, is_complete = of_users.compute(settings, model=model, as_of=as_of)
        if new.vectors.shape[1] == old.vectors.shape[1]:
            made = replace_users(old, users, new)
    n_computed = len(users) if users is not None else 0
    # If there are more summaries than get a vector, users who did not change may have lost theirs.
    if made is None or len(made.summary_vectors) > settings.max_summaries:
        made, is_complete = sources.compute(settings, model=model, as_of=as_of)
        n_computed = len(made.user_ids)
    now["is_complete"] = is_complete
    made = replace(made, job_ids=sources.jobs.job_ids, job_digests=digests, made_of=json.dumps(now))
    return Updated(made, n_computed)


def _stored(path: Path) -> UserVectors | None:
    try:
        return UserVectors.load(path) if path.is_file() else None
    except ArtifactError:
        return None


def _changed(
    lake: Lake,
    old: UserVectors,
    now: Mapping[str, Any],
    sources: UserSources,
    digests: NDArray[np.uint64],
) -> pl.Series | None:
    """The sorted ids of the users who may differ; None if they are not known."""
    before = json.loads(old.made_of) if old.made_of else {}
    if before.get("version") != now["version"] or not before["is_complete"]:
        return None
    found = [changed_since(lake, stage, name, before[name], "user_id") for name, stage in _FOLLOWED.items()]
    known = [users for users in found if users is not None]
    if len(known) < len(found):
        return None
    jobs = pl.concat(
        [
            pl.DataFrame({"job_id": old.job_ids, "digest": old.job_digests}),
            pl.DataFrame({"job_id": sources.jobs.job_ids, "digest": digests}),
        ]
    ).unique(keep="none")["job_id"]
    if len(jobs):
        # Also who did so before the period: to tell them apart, the counters of all days would be read.
        used = lake.scan(_FOLLOWED[INTERACTIONS.name], INTERACTIONS).filter(pl.col("job_id").is_in(jobs.implode()))
        known.append(used.select("user_id").unique().collect()["user_id"])
    return pl.concat(known).unique().sort()


def _of_users(lake: Lake, sources: UserSources, users: pl.Series) -> UserSources:
    """The sources with the rows of these users alone."""
    daily = rows_of_users(users, sources.daily)
    if len(users) <= MOST_USERS:  # to read them once; more would not fit into memory
        daily = daily.collect().lazy()
    return replace(sources, daily=daily, profiles=rows_of(lake, "features", USER_PROFILES, users).lazy())
