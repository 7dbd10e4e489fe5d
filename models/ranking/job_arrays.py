"""Open jobs as aligned arrays over shared vocabularies: what retrieval, scoring and rules compute on.

Strings become codes here; nothing is scored. `-1` is the unknown code, NaN the unknown number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.hashing import stable_hash
from features.jobs.locations import places_of_jobs
from features.schemas.catalog import CAREER_LEVELS
from features.text.normalise import company_key
from features.users.preferences import job_values
from models.arrays import NO_ENTRY, Csr, Floats, Ints, codes, csr_from_coordinates, csr_of_ones, positions, sorted_ids
from models.ranking.job_places import JobPlaces

FEATURE_SEPARATOR = "\t"  # between dimension and value


@dataclass(frozen=True)
class JobTable:
    """The open jobs, one per group of duplicates, in the order of their ids; every array has a row per job.

    `row_of_job` maps any job of the catalog (also closed and duplicate ones) to the row that represents it.
    `vocabularies` hold the sorted values behind the codes and CSR columns of that name.
    """

    ids: pl.Series
    id_hash: NDArray[np.uint64]
    row_of_job: pl.DataFrame  # job_id, job (row of this table)
    company: Ints
    company_name: Ints
    company_display: pl.Series
    city: Ints  # of the first place, as country and coordinates
    country: Ints
    places: JobPlaces  # all
    further_places: JobPlaces  # those beyond the first
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
    preference_features: Csr  # columns: (dimension, value) pairs of the learned preferences
    company_feature: Ints  # the column of the job's company in them
    engagement: Floats
    recency: Floats
    poster_quality: Floats
    trending: Floats
    age_days: Floats
    vocabularies: Mapping[str, pl.Series]

    @property
    def n(self) -> int:
        return len(self.ids)

    def prior_score(self) -> Floats:
        """How good a job is for any user, in [0, 1]: engagement, trend, recency and poster."""
        known = {
            name: np.nan_to_num(getattr(self, name)) for name in ("engagement", "trending", "recency", "poster_quality")
        }
        return np.asarray(
            0.35 * known["engagement"]
            + 0.25 * known["trending"]
            + 0.25 * known["recency"]
            + 0.15 * known["poster_quality"],
            dtype=np.float32,
        )

    def rows_of(self, job_ids: pl.Series) -> Ints:
        """The row that represents each job id, -1 without one."""
        frame = pl.DataFrame({"job_id": job_ids.cast(pl.String)})
        rows = frame.join(self.row_of_job, on="job_id", how="left", maintain_order="left")["job"]
        return np.asarray(rows.fill_null(NO_ENTRY).to_numpy(), dtype=np.int32)


def encode_jobs(
    jobs: pl.DataFrame, *, job_features: pl.DataFrame, skill_weights: pl.DataFrame, preference_values: pl.DataFrame
) -> JobTable:
    """The open jobs of `jobs` (JOBS) with their features (JOB_FEATURES, SKILL_WEIGHTS).

    A group of duplicates is shown as its representative if that is open, else as its first open member.
    `preference_values` (dimension, value) is the vocabulary of the learned preferences.
    """
    shown, row_of_job = _shown(jobs)
    frame = (
        shown.select("job_id", "job")
        .join(jobs, on="job_id", how="left")
        .join(job_features, on="job_id", how="left")
        .join(_company_names(jobs["company"]), on="company", how="left")
        .sort("job")
        .with_columns(company_key=pl.coalesce("company_id", "company").str.to_lowercase().str.strip_chars())
    )
    features = feature_names(preference_values["dimension"], preference_values["value"])
    places = places_of_jobs(frame.lazy()).collect().join(shown, on="job_id").sort("job", maintain_order=True)
    names = _vocabularies(frame, places) | {"preference_feature": sorted_ids(features)}
    rarity = _rarities(names["skill"], skill_weights)
    skills = csr_from_lists(frame["skills"], names["skill"])
    skills.data = rarity[skills.indices]
    tags = csr_from_lists(lower_lists(frame["tags"]), names["tag"])
    roles = csr_from_lists(frame["professional_roles"], names["role"])
    return JobTable(
        ids=frame["job_id"],
        id_hash=stable_hash(frame["job_id"], "job"),
        row_of_job=row_of_job,
        company=codes(frame["company_key"], names["company"]),
        company_name=codes(frame["company_name"], names["company_name"]),
        company_display=frame["company"],
        city=codes(frame["city"], names["city"]),
        country=codes(frame["country"], names["country"]),
        places=JobPlaces.encode(places, names, n_jobs=frame.height),
        further_places=JobPlaces.encode(places.filter(~pl.col("is_first")), names, n_jobs=frame.height),
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
        preference_features=_preference_features(frame, names["preference_feature"]),
        company_feature=codes("company" + FEATURE_SEPARATOR + frame["company_id"], names["preference_feature"]),
        engagement=floats(frame["engagement"]),
        recency=floats(frame["recency"]),
        poster_quality=floats(frame["poster_quality"]),
        trending=floats(frame["trending_7d"]),
        age_days=floats(frame["age_days"]),
        vocabularies=names,
    )


def csr_from_lists(lists: pl.Series, vocabulary: pl.Series, values: pl.Series | None = None) -> Csr:
    """List[String] as a CSR matrix rows x vocabulary of ones, or of the numbers beside each string; unknowns dropped.

    A value that is in a list twice counts once, with its first number.
    """
    shape = (len(lists), len(vocabulary))
    frame = pl.DataFrame({"row": pl.arange(len(lists), dtype=pl.Int64, eager=True), "value": lists})
    if values is None:
        flat = frame.filter(pl.col("value").list.len() > 0).explode("value")
        return csr_of_ones(flat["row"].to_numpy(), codes(flat["value"], vocabulary), shape=shape)
    same_length = lists.list.len() == values.list.len()
    frame = frame.with_columns(number=values).filter(same_length.fill_null(value=False), pl.col("value").list.len() > 0)
    flat = frame.explode("value", "number")
    flat = flat.with_columns(column=pl.Series(codes(flat["value"], vocabulary), dtype=pl.Int32)).filter(
        pl.col("column") >= 0
    )
    flat = flat.unique(["row", "column"], keep="first", maintain_order=True)
    numbers = floats(flat["number"].fill_null(1))
    return csr_from_coordinates(flat["row"].to_numpy(), flat["column"].to_numpy(), numbers, shape=shape)


def floats(values: pl.Series) -> Floats:
    """Numbers as a float32 array, null as NaN."""
    return np.array(values.cast(pl.Float32).fill_null(np.nan).to_numpy(), dtype=np.float32)


def levels(values: pl.Series) -> Floats:
    """Career levels as 0 (intern) to 5 (executive), NaN where unknown."""
    found = codes(values, pl.Series(CAREER_LEVELS))
    return np.where(found < 0, np.nan, found).astype(np.float32)


def _vocabularies(frame: pl.DataFrame, places: pl.DataFrame) -> dict[str, pl.Series]:
    columns = {
        "company": frame["company_key"],
        "company_name": frame["company_name"],
        "city": places["city"],
        "country": places["country"],
        "skill": frame["skills"].explode(),
        "tag": lower_lists(frame["tags"]).explode(),
        "role": frame["professional_roles"].explode(),
    }
    return {name: sorted_ids(values) for name, values in columns.items()}


def _shown(jobs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The open jobs with their rows (job_id, job), and the row of every job of their groups."""
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
    row_of_job = groups.join(shown.select("group", "job"), on="group").select("job_id", "job").sort("job_id")
    return shown, row_of_job


def _company_names(companies: pl.Series) -> pl.DataFrame:
    """The key of each distinct company name: many jobs share one, and making it is the dearest part of the encoding."""
    return pl.DataFrame({"company": companies.unique()}).with_columns(company_name=company_name_key(pl.col("company")))


def company_name_key(name: pl.Expr) -> pl.Expr:
    """The name without its legal form: users who block a company seldom write it. Generic names stay as they are."""
    return pl.coalesce(company_key(name), name.str.to_lowercase().str.strip_chars())


def lower_lists(lists: pl.Series) -> pl.Series:
    """List[String] in lower case, without spaces around the strings."""
    return lists.list.eval(pl.element().str.to_lowercase().str.strip_chars())


def _rarities(skills: pl.Series, weights: pl.DataFrame) -> Floats:
    """The rarity of each skill of the vocabulary; a skill without a weight counts as the rarest."""
    found = pl.DataFrame({"skill": skills}).join(weights, on="skill", how="left", maintain_order="left")["rarity"]
    highest = weights["rarity"].max() if len(weights) else None
    default = float(highest) if isinstance(highest, int | float) else 1.0
    return floats(found.fill_null(default))


def feature_names(dimension: pl.Series, value: pl.Series) -> pl.Series:
    """The names of preference features."""
    frame = pl.DataFrame({"dimension": dimension, "value": value})
    return frame.select(pl.concat_str("dimension", "value", separator=FEATURE_SEPARATOR)).to_series()


def _preference_features(frame: pl.DataFrame, vocabulary: pl.Series) -> Csr:
    """The learned preferences that each job can meet: its company, roles, skills, city, level and title words."""
    values = job_values(frame.lazy())
    return csr_of_ones(
        positions(frame["job_id"], values["job_id"]),
        codes(feature_names(values["dimension"], values["value"]), vocabulary),
        shape=(len(frame), len(vocabulary)),
    )
