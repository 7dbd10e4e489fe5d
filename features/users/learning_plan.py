"""Which skills to learn first: those that open the most jobs within a user's reach, per hour of learning.

A user can reach the open jobs of a wanted role in the own country, and remote ones if remote work is accepted. A job is
open to a user who has at least four fifths of the skills that it asks for.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.errors import VocabularyError
from features.schemas.insight import LEARNING_PLANS
from features.users.skill_gaps import APPLY_SHARE, DEFAULT_TARGET_LEVEL, TARGET_LEVELS, estimated_hours

DEFAULT_HOURS = 40.0  # to the intermediate level, of a skill that the table of resources lacks
_USERS_AT_ONCE = 512
_COLUMNS = ("skill", "name", "url", "hours", "language")
Csr = Any  # scipy.sparse.csr_matrix: scipy ships no types


@dataclass(frozen=True)
class PlanLimits:
    """At most `steps` skills per user and role, found by at most `jobs` of the newest jobs within reach."""

    steps: int = 3
    jobs: int = 500


def learning_resources(path: Path) -> pl.DataFrame:
    """The table of free resources: skill, name, url, hours (to the intermediate level), language.

    Raises VocabularyError.
    """
    frame = pl.read_csv(path, infer_schema=False)
    if frame.columns != list(_COLUMNS):
        raise VocabularyError(f"{path}: columns {frame.columns}; expected {list(_COLUMNS)}")
    numbers = frame.with_columns(pl.col("hours").cast(pl.Float64, strict=False))
    wrong = numbers.filter(~((pl.col("hours") > 0) & pl.col("url").str.contains("^https?://")).fill_null(value=False))
    if len(wrong):
        raise VocabularyError(f"{path}: {wrong['name'].to_list()}: hours must be above 0, and url a web address")
    return numbers


def learning_plans(
    profiles: pl.LazyFrame, jobs: pl.DataFrame, resources: pl.DataFrame, *, limits: PlanLimits | None = None
) -> pl.DataFrame:
    """LEARNING_PLANS: for each user and wanted role the skills to learn, in their order.

    Each step is the skill that opens the most jobs per hour once the steps before are learned; if none opens one, the
    skill that brings the most jobs nearer. `jobs` are the open representatives with job_id, roles, country,
    work_format, skills, published_at.
    """
    limits = limits or PlanLimits()
    columns = ("user_id", "country", "remote", "career_level", "roles", "skills")
    users = profiles.select(columns).sort("user_id").collect()
    asked = jobs.filter(pl.col("skills").list.len() > 0).sort(
        "published_at", "job_id", descending=[True, False], nulls_last=True
    )
    names = asked.select(pl.col("skills").explode()).to_series().drop_nulls().unique().sort()
    market = _Market(asked, _matrix(asked["skills"], names), _effort(names, resources))
    owned, hours = _matrix(users["skills"], names), _level_hours(users)
    wishes = (
        users.with_row_index("row")
        .select(
            "row", pl.col("country").fill_null(""), pl.col("remote").fill_null("no"), role=pl.col("roles").list.unique()
        )
        .explode("role")
        .drop_nulls("role")
        .group_by("role", "country", "remote")
        .agg(pl.col("row").sort())
        .sort("role", "country", "remote")
    )
    # Most wishes are those of a few users: their steps are arrays, and become one frame at the end.
    parts = []
    for wish, (role, country, remote, rows) in enumerate(wishes.iter_rows()):
        reachable = market.in_reach(role, country, remote)[: limits.jobs]
        for start in range(0, len(rows) if len(reachable) else 0, _USERS_AT_ONCE):
            some = np.array(rows[start : start + _USERS_AT_ONCE])
            steps = _greedy(owned[some], hours[some], market.of_jobs(reachable), limits.steps)
            parts.append({**steps, "user": some[steps["user"]], "wish": np.full(len(steps["user"]), wish)})
    if not parts:
        return LEARNING_PLANS.empty()
    found = pl.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    named = found.drop("user", "wish").with_columns(
        user_id=users["user_id"].gather(found["user"]),
        role=wishes["role"].gather(found["wish"]),
        skill=names.gather(found["skill"]),
    )
    plans = named.join(_listed(resources), on="skill", how="left")
    nothing = pl.lit([], LEARNING_PLANS.columns["resources"])
    return LEARNING_PLANS.conform(plans.with_columns(pl.col("resources").fill_null(nothing))).sort(LEARNING_PLANS.key)


@dataclass(frozen=True)
class _Jobs:
    """Jobs and the skills that they ask for: a matrix of ones, and of each skill its column and effort."""

    matrix: NDArray[np.float32]
    columns: NDArray[Any]
    effort: NDArray[Any]


@dataclass(frozen=True)
class _Market:
    """Open jobs that ask for skills, the newest first. `effort`: the hours of each skill as a share of the usual."""

    jobs: pl.DataFrame
    matrix: Csr
    effort: NDArray[Any]

    @cached_property
    def _by_role(self) -> dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
        """Row, country and whether they are remote, of the jobs of each role."""
        rows = self.jobs.with_row_index("row").select(
            "row", "country", is_remote=(pl.col("work_format") == "remote").fill_null(value=False), role="roles"
        )
        parts = rows.explode("role").drop_nulls("role").unique().sort("row").partition_by("role", as_dict=True)
        return {
            str(role): (part["row"].to_numpy(), part["country"].to_numpy(), part["is_remote"].to_numpy())
            for (role,), part in parts.items()
        }

    def in_reach(self, role: str, country: str, remote: str) -> NDArray[Any]:
        """The rows of the jobs of a role that users with these wishes would take, the newest first."""
        if role not in self._by_role:
            return np.zeros(0, dtype=np.int64)
        rows, countries, is_remote = self._by_role[role]
        is_here = countries == country if country else np.ones(len(rows), dtype=np.bool_)
        place = {"only": is_remote, "ok": is_here | is_remote}.get(remote, is_here)
        return np.asarray(rows[place])

    def of_jobs(self, rows: NDArray[Any]) -> _Jobs:
        """These jobs with the skills that any of them asks for."""
        picked = self.matrix[rows]
        columns = np.unique(picked.indices)
        return _Jobs(picked[:, columns].toarray(), columns, self.effort[columns])


def _effort(names: pl.Series, resources: pl.DataFrame) -> NDArray[Any]:
    hours = resources.group_by("skill").agg(pl.col("hours").min())
    known = pl.DataFrame({"skill": names}).join(hours, on="skill", how="left", maintain_order="left")["hours"]
    return known.fill_null(DEFAULT_HOURS).to_numpy() / DEFAULT_HOURS


def _level_hours(users: pl.DataFrame) -> NDArray[Any]:
    """Hours from nothing to the level that each user's seniority asks for."""
    target = pl.col("career_level").replace_strict(TARGET_LEVELS, default=DEFAULT_TARGET_LEVEL, return_dtype=pl.String)
    return users.select(estimated_hours(pl.lit("beginner"), target)).to_series().to_numpy()


def _greedy(owned: Csr, level_hours: NDArray[Any], jobs: _Jobs, steps: int) -> dict[str, NDArray[Any]]:
    """The steps of each user: the best skill, then the best one for who has learned it, and so on.

    Columns of LEARNING_PLANS; `user` is the position among the users, and `skill` the column of `owned`, which has the
    skills of all jobs.
    """
    # Dense: so few users and jobs are multiplied faster than SciPy makes its matrices. Counts are exact in 32 bits.
    matrix = jobs.matrix
    has = owned[:, jobs.columns].toarray() > 0
    needed = np.ceil(APPLY_SHARE * matrix.sum(axis=1) - 1e-9)
    n_owned = has.astype(np.float32) @ matrix.T
    hours = np.outer(level_hours, jobs.effort)
    rows, parts = np.arange(len(has)), []
    for rank in range(1, steps + 1):
        lacks = needed - n_owned
        n_opened = (lacks == 1).astype(np.float32) @ matrix
        n_opened[has] = 0
        gain = n_opened.astype(np.float64)
        is_far = ~n_opened.any(axis=1)
        if is_far.any():
            share = np.where(lacks[is_far] > 1, 1 / np.maximum(lacks[is_far], 1, dtype=np.float64), 0.0)
            gain[is_far] = np.where(has[is_far], 0, share @ matrix)
        per_hour = np.round(gain / hours, 12)
        best = per_hour.argmax(axis=1)  # the first by name of equal ones
        user = np.flatnonzero(per_hour[rows, best] > 0)
        skill = best[user]
        parts.append(
            {
                "user": user,
                "rank": np.full(len(user), rank),
                "skill": jobs.columns[skill],
                "estimated_hours": np.maximum(np.rint(hours[user, skill]), 1),
                "n_jobs_opened": n_opened[user, skill],
                "n_jobs_open": np.count_nonzero(lacks[user] <= 0, axis=1),
                "n_jobs_reachable": np.full(len(user), len(matrix)),
            }
        )
        has[user, skill] = True
        n_owned[user] += matrix.T[skill]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _matrix(lists: pl.Series, names: pl.Series) -> Csr:
    """List[String] as a matrix rows x names of ones; other names are left out."""
    frame = pl.DataFrame({"skill": lists}).with_row_index("row").explode("skill").drop_nulls("skill").unique()
    index = pl.DataFrame({"skill": names}).with_row_index("column")
    found = frame.join(index, on="skill")
    place = (found["row"].to_numpy(), found["column"].to_numpy())
    return sparse.csr_matrix((np.ones(len(found), np.float32), place), shape=(len(lists), len(names)))


def _listed(resources: pl.DataFrame) -> pl.DataFrame:
    """Columns skill, resources: as LEARNING_PLANS has them."""
    resource = pl.struct("name", "url", pl.col("hours").cast(pl.Int32), "language")
    return resources.sort("hours", "name").group_by("skill", maintain_order=True).agg(resources=resource)
