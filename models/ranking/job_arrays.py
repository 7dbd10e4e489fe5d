"""Jobs and users as aligned arrays over shared vocabularies: what retrieval, scoring and rules compute on.

Only encoding: strings become codes here and nothing is judged. `-1` is the unknown code, NaN the unknown number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from features.components import REMOTE_CODES, REMOTE_UNKNOWN
from features.hashing import stable_hash
from features.schemas.catalog import CAREER_LEVELS
from features.text.normalise import company_key
from features.users.preferences import job_values
from models.arrays import NO_ENTRY, Bools, Csr, Floats, Ints, codes

FACET_SEPARATOR = "\t"  # between dimension and value


@dataclass(frozen=True)
class JobTable:
    """The jobs that may be shown, one per group of duplicates, in the order of their ids; every array has a row each.

    `index` resolves any job of the catalog (closed and duplicate ones too) to the row that stands for it.
    `vocabularies` hold the sorted values that codes and CSR columns of that name count in.
    """

    ids: pl.Series
    id_hash: NDArray[np.uint64]
    index: pl.DataFrame  # job_id, job (row of this table)
    company: Ints
    company_name: Ints
    company_display: pl.Series
    city: Ints
    country: Ints
    role: Ints  # the first professional role
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    is_remote: Floats
    min_years: Floats
    max_years: Floats
    salary_min: Floats
    salary_max: Floats
    level: Floats
    skills: Csr  # data: rarity
    skill_rarity_total: Floats
    tags: Csr
    n_tags: Floats
    roles: Csr
    facets: Csr  # columns: (dimension, value) pairs of the learned preferences
    engagement: Floats
    recency: Floats
    poster_quality: Floats
    trending: Floats
    age_days: Floats
    vocabularies: Mapping[str, pl.Series]

    @property
    def n(self) -> int:
        return len(self.ids)

    def rows_of(self, job_ids: pl.Series) -> Ints:
        """The row that stands for each job id, -1 where none does."""
        frame = pl.DataFrame({"job_id": job_ids.cast(pl.String)})
        rows = frame.join(self.index, on="job_id", how="left", maintain_order="left")["job"]
        return np.asarray(rows.fill_null(NO_ENTRY).to_numpy(), dtype=np.int32)


@dataclass(frozen=True)
class UserTable:
    """The users of one shard in the order of their ids, encoded in the vocabularies of a JobTable."""

    ids: pl.Series
    id_hash: NDArray[np.uint64]
    city: Ints
    city_names: pl.Series
    country: Ints
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
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


def encode_jobs(
    jobs: pl.DataFrame, *, job_features: pl.DataFrame, skill_weights: pl.DataFrame, facet_values: pl.DataFrame
) -> JobTable:
    """The jobs to show out of the catalog's (schema JOBS), beside their features (JOB_FEATURES, SKILL_WEIGHTS).

    A group of duplicates is its representative if that is open, else its first open member. `facet_values` has the
    columns dimension and value: the learned preferences' vocabulary.
    """
    shown, index = _shown(jobs)
    frame = (
        shown.select("job_id", "job")
        .join(jobs, on="job_id", how="left")
        .join(job_features, on="job_id", how="left")
        .sort("job")
        .with_columns(
            company_key=pl.coalesce("company_id", "company").str.to_lowercase().str.strip_chars(),
            company_name=_company_name(pl.col("company")),
        )
    )
    names = {
        "company": _vocabulary(frame["company_key"]),
        "company_name": _vocabulary(frame["company_name"]),
        "city": _vocabulary(frame["city"]),
        "country": _vocabulary(frame["country"]),
        "skill": _vocabulary(frame["skills"].explode()),
        "tag": _vocabulary(_lower(frame["tags"]).explode()),
        "role": _vocabulary(frame["professional_roles"].explode()),
        "facet": _vocabulary(_facet(facet_values["dimension"], facet_values["value"])),
    }
    rarity = _rarities(names["skill"], skill_weights)
    skills = csr_from_lists(frame["skills"], names["skill"])
    skills.data = rarity[skills.indices]
    tags = csr_from_lists(_lower(frame["tags"]), names["tag"])
    roles = csr_from_lists(frame["professional_roles"], names["role"])
    return JobTable(
        ids=frame["job_id"],
        id_hash=stable_hash(frame["job_id"], "job"),
        index=index,
        company=codes(frame["company_key"], names["company"]),
        company_name=codes(frame["company_name"], names["company_name"]),
        company_display=frame["company"],
        city=codes(frame["city"], names["city"]),
        country=codes(frame["country"], names["country"]),
        role=codes(frame["professional_roles"].list.first(), names["role"]),
        latitude=frame["latitude"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        longitude=frame["longitude"].cast(pl.Float64).fill_null(np.nan).to_numpy(),
        is_remote=floats((frame["work_format"] == "remote").cast(pl.Float32)),
        min_years=floats(frame["experience_min_years"]),
        max_years=floats(frame["experience_max_years"]),
        salary_min=floats(frame["salary_monthly_usd_min"]),
        salary_max=floats(frame["salary_monthly_usd_max"]),
        level=levels(frame["career_level"]),
        skills=skills,
        skill_rarity_total=np.asarray(skills.sum(axis=1), dtype=np.float32).ravel(),
        tags=tags,
        n_tags=np.diff(tags.indptr).astype(np.float32),
        roles=roles,
        facets=_facets(frame, names["facet"]),
        engagement=floats(frame["engagement"]),
        recency=floats(frame["recency"]),
        poster_quality=floats(frame["poster_quality"]),
        trending=floats(frame["trending_7d"]),
        age_days=floats(frame["age_days"]),
        vocabularies=names,
    )


def encode_users(users: pl.DataFrame, jobs: JobTable) -> UserTable:
    """Profiles (schema USER_PROFILES; null columns for users known by their events alone), sorted by id."""
    users = users.sort("user_id")
    names = jobs.vocabularies
    blocked = _lower(users["blocked_companies"])
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
        tags=csr_from_lists(_lower(users["interest_tags"]), names["tag"]),
        n_tags=floats(users["interest_tags"].list.n_unique().fill_null(0)),
        roles=csr_from_lists(users["roles"], names["role"]),
        blocked_tags=csr_from_lists(_lower(users["blocked_tags"]), names["tag"]),
        blocked_companies=csr_from_lists(blocked, names["company"]),
        blocked_company_names=csr_from_lists(blocked.list.eval(_company_name(pl.element())), names["company_name"]),
        is_personalised=users["personalization_enabled"].fill_null(value=True).to_numpy(),
        has_profile=users["has_profile"].fill_null(value=False).to_numpy(),
    )


def encode_preferences(preferences: pl.DataFrame, user_ids: pl.Series, facets: pl.Series) -> tuple[Csr, Csr]:
    """Learned preferences (schema PREFERENCES) as CSR matrices users x facets: affinity * confidence, confidence."""
    rows = codes(preferences["user_id"], user_ids)
    columns = codes(_facet(preferences["dimension"], preferences["value"]), facets)
    kept = (rows >= 0) & (columns >= 0)
    confidence = floats(preferences["confidence"].fill_null(0))[kept]
    affinity = floats(preferences["affinity"].fill_null(0))[kept]
    shape = (len(user_ids), len(facets))
    place = (rows[kept], columns[kept])
    return (
        sparse.csr_matrix((affinity * confidence, place), shape=shape, dtype=np.float32),
        sparse.csr_matrix((confidence, place), shape=shape, dtype=np.float32),
    )


def csr_from_lists(lists: pl.Series, vocabulary: pl.Series, values: pl.Series | None = None) -> Csr:
    """List[String] as a CSR matrix rows x vocabulary of ones, or of the numbers beside each string; unknowns dropped.

    A value twice in a list counts once, with the first of its numbers.
    """
    frame = pl.DataFrame({"row": pl.arange(len(lists), dtype=pl.Int64, eager=True), "value": lists})
    columns = ["value"]
    if values is not None:
        same_length = lists.list.len() == values.list.len()
        frame = frame.with_columns(number=values).filter(same_length.fill_null(value=False))
        columns.append("number")
    flat = frame.filter(pl.col("value").list.len() > 0).explode(columns)
    flat = flat.with_columns(column=pl.Series(codes(flat["value"], vocabulary), dtype=pl.Int32)).filter(
        pl.col("column") >= 0
    )
    flat = flat.unique(["row", "column"], keep="first", maintain_order=True).sort("row", "column")
    numbers = floats(flat["number"].fill_null(1)) if values is not None else np.ones(len(flat), dtype=np.float32)
    indptr = np.searchsorted(flat["row"].to_numpy(), np.arange(len(lists) + 1))
    shape = (len(lists), len(vocabulary))
    return sparse.csr_matrix((numbers, flat["column"].to_numpy().astype(np.int32), indptr), shape=shape)


def floats(values: pl.Series) -> Floats:
    """Numbers as a float32 array, null as NaN."""
    return np.array(values.cast(pl.Float32).fill_null(np.nan).to_numpy(), dtype=np.float32)


def levels(values: pl.Series) -> Floats:
    """Career levels as 0 (intern) to 5 (executive), NaN where unknown."""
    found = codes(values, pl.Series(CAREER_LEVELS))
    return np.where(found < 0, np.nan, found).astype(np.float32)


def _vocabulary(values: pl.Series) -> pl.Series:
    return values.cast(pl.String).drop_nulls().unique().sort()


def _shown(jobs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The jobs that are shown and their rows (job_id, job), and the row that stands for each job of their groups."""
    groups = jobs.select("job_id", "status", group=pl.coalesce("duplicate_of", "job_id")).with_columns(
        is_representative=pl.col("job_id") == pl.col("group")
    )
    shown = (
        groups.filter(pl.col("status") == "open")
        .sort("group", pl.col("is_representative").not_(), "job_id")
        .unique("group", keep="first", maintain_order=True)
        .sort("job_id")
        .with_row_index("job")
        .with_columns(pl.col("job").cast(pl.Int32))
    )
    index = groups.join(shown.select("group", "job"), on="group").select("job_id", "job").sort("job_id")
    return shown, index


def _company_name(name: pl.Expr) -> pl.Expr:
    """Without the legal form, as who blocks a company seldom writes it; names that tell nothing stay as they are."""
    return pl.coalesce(company_key(name), name.str.to_lowercase().str.strip_chars())


def _lower(lists: pl.Series) -> pl.Series:
    return lists.list.eval(pl.element().str.to_lowercase().str.strip_chars())


def _rarities(skills: pl.Series, weights: pl.DataFrame) -> Floats:
    """The rarity of each skill of the vocabulary; a skill without one counts as the rarest there is."""
    found = pl.DataFrame({"skill": skills}).join(weights, on="skill", how="left", maintain_order="left")["rarity"]
    highest = weights["rarity"].max() if len(weights) else None
    default = float(highest) if isinstance(highest, int | float) else 1.0
    return floats(found.fill_null(default))


def _facet(dimension: pl.Series, value: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"dimension": dimension, "value": value})
    return frame.select(pl.concat_str("dimension", "value", separator=FACET_SEPARATOR)).to_series()


def _facets(frame: pl.DataFrame, vocabulary: pl.Series) -> Csr:
    """Which learned preferences each job could meet: its company, roles, skills, city, level and title words."""
    values = job_values(frame.lazy())
    found = (
        pl.DataFrame({"job_id": values["job_id"], "facet": _facet(values["dimension"], values["value"])})
        .filter(pl.col("facet").is_in(vocabulary.implode()))
        .group_by("job_id")
        .agg("facet")
    )
    lists = frame.select("job_id").join(found, on="job_id", how="left", maintain_order="left")["facet"]
    return csr_from_lists(lists, vocabulary)
