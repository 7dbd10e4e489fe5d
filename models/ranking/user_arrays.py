"""Users as aligned arrays in the vocabularies of a JobTable. Strings become codes; nothing is scored.

`-1` is the unknown code, NaN the unknown number.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.components import REMOTE_CODES, REMOTE_UNKNOWN
from features.hashing import UInt64s, stable_hash
from models.arrays import Bools, Csr, Doubles, Floats, Ints, codes
from models.ranking.job_arrays import (
    JobTable,
    company_name_key,
    csr_from_lists,
    feature_names,
    floats,
    levels,
    lower_lists,
)


@dataclass(frozen=True)
class UserTable:
    """Users in the order of their ids, encoded in the vocabularies of a JobTable; every array has a row per user."""

    ids: pl.Series
    id_hash: UInt64s
    city: Ints
    city_names: pl.Series
    country: Ints
    latitude: Doubles
    longitude: Doubles
    max_distance_km: Floats
    remote: NDArray[np.int8]
    years: Floats
    level: Floats
    salary_minimum: Floats
    skills: Csr  # data: level in (0, 1]; only skills that some job asks for
    avoided_skills: Csr
    has_skills: Bools  # any at all
    avoids_skills: Bools
    tags: Csr
    n_tags: Floats
    roles: Csr
    blocked_tags: Csr
    blocked_companies: Csr
    blocked_company_names: Csr
    is_personalised: Bools
    has_profile: Bools

    @property
    def n(self) -> int:
        return len(self.ids)


def encode_users(users: pl.DataFrame, jobs: JobTable) -> UserTable:
    """Profiles (schema USER_PROFILES; null columns for users known by their events alone), sorted by id."""
    users = users.sort("user_id")
    names = jobs.vocabularies
    blocked = lower_lists(users["blocked_companies"])
    skills = csr_from_lists(users["skills"], names["skill"], users["skill_levels"])
    return UserTable(
        ids=users["user_id"],
        id_hash=stable_hash(users["user_id"], "user"),
        city=codes(users["city"], names["city"]),
        city_names=users["city"],
        country=codes(users["country"], names["country"]),
        latitude=users["latitude"].fill_null(np.nan).to_numpy(),
        longitude=users["longitude"].fill_null(np.nan).to_numpy(),
        max_distance_km=floats(users["max_distance_km"]),
        remote=users["remote"]
        .replace_strict(REMOTE_CODES, default=REMOTE_UNKNOWN, return_dtype=pl.Int8)
        .fill_null(REMOTE_UNKNOWN)
        .to_numpy(),
        years=floats(users["years_of_experience"]),
        level=levels(users["career_level"]),
        salary_minimum=floats(users["salary_monthly_usd_min"]),
        skills=skills,
        avoided_skills=csr_from_lists(users["avoided_skills"], names["skill"]),
        has_skills=(users["skills"].list.len().fill_null(0) > 0).to_numpy(),
        avoids_skills=(users["avoided_skills"].list.len().fill_null(0) > 0).to_numpy(),
        tags=csr_from_lists(lower_lists(users["interest_tags"]), names["tag"]),
        n_tags=floats(users["interest_tags"].list.n_unique().fill_null(0)),
        roles=csr_from_lists(users["roles"], names["role"]),
        blocked_tags=csr_from_lists(lower_lists(users["blocked_tags"]), names["tag"]),
        blocked_companies=csr_from_lists(blocked, names["company"]),
        blocked_company_names=csr_from_lists(blocked.list.eval(company_name_key(pl.element())), names["company_name"]),
        is_personalised=users["personalization_enabled"].fill_null(value=True).to_numpy(),
        has_profile=users["has_profile"].fill_null(value=False).to_numpy(),
    )


def encode_preferences(preferences: pl.DataFrame, user_ids: pl.Series, features: pl.Series) -> tuple[Csr, Csr]:
    """PREFERENCES as CSR matrices users x preference features: affinity times confidence, and confidence."""
    rows = codes(preferences["user_id"], user_ids)
    columns = codes(feature_names(preferences["dimension"], preferences["value"]), features)
    kept = (rows >= 0) & (columns >= 0)
    confidence = floats(preferences["confidence"].fill_null(0))[kept]
    affinity = floats(preferences["affinity"].fill_null(0))[kept]
    shape = (len(user_ids), len(features))
    place = (rows[kept], columns[kept])
    return (
        sparse.csr_matrix((affinity * confidence, place), shape=shape, dtype=np.float32),
        sparse.csr_matrix((confidence, place), shape=shape, dtype=np.float32),
    )
