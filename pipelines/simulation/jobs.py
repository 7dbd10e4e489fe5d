"""The market's postings as latent columns: employer, role, place, pay, time. Texts and files are made elsewhere."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from pipelines.simulation.companies import Companies
from pipelines.simulation.rng import (
    Flags,
    FloatArray,
    IntArray,
    Purpose,
    SkillBits,
    generator,
    one_of_each,
    pick_skills,
    skill_bits,
    weighted,
)
from pipelines.simulation.world import LEVEL_PAY, UNITS_PER_USD, World

HH, SIMBOARD, SIMRABOTA, FILE = range(4)
SOURCES = ("hh", "simboard", "simrabota", "file")
ON_SITE, HYBRID, REMOTE = range(3)
NO_CITY = -1
MAX_SKILLS = 8
DAY_SECONDS = 86_400

_LOCAL_SHARE = 0.78
_LEVEL_WEIGHTS = (4, 22, 42, 24, 8)
_OLDER_SHARE = 0.3  # open already when the events begin
_OLDER_DAYS = 20
_COPY_SHARE = 0.025
_ANYWHERE_PAY = 1.7
_FIRST_ID = {HH: 120_000_000, SIMBOARD: 1_000_000, SIMRABOTA: 2_000_000, FILE: 1}
_ID_FORMAT = {HH: "{}", SIMBOARD: "sim{}", SIMRABOTA: "sr{}", FILE: "ad-{}"}


@dataclass(frozen=True)
class Jobs:
    """One row a posting, by time of first publication.

    `frame`: job_id, source_id, source, family, level, company, city (NO_CITY = anywhere), work_format, is_english,
    salary_min/max in `currency` a month (null = unstated), usd_max (NaN = unstated), published_s and created_s (epoch
    seconds), is_archived, quality, appeal, duplicate_of (row or -1), text_seed.
    `skills`: (rows, MAX_SKILLS), -1 = none.
    """

    frame: pl.DataFrame
    skills: IntArray
    bits: SkillBits

    def column(self, name: str) -> IntArray:
        """A whole-number column of the frame."""
        return self.frame[name].cast(pl.Int64).to_numpy()

    def amounts(self, name: str) -> FloatArray:
        """A column of the frame as floats, NaN for null."""
        return self.frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def make_jobs(world: World, companies: Companies, *, n_jobs: int, n_days: int, until: datetime, seed: int) -> Jobs:
    """`n_jobs` postings, all published before `until`, some before the `n_days` of events begin."""
    rng = generator(seed, Purpose.JOBS)
    frame = _with_place(world, companies, _roles(world, companies, rng, n=n_jobs), rng)
    frame = _with_pay(world, frame, rng)
    skills = pick_skills(rng, world, frame["family"].to_numpy(), n_min=4, n_max=MAX_SKILLS)
    created = _created_seconds(rng, n=n_jobs, n_days=n_days, until=until)
    frame, skills, created, copied_from = _with_copies(frame, skills, created, rng, until=until)

    order = np.argsort(created, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(n_jobs)
    copied_from = np.where(copied_from >= 0, place[copied_from.clip(0)], -1)[order]
    frame, skills, created = frame[order.tolist()], skills[order], created[order]
    published, is_archived = _publication(rng, created, until=until)
    frame = _with_ids(
        frame.with_columns(
            created_s=created,
            published_s=published,
            is_archived=is_archived & (frame["source"].to_numpy() == HH),
            duplicate_of=copied_from,
        )
    )
    return Jobs(frame, skills, skill_bits(skills, n_skills=len(world.skills)))


def _roles(world: World, companies: Companies, rng: np.random.Generator, *, n: int) -> pl.DataFrame:
    """Family, level, company. The first rows are reserved for the tastes of the two example users."""
    family = weighted(rng, world.of_families("weight"), n=n)
    is_local = rng.random(n) < _LOCAL_SHARE
    reserved = int(np.clip(n // 200, 3, 30))
    family[:reserved], is_local[:reserved] = world.family_index("python_backend"), True
    second = slice(reserved, 2 * reserved)
    family[second], is_local[second] = world.family_index("product_designer"), False
    sector = one_of_each(rng, [f.sectors for f in world.families], family)
    company = companies.choose(rng, sector, is_local=is_local)
    return pl.DataFrame(
        {
            "family": family,
            "level": weighted(rng, _LEVEL_WEIGHTS, n=n),
            "company": company,
            "is_english": ~is_local,
            "quality": companies.quality[company],
            "appeal": np.round(rng.exponential(size=n) - 1.0, 4),
            "text_seed": rng.integers(0, 2**31, n),
            "reserved": np.where(np.arange(n) < reserved, 1, np.where(np.arange(n) < 2 * reserved, 2, 0)),
        }
    )


def _with_place(world: World, companies: Companies, frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n, is_local = len(frame), ~frame["is_english"].to_numpy()
    family, company, reserved = (frame[name].to_numpy() for name in ("family", "company", "reserved"))
    weights, here = world.of_cities("weight"), world.is_local_city
    elsewhere = np.where(is_local, weighted(rng, weights * here, n=n), weighted(rng, weights * ~here, n=n))
    city = np.where(rng.random(n) < 0.55, companies.city[company], elsewhere)
    city[reserved == 1] = world.city_index("Almaty")

    remote_share = world.of_families("remote")[family] * np.where(is_local, 0.8, 1.5)
    draws = rng.random(n)
    may_be_hybrid = remote_share > 0.1
    work_format = np.where(draws < remote_share, REMOTE, np.where((draws > 0.85) & may_be_hybrid, HYBRID, ON_SITE))
    work_format[reserved == 2] = REMOTE

    board = np.where(rng.random(n) < 0.13, SIMRABOTA, np.where(rng.random(n) < 0.01, FILE, HH))
    source = np.where(is_local, board, np.where(work_format == REMOTE, SIMBOARD, FILE))
    city[source == SIMBOARD] = NO_CITY
    return frame.with_columns(city=city, work_format=work_format, source=source).drop("reserved")


def _with_pay(world: World, frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n, city = len(frame), frame["city"].to_numpy()
    pay = np.append(world.of_cities("pay"), _ANYWHERE_PAY)[city]  # NO_CITY takes the last
    usd = world.of_families("usd")[frame["family"].to_numpy()] * pay
    usd = usd * LEVEL_PAY[frame["level"].to_numpy()] * rng.lognormal(0, 0.15, n)
    currencies = pl.Series([c.currency for c in world.cities] + ["USD"]).gather(city % (len(world.cities) + 1))
    units = currencies.replace_strict(UNITS_PER_USD, return_dtype=pl.Float64).to_numpy()
    low, high = usd * 0.88 * units, usd * rng.uniform(1.05, 1.45, n) * units
    step = 10 ** np.floor(np.log10(low) - 1) * 5
    low, high = np.round(low / step) * step, np.round(high / step) * step
    kind = weighted(rng, (55, 18, 5, 22), n=n)  # both ends, from, up to, unstated
    low = np.where((kind == 0) | (kind == 1), low, np.nan)
    high = np.where((kind == 0) | (kind == 2), high, np.nan)
    return frame.with_columns(
        salary_min=pl.Series(low).fill_nan(None).cast(pl.Int64),
        salary_max=pl.Series(high).fill_nan(None).cast(pl.Int64),
        currency=currencies,
        usd_max=np.where(np.isnan(high), low * 1.15, high) / units,
        is_gross=rng.random(n) < 0.4,
    )


def _created_seconds(rng: np.random.Generator, *, n: int, n_days: int, until: datetime) -> IntArray:
    """First publication, epoch seconds. An exact share is older than the events, so that it is never empty."""
    end = int(until.timestamp())
    begin = end - n_days * DAY_SECONDS
    is_older = np.arange(n) % 10 < _OLDER_SHARE * 10
    older = begin - rng.integers(1, _OLDER_DAYS * DAY_SECONDS, n)
    newer = begin + (rng.random(n) * (end - begin - 1)).astype(np.int64)
    return np.where(is_older, older, newer)


def _with_copies(
    frame: pl.DataFrame, skills: IntArray, created: IntArray, rng: np.random.Generator, *, until: datetime
) -> tuple[pl.DataFrame, IntArray, IntArray, IntArray]:
    """Turns a share of local postings into copies of others: on another board, or under a new id."""
    n, source = len(frame), frame["source"].to_numpy()
    copied_from = np.full(n, -1, dtype=np.int64)
    local = (source == HH) | (source == SIMRABOTA)
    is_copy = local & (rng.random(n) < _COPY_SHARE)
    originals = np.flatnonzero((source == HH) & ~is_copy)
    if not len(originals) or not is_copy.any():
        return frame, skills, created, copied_from
    rows = np.flatnonzero(is_copy)
    copied_from[rows] = originals[rng.integers(0, len(originals), len(rows))]
    taken = np.where(is_copy, copied_from, np.arange(n))
    delay = rng.integers(DAY_SECONDS // 10, 4 * DAY_SECONDS, n)
    last = int(until.timestamp()) - 1
    created = np.where(is_copy, np.minimum(created[taken] + delay, last), created)
    return frame[taken.tolist()].with_columns(source=source), skills[taken], created, copied_from


def _publication(rng: np.random.Generator, created: IntArray, *, until: datetime) -> tuple[IntArray, Flags]:
    """(published, is archived): a tenth was published again since it was created, a few old ones are archived."""
    end = int(until.timestamp())
    age = end - created
    raised = created + (rng.random(len(created)) * age).astype(np.int64)
    published = np.where((rng.random(len(created)) < 0.1) & (age > 5 * DAY_SECONDS), raised, created)
    return published, (rng.random(len(created)) < 0.02) & (age > 30 * DAY_SECONDS)


def _with_ids(frame: pl.DataFrame) -> pl.DataFrame:
    number = pl.int_range(pl.len()).over("source")
    source_id = pl.coalesce(
        pl.when(pl.col("source") == source).then(
            pl.format(_ID_FORMAT[source], first + number * (3 if source == HH else 1))
        )
        for source, first in _FIRST_ID.items()
    )
    names = pl.col("source").replace_strict(dict(enumerate(SOURCES)), return_dtype=pl.String)
    return frame.with_columns(source_id=source_id).with_columns(job_id=pl.format("{}:{}", names, "source_id"))
