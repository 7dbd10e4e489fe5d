"""The market's employers: a name, a home city, a sector, a quality and sentences about itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.simulation.rng import Flags, FloatArray, IntArray, Purpose, generator, weighted
from pipelines.simulation.world import World

_SMALLEST_MARKET = 24
_MOST_COMPANIES = 12_000
_POSTINGS_PER_COMPANY = 10
_LOCAL_SHARE = 0.75
_POPULARITY_SKEW = 2.2


@dataclass(frozen=True)
class Companies:
    """One row a company: `frame` (company, about_en, about_ru, employer_id, size) and its latent columns as arrays."""

    frame: pl.DataFrame
    is_local: Flags
    city: IntArray
    sector: IntArray
    quality: FloatArray

    def choose(self, rng: np.random.Generator, sector: IntArray, *, is_local: Flags) -> IntArray:
        """A company index per row, of the row's sector and market; a sector's first companies hire most."""
        chosen = np.zeros(len(sector), dtype=np.int64)
        draws = rng.random(len(sector)) ** _POPULARITY_SKEW
        for wanted in np.unique(sector):
            for local in (False, True):
                rows = np.flatnonzero((sector == wanted) & (is_local == local))
                members = np.flatnonzero((self.sector == wanted) & (self.is_local == local))
                chosen[rows] = members[(draws[rows] * len(members)).astype(np.int64)]
        return chosen


def make_companies(world: World, *, n_jobs: int, seed: int) -> Companies:
    """As many companies as a market of `n_jobs` postings has; each sector has at least one local and one foreign."""
    rng = generator(seed, Purpose.COMPANIES)
    n_sectors = len(world.sectors)
    n = int(np.clip(n_jobs // _POSTINGS_PER_COMPANY, max(_SMALLEST_MARKET, 2 * n_sectors), _MOST_COMPANIES))
    is_local = rng.random(n) < _LOCAL_SHARE
    is_local[:n_sectors], is_local[n_sectors : 2 * n_sectors] = True, False
    sector = np.concatenate([np.tile(np.arange(n_sectors), 2), rng.integers(0, n_sectors, n - 2 * n_sectors)])
    weights, here = world.of_cities("weight"), world.is_local_city
    city = np.where(is_local, weighted(rng, weights * here, n=n), weighted(rng, weights * ~here, n=n))
    names = np.where(is_local, _names(world, "ru", rng, n=n), _names(world, "en", rng, n=n))
    size = (rng.lognormal(4.2, 1.1, n)).astype(np.int64).clip(5, 20_000)
    frame = pl.DataFrame(
        {"employer_id": 700_000 + 7 * np.arange(n), "company": pl.Series(names.tolist()), "size": size}
    ).with_columns(_about(world, rng, sector=sector, size=size))
    return Companies(frame, is_local, city.astype(np.int64), sector, np.round(rng.normal(size=n), 4))


def write_company_facts(companies: Companies, folder: Path, *, until: datetime) -> None:
    """What a register says of each company: how many people work there."""
    folder.mkdir(parents=True, exist_ok=True)
    companies.frame.select(
        "company",
        fact=pl.lit("headcount"),
        value=pl.col("size").cast(pl.String),
        source=pl.lit("simulated register"),
        observed_at=pl.lit((until - timedelta(days=1)).isoformat()),
    ).write_ndjson(folder / "register.jsonl")


def _names(world: World, language: str, rng: np.random.Generator, *, n: int) -> NDArray[np.object_]:
    parts = [world.texts[f"company_{part}"][language] for part in ("first", "second", "last")]
    combinations = len(parts[0]) * len(parts[1]) * len(parts[2])
    picked = rng.permutation(combinations)
    names = []
    for i in range(n):
        number, lap = int(picked[i % combinations]), i // combinations
        first, rest = number % len(parts[0]), number // len(parts[0])
        name = f"{parts[0][first]} {parts[1][rest % len(parts[1])]}{parts[2][rest // len(parts[1])]}"
        names.append(name if lap == 0 else f"{name} {lap + 1}")
    return np.array(names, dtype=object)


def _about(world: World, rng: np.random.Generator, *, sector: IntArray, size: IntArray) -> list[pl.Expr]:
    n, texts = len(sector), world.texts
    audience, first = (rng.integers(0, len(texts[name]["en"]), n) for name in ("audience", "values"))
    second = (first + rng.integers(1, len(texts["values"]["en"]), n)) % len(texts["values"]["en"])

    def about(language: str) -> pl.Expr:
        products = pl.Series([texts["sectors"][name][language] for name in world.sectors])
        pieces = (
            products.gather(sector),
            pl.Series(texts["audience"][language]).gather(audience),
            pl.Series(size),
            pl.Series(texts["values"][language]).gather(first),
            pl.Series(texts["values"][language]).gather(second),
        )
        return pl.format(texts["about"][language], *(pl.lit(piece) for piece in pieces)).alias(f"about_{language}")

    return [about("en"), about("ru")]
