"""Small worlds for tests: hand-made rows of the published tables, and a generation made of them."""

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from assets.config.loading import Config, load_config
from assets.publishing import tables
from assets.publishing.assets import reason_tables
from assets.publishing.build import Published, PublishingRun
from assets.publishing.delta import publish_delta
from assets.publishing.full import publish_full
from assets.publishing.tables import Source
from features.schemas.catalog import (
    APPLICATION_EVENTS,
    APPLICATIONS,
    FOLLOW_UPS,
    INTERACTIONS,
    INTERVIEWS,
    JOBS,
    OFFERS,
)
from features.schemas.features import NEARBY, PREFERENCES, TRENDING, USER_PROFILES
from features.schemas.insight import (
    APPLICATION_FUNNEL,
    COMPANY_PROFILES,
    DIGESTS,
    FOLLOW_UP_STATS,
    LEARNING_PLANS,
    MARKET_TRENDS,
    METRICS,
    SKILL_DEMAND,
    SKILL_GAPS,
    SKILL_PROGRESS,
)
from features.schemas.ranking import FALLBACK_FEEDS, FEEDS, MATCHES
from features.schemas.training import SIMILAR_JOBS
from serving.contract.generation import MANIFEST, TABLES_FOLDER, load_manifest
from serving.contract.keys import KEYSPACES
from serving.contract.tables import COMPONENTS

AS_OF = dt.datetime(2026, 3, 1, 2, tzinfo=dt.UTC)
JOB_IDS = [f"hh:{number}" for number in range(1, 9)]


@functools.cache
def shipped_config() -> Config:
    """The shipped configuration, read once."""
    return load_config()


def jobs(rows: Sequence[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """Eight open jobs of four companies; `rows` override by job_id or add."""
    made = {
        job_id: {
            "job_id": job_id,
            "source": "hh",
            "source_id": job_id[3:],
            "url": f"https://hh.ru/vacancy/{job_id[3:]}",
            "title": f"Разработчик {number}" if number % 2 else f"Engineer {number} <b>&</b>",
            "company": f"Company {number % 4}",
            "company_id": f"hh:c{number % 4}",
            "city": "Almaty",
            "country": "KZ",
            "latitude": 43.25,
            "longitude": 76.9,
            "work_format": "remote",
            "salary_min": 1000.0 * number,
            "salary_currency": "USD",
            "salary_period": "month",
            "skills": ["Python", "SQL"],
            "published_at": AS_OF - dt.timedelta(days=number),
            "first_seen_at": AS_OF - dt.timedelta(days=number),
            "last_seen_at": AS_OF,
            "status": "open",
            "content_hash": job_id,
        }
        for number, job_id in enumerate(JOB_IDS, start=1)
    }
    for row in rows:
        made[row["job_id"]] = {**made.get(row["job_id"], {"title": "Added", "status": "open"}), **row}
    frame = pl.DataFrame(list(made.values()), schema_overrides=dict(JOBS.columns), infer_schema_length=None)
    return JOBS.conform(frame).sort("job_id")


def item(rank: int, job_id: str, *, score: float, seen: bool = False) -> dict[str, Any]:
    """One item of a feed, with a reason and all components."""
    return {
        "rank": rank,
        "job_id": job_id,
        "score": score,
        "confidence": 0.75,
        "seen": seen,
        "explored": False,
        "propensity": 1.0,
        "reasons": [{"code": "skills", "ref": "Python, SQL", "value": 2.0}],
        "components": dict.fromkeys(COMPONENTS, score),
    }


def feeds(lists: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """One feed per user, its jobs in the given order with descending scores; the second item is marked as seen."""
    rows = [
        {
            "user_id": user_id,
            "generated_at": AS_OF,
            "recipe": "marketplace",
            "arm": "default",
            "source": "personal",
            "items": [
                item(rank, job_id, score=0.95 - 0.1 * rank, seen=rank == 2) for rank, job_id in enumerate(job_ids, 1)
            ],
        }
        for user_id, job_ids in lists.items()
    ]
    return FEEDS.conform(pl.DataFrame(rows, schema_overrides=dict(FEEDS.columns))).sort("user_id")


def matches(user_id: str, jobs: Sequence[tuple[str, int]]) -> pl.DataFrame:
    """The matches of a user with jobs and their compatibility, the best first."""
    factor = {"code": "remote", "text_en": "You can work remotely", "text_ru": "Можно работать удалённо"}
    rows = [
        {
            "user_id": user_id,
            "rank": rank,
            "job_id": job_id,
            "compatibility": compatibility,
            "confidence": 0.9,
            "skills_score": 0.5,
            "match_factors": [factor],
            "mismatch_factors": [],
            "reasoning_en": "Strong match",
            "reasoning_ru": "Отличное совпадение",
            "reasoning_source": "rules",
        }
        for rank, (job_id, compatibility) in enumerate(jobs, start=1)
    ]
    overrides = {name: MATCHES.columns[name] for name in ("match_factors", "mismatch_factors")}
    return MATCHES.conform(pl.DataFrame(rows, schema_overrides=overrides))


def recipes(*, cap: float | None = None) -> pl.DataFrame:
    """One recipe of one component."""
    return pl.DataFrame(
        [("marketplace", "skills", 1.0, 0.5, cap, 0.0)],
        schema={
            **{"recipe": pl.String, "component": pl.String},
            **{"weight": pl.Float64, "neutral": pl.Float64, "cap": pl.Float64, "base": pl.Float64},
        },
        orient="row",
    )


def sources(**changes: pl.DataFrame) -> dict[str, Source]:
    """Every published table, small; `changes` replaces tables by name."""
    frames: dict[str, pl.DataFrame] = {
        "feeds": feeds({"anna": JOB_IDS[:4], "борис": JOB_IDS[4:]}),
        "fallback_feeds": FALLBACK_FEEDS.conform(
            pl.DataFrame(
                {
                    "segment": ["all", "country=KZ"],
                    "items": [[item(1, JOB_IDS[0], score=0.5)], [item(1, JOB_IDS[1], score=0.5)]],
                },
                schema_overrides=dict(FALLBACK_FEEDS.columns),
            )
        ),
        **reason_tables({"skills": {"en": "Matches your skills: {ref}", "ru": "Подходит по навыкам: {ref}"}}),
        "display_names": pl.DataFrame(
            {"kind": ["skill"], "name": ["Data Analysis"], "language": ["ru"], "text": ["Анализ данных"]}
        ),
        "recipes": recipes(),
        "jobs": jobs(),
        "similar_jobs": SIMILAR_JOBS.conform(
            pl.DataFrame({"job_id": [JOB_IDS[0]], "items": [[{"job_id": JOB_IDS[1], "score": 0.9}]]})
        ),
        "trending": TRENDING.conform(
            pl.DataFrame({"period": ["24h"], "area": ["all"], "rank": [1], "job_id": [JOB_IDS[2]], "score": [3.5]})
        ),
        "nearby": NEARBY.empty(),
        "digests": DIGESTS.conform(
            pl.DataFrame(
                {
                    "user_id": ["anna"],
                    "digest_date": [AS_OF.date()],
                    "title": ["1 new job"],
                    "summary": ["One"],
                    "html": ["<!doctype html><p>hello"],
                    "text": ["hello"],
                    "generation_time_seconds": [0.01],
                }
            )
        ),
        "preferences": PREFERENCES.conform(
            pl.DataFrame(
                {
                    "user_id": ["anna"],
                    "dimension": ["skill"],
                    "value": ["Python"],
                    "affinity": [0.5],
                    "confidence": [0.3],
                    "n": [2],
                }
            )
        ),
        "matches": matches("anna", [(JOB_IDS[0], 82), ("hh:99", 70), (JOB_IDS[1], 60)]),
        "market_trends": MARKET_TRENDS.empty(),
        "skill_demand": SKILL_DEMAND.empty(),
        "skill_gaps": SKILL_GAPS.empty(),
        "company_profiles": COMPANY_PROFILES.empty(),
        **{
            table.name: table.empty()
            for table in (
                APPLICATIONS,
                APPLICATION_EVENTS,
                APPLICATION_FUNNEL,
                INTERVIEWS,
                OFFERS,
                FOLLOW_UPS,
                FOLLOW_UP_STATS,
            )
        },
        "learning_plans": LEARNING_PLANS.empty(),
        "skill_progress": SKILL_PROGRESS.empty(),
        "metrics": METRICS.empty(),
    }
    return {name: Source(frame=frame.lazy()) for name, frame in (frames | changes).items()}


def publishing_run(published: Path, *, as_of: dt.datetime = AS_OF, **changes: Any) -> PublishingRun:
    """A run that publishes to `published`, with the shipped configuration; `changes` replaces fields."""
    fields: dict[str, Any] = {
        "config": shipped_config(),
        "created_at": as_of,
        "code_version": "test",
        "high_water_marks": {"hh": as_of.isoformat()},
        "interactions": INTERACTIONS.empty().lazy(),
        "profiles": USER_PROFILES.empty().lazy(),
    }
    return PublishingRun(published=published.resolve(), as_of=as_of, **fields | changes)


def publish_small(
    published: Path,
    *,
    as_of: dt.datetime = AS_OF,
    config: Config | None = None,
    interactions: pl.DataFrame | None = None,
    profiles: pl.DataFrame | None = None,
    **changes: pl.DataFrame,
) -> Published:
    """Publishes the small tables as a full generation."""
    run = publishing_run(published, as_of=as_of, **_given(config=config, interactions=interactions, profiles=profiles))
    return publish_full(run, sources(**changes))


def publish_small_changes(
    published: Path, *, as_of: dt.datetime, interactions: pl.DataFrame | None = None, **changes: pl.DataFrame
) -> Published:
    """Publishes what differs between the small tables and the served generation."""
    return publish_delta(
        publishing_run(published, as_of=as_of, **_given(interactions=interactions)), sources(**changes)
    )


def make_older(published: Path, generation: str, *, has_text_tables: bool = False) -> None:
    """Rewrites a published generation as version 0.2.0 wrote it: schema 1.0, with other columns and look-up files.

    It lacks the table `reason_texts`, the columns `cap` and `base` of `recipes` and, by default, the text tables of the
    look-up. The column `period` of `trending` has its old name.
    """
    folder = published / generation
    manifest = load_manifest(folder)
    files = {name: folder / TABLES_FOLDER / f"{name}.parquet" for name in ("recipes", "trending", "reason_texts")}
    pl.read_parquet(files["recipes"]).drop("cap", "base").write_parquet(files["recipes"])
    pl.read_parquet(files["trending"]).rename({"period": "window"}).write_parquet(files["trending"])
    files.pop("reason_texts").unlink()
    described = {name: tables.described(name, [path]) for name, path in files.items()}
    older = msgspec.structs.replace(
        manifest,
        schema_version="1.0",
        tables={name: each for name, each in {**manifest.tables, **described}.items() if name != "reason_texts"},
        lookup={name: each for name, each in manifest.lookup.items() if has_text_tables or name in KEYSPACES},
    )
    (folder / MANIFEST).unlink()
    older = msgspec.structs.replace(older, files=tables.checksums(folder, {}))
    (folder / MANIFEST).write_bytes(older.to_json())


def _given(**values: Any) -> dict[str, Any]:
    """The fields that are not None, frames made lazy."""
    return {
        name: value.lazy() if isinstance(value, pl.DataFrame) else value
        for name, value in values.items()
        if value is not None
    }
