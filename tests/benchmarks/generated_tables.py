"""Published tables of any size from a seed, as ranking and the catalog would leave them. For benchmarks only."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from assets.publishing.assets import reason_tables
from assets.publishing.tables import Source
from features.schemas.catalog import JOBS
from features.schemas.features import TRENDING
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS
from features.schemas.training import SIMILAR_JOBS
from models.explanations.templates import REASON_TEMPLATES
from serving.contract.tables import COMPONENTS
from tests import factories

AS_OF = dt.datetime(2026, 11, 25, 2, tzinfo=dt.UTC)
ITEMS, COMPONENT_ITEMS = 100, 20
# Coprime to the number of jobs, so that a walk by one of them shows no job twice.
_STEPS = np.array([1009, 3001, 7001, 9973, 15_013, 29_989])
_CODES = ["skills", "similar_to_saved", "nearby", "new", "salary", "trending", "also_applied", "exploration"]
_WORDS = ["Python", "SQL", "Excel", "1С", "JavaScript", "Docker", "Продажи", "Figma", "Kubernetes", "Go"]
_MORE = ["PostgreSQL", "React", "Git", "Linux", "Английский", "Pandas", "AWS", "Scrum"]


def job_ids(n_jobs: int) -> pl.Series:
    """Distinct ids like those of HH."""
    numbers = np.random.default_rng(1).choice(90_000_000, n_jobs, replace=False) + 10_000_000
    return pl.select(pl.format("hh:{}", pl.Series(numbers))).to_series().sort()


def jobs(n_jobs: int) -> pl.DataFrame:
    """Open jobs with descriptions of about 900 characters."""
    ids = job_ids(n_jobs)
    rng = np.random.default_rng(2)
    number = pl.Series(np.arange(n_jobs))
    words = pl.Series([f"{a} {b}" for a in _WORDS for b in _MORE])
    text = pl.concat_str([words.gather(rng.integers(0, len(words), n_jobs)) for _ in range(60)], separator=", ")
    frame = pl.select(
        job_id=ids,
        source=pl.lit("hh"),
        source_id=ids.str.slice(3),
        url=pl.format("https://hh.ru/vacancy/{}", ids.str.slice(3)),
        title=pl.format("{} разработчик {}", words.gather(rng.integers(0, len(words), n_jobs)), number % 977),
        company=pl.format("Company {}", number % 20_011),
        company_id=pl.format("hh:c{}", number),
        description=text,
        city=pl.lit("Almaty"),
        country=pl.lit("KZ"),
        work_format=pl.lit("remote"),
        salary_min=pl.Series(rng.integers(500, 9000, n_jobs)).cast(pl.Float64),
        salary_currency=pl.lit("USD"),
        salary_period=pl.lit("month"),
        skills=pl.concat_list(pl.Series(_WORDS).gather(number % 10), pl.Series(_MORE).gather(number % 8)),
        published_at=pl.lit(AS_OF),
        first_seen_at=pl.lit(AS_OF),
        last_seen_at=pl.lit(AS_OF),
        status=pl.lit("open"),
        content_hash=ids,
    )
    return JOBS.conform(frame).sort("job_id")


def feeds(first: int, n_users: int, *, n_jobs: int, seed: int, generated_at: dt.datetime = AS_OF) -> pl.DataFrame:
    """Feeds of `n_users` users numbered from `first`, 100 items each, the first 20 with components."""
    rng = np.random.default_rng([seed, first])
    ids = job_ids(n_jobs)
    n = n_users * ITEMS
    start, step = rng.integers(0, n_jobs, (n_users, 1)), _STEPS[rng.integers(0, len(_STEPS), (n_users, 1))]
    shown = ((start + step * np.arange(ITEMS)) % n_jobs).ravel()
    rank = np.tile(np.arange(1, ITEMS + 1, dtype=np.int16), n_users)
    explored = rng.random(n) < 0.1
    components = pl.DataFrame({name: rng.random(n, dtype=np.float32).round(3) for name in COMPONENTS})
    items = pl.DataFrame(
        {
            "rank": rank,
            "job_id": ids.gather(shown),
            "score": np.sort(rng.beta(6, 4, (n_users, ITEMS)).astype(np.float32), axis=1)[:, ::-1].ravel(),
            "confidence": (rng.random(n) * 0.5 + 0.5).astype(np.float32),
            "seen": rng.random(n) < 0.05,
            "explored": explored,
            "propensity": np.where(explored, rng.random(n) * 0.1, 1).astype(np.float32),
            "reasons": _reasons(ids, n, rng),
            "components": pl.select(
                pl.when(pl.Series(rank <= COMPONENT_ITEMS)).then(components.to_struct())
            ).to_series(),
        }
    )
    owner = pl.Series(np.repeat(np.arange(first, first + n_users), ITEMS))
    frame = (
        pl.DataFrame({"number": owner, "items": items.to_struct()})
        .group_by("number", maintain_order=True)
        .agg("items")
        .select(
            user_id=pl.format("user-{}", pl.col("number").cast(pl.String).str.zfill(8)),
            generated_at=pl.lit(generated_at),
            recipe=pl.lit("marketplace"),
            arm=pl.lit("default"),
            source=pl.lit("personal"),
            items="items",
        )
    )
    return FEEDS.conform(frame).sort("user_id")


def write_feeds(
    folder: Path, *, n_users: int, n_jobs: int, shard_users: int, tell: Callable[[int], None]
) -> list[Path]:
    """The feeds of `n_users` users in shard files, as ranking writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for shard, first in enumerate(range(0, n_users, shard_users)):
        path = folder / f"shard={shard:04d}.parquet"
        if not path.exists():
            frame = feeds(first, min(shard_users, n_users - first), n_jobs=n_jobs, seed=3)
            frame.write_parquet(path, compression="zstd", statistics=True)
        paths.append(path)
        tell(first + shard_users)
    return paths


def sources(feed_files: list[Path], folder: Path, *, n_jobs: int) -> dict[str, Source]:
    """Every published table: these feeds, `n_jobs` jobs with two similar ones each in `folder`, the rest small."""
    paths = {name: folder / f"{name}-{n_jobs}.parquet" for name in ("jobs", "similar_jobs")}
    ids = job_ids(n_jobs)
    if not paths["jobs"].exists():
        jobs(n_jobs).write_parquet(paths["jobs"])
    if not paths["similar_jobs"].exists():
        _similar_jobs(ids).write_parquet(paths["similar_jobs"])
    large = {name: Source(frame=pl.scan_parquet(path), read_from=[path]) for name, path in paths.items()}
    return factories.sources(**small_tables(ids)) | large | {"feeds": Source(files=feed_files)}


def _similar_jobs(ids: pl.Series) -> pl.DataFrame:
    frame = pl.DataFrame({"job_id": ids}).with_columns(
        items=pl.concat_list(
            pl.struct(job_id=pl.Series(ids.reverse()), score=pl.lit(0.5, pl.Float32)),
            pl.struct(job_id=pl.Series(ids.shift(1, fill_value=ids[0])), score=pl.lit(0.25, pl.Float32)),
        )
    )
    return SIMILAR_JOBS.conform(frame)


def small_tables(ids: pl.Series) -> dict[str, pl.DataFrame]:
    """The tables that name jobs, for these jobs."""
    items = [factories.item(rank, job_id, score=0.5) for rank, job_id in enumerate(ids[:ITEMS], start=1)]
    return {
        "fallback_feeds": FALLBACK_FEEDS.conform(
            pl.DataFrame({"segment": ["all"], "items": [items]}, schema_overrides=dict(FALLBACK_FEEDS.columns))
        ),
        **reason_tables(REASON_TEMPLATES),
        "trending": TRENDING.conform(
            pl.DataFrame({"job_id": ids[:100]}).select(
                period=pl.lit("24h"), area=pl.lit("all"), rank=pl.int_range(1, pl.len() + 1), job_id="job_id", score=1.0
            )
        ),
    }


def _reasons(ids: pl.Series, n: int, rng: np.random.Generator) -> pl.Series:
    counts = rng.integers(1, 4, n)
    total = int(counts.sum())
    code = pl.Series(rng.integers(0, len(_CODES), total))
    skills = pl.Series([f"{a}, {b}" for a in _WORDS for b in _MORE])
    ref = (
        pl.when(code.is_in([1, 6]))
        .then(ids.gather(rng.integers(0, len(ids), total)))
        .when(code == 0)
        .then(skills.gather(rng.integers(0, len(skills), total)))
    )
    value = pl.when(code == 2).then(pl.Series(rng.random(total) * 30)).when(code == 0).then(2.0)
    reason = pl.select(
        pl.struct(code=pl.Series(_CODES).gather(code), ref=ref, value=value.cast(pl.Float32))
    ).to_series()
    owner = pl.Series(np.repeat(np.arange(n), counts))
    return pl.DataFrame({"o": owner, "r": reason}).group_by("o", maintain_order=True).agg("r")["r"]
