"""A small generation in which every published table has rows, and applications that serve it."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import polars as pl

from assets.publishing.build import Published
from features.nearby import cells
from features.schemas.catalog import APPLICATION_EVENTS, APPLICATIONS, FOLLOW_UPS, INTERVIEWS, OFFERS
from features.schemas.features import NEARBY
from features.schemas.insight import (
    APPLICATION_FUNNEL,
    COMPANY_PROFILES,
    DIGESTS,
    LEARNING_PLANS,
    MARKET_TRENDS,
    METRICS,
    SKILL_DEMAND,
    SKILL_GAPS,
    SKILL_PROGRESS,
)
from features.schemas.table import Table
from serving.service.app import Application
from serving.service.auth import Authoriser
from serving.service.store import Store
from tests.factories import AS_OF, JOB_IDS, jobs, publish_small

# hh:1 is in Almaty, hh:2 10 km and hh:3 90 km away from it.
PLACES = {"hh:1": (43.25, 76.90), "hh:2": (43.25, 77.02), "hh:3": (43.25, 78.00)}


def publish_full(
    published: Path,
    *,
    as_of: dt.datetime = AS_OF,
    mark: str = "",
    how: Callable[..., Published] = publish_small,
    **changes: pl.DataFrame,
) -> Published:
    """Publishes a generation without an empty table; `mark` ends every job's title. `how` publishes it."""
    titled = jobs([{"job_id": job_id, "latitude": lat, "longitude": lon} for job_id, (lat, lon) in PLACES.items()])
    placed = titled.with_columns(pl.col("title") + mark).filter(pl.col("job_id").is_in(list(PLACES)))
    nearby = (
        placed.select("job_id", cell=cells(placed["latitude"], placed["longitude"]))
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("cell"))
        .pipe(NEARBY.conform)
    )
    frames = {
        "jobs": titled.with_columns(pl.col("title") + mark),
        "nearby": nearby,
        "digests": digests_of_anna(),
        "market_trends": _frame(
            MARKET_TRENDS,
            {"dimension": "skill", "value": "Python", "area": "all", "week": AS_OF.date(), "n_jobs": 8},
        ),
        "skill_demand": _frame(SKILL_DEMAND, {"skill": "Python", "area": "all", "n_jobs": 8, "share": 1.0}),
        "skill_gaps": _frame(SKILL_GAPS, _gap()),
        "company_profiles": _frame(COMPANY_PROFILES, *(company_profile(name) for name in ("a", "acme", "b/compare"))),
        **_applications(),
        "learning_plans": _frame(LEARNING_PLANS, _step()),
        "skill_progress": _frame(SKILL_PROGRESS, _learned()),
        "metrics": _frame(
            METRICS,
            {"metric": "apply_rate", "recipe": "all", "arm": "all", "surface": "feed", "value": 0.05, "n": 100},
        ),
    }
    return how(published, as_of=as_of, **(frames | changes))


def _applications() -> dict[str, pl.DataFrame]:
    """Two applications of anna; the first has two notes, an interview and an offer."""
    note = {**_of_application("app-1"), "occurred_at": AS_OF, "event_type": "note", "is_refused": False}
    talk = {"interview_id": "i1", "status": "scheduled", "starts_at": AS_OF, "revision": 0, "updated_at": AS_OF}
    offer = {"offer_id": "o1", "status": "received", "deadline": AS_OF.date(), "n_compared": 0, "updated_at": AS_OF}
    notes = [
        {**note, "position": n, "event_id": f"e{n}", "text": f"note {n}", "due_date": AS_OF.date()} for n in (1, 2)
    ]
    return {
        "applications": _frame(APPLICATIONS, _application("app-1"), _application("app/2", state="saved")),
        "application_events": _frame(APPLICATION_EVENTS, *notes),
        "application_funnel": _frame(
            APPLICATION_FUNNEL,
            *(
                {
                    "user_id": user,
                    "dimension": "all",
                    "value": "all",
                    "step": step,
                    "position": n,
                    "n_users": 1,
                    "n_applications": 2,
                    "n_reached": 3 - n,
                    "share": 0.5,
                }
                for user in ("", "anna")
                for n, step in ((1, "applied"), (2, "interview"))
            ),
        ),
        "interviews": _frame(INTERVIEWS, {**_of_application("app-1"), **talk}),
        "follow_ups": _frame(FOLLOW_UPS, follow_up(1), follow_up(2, status="cancelled", is_due=False)),
        "offers": _frame(OFFERS, {**_of_application("app-1"), **offer}),
    }


def _of_application(application_id: str) -> dict[str, object]:
    return {"user_id": "anna", "application_id": application_id}


def follow_up(step: int, **changes: object) -> dict[str, object]:
    """A step of anna's first application, due a day after the last."""
    due_at = AS_OF + dt.timedelta(days=step - 1)
    own = {
        "sequence": "after_application", "ref": "e1", "step": step, "template": "first", "begins_at": AS_OF,
        "due_at": due_at, "is_due": True, "expires_at": due_at + dt.timedelta(days=1), "channel": "email",
        "language": "en", "subject": "My application", "text": "Regards, {name}", "status": "due", "why": "applied",
        "revision": 2, "updated_at": AS_OF,
    }  # fmt: skip
    return {**_of_application("app-1"), **own, **changes}


def _application(application_id: str, *, state: str = "interview") -> dict[str, object]:
    known = {"job_id": "hh:1", "title": "Cook", "state": state, "last_event_at": AS_OF, "is_silent": False}
    return {**_of_application(application_id), **known}


def open_store(published: Path) -> Store:
    """A store of `published`, opened. One store per folder: LMDB opens a file only once in a process."""
    store = Store(published)
    store.refresh()
    return store


def serve(store: Store, authoriser: Authoriser | None = None) -> Application:
    """An application that serves `store`, a minute after its generation's instant."""
    return Application(store, authoriser=authoriser, clock=lambda: AS_OF.timestamp() + 60)


def digests_of_anna() -> pl.DataFrame:
    """One digest."""
    return _frame(
        DIGESTS,
        {
            "user_id": "anna",
            "digest_date": AS_OF.date(),
            "title": "1 new job",
            "summary": "One",
            "html": "<!doctype html><p>hello",
            "text": "hello",
            "top_jobs": [{"job_id": JOB_IDS[0], "rank": 1, "match_percent": 85}],
            "total_new_jobs": 8,
            "total_matches": 4,
            "market_trends": [{"name": "Python", "n_jobs": 8, "change": 0.1}],
            "skill_recommendations": ["Docker"],
            "generation_time_seconds": 0.01,
        },
    )


def _gap() -> dict[str, object]:
    return {
        "user_id": "anna",
        "role": "python_developer",
        "has": ["Python"],
        "partial": ["SQL"],
        "missing": [{"skill": "Docker", "impact": 0.5, "priority": "high", "estimated_hours": 40}],
        "coverage_share": 0.75,
        "estimated_hours": 40,
        "verdict": "learn_first",
    }


def _step() -> dict[str, object]:
    resource = {"name": "Docker: get started", "url": "https://docs.docker.com/", "hours": 12, "language": "en"}
    return {
        "user_id": "anna",
        "role": "python_developer",
        "rank": 1,
        "skill": "Docker",
        "estimated_hours": 12,
        "n_jobs_opened": 3,
        "n_jobs_open": 5,
        "n_jobs_reachable": 8,
        "resources": [resource],
    }


def _learned() -> dict[str, object]:
    return {
        "user_id": "anna",
        "role": "python_developer",
        "skill": "SQL",
        "noticed_on": AS_OF.date(),
        "before": "missing",
        "after": "partial",
    }


def company_profile(name: str) -> dict[str, object]:
    counted = [{"value": "Python developer", "n_jobs": 2, "share": 1.0}]
    columns = ("cities", "countries", "work_formats", "employment_types", "career_levels", "languages")
    return {
        "company_id": f"name:{name}",
        "company": name,
        "as_of": AS_OF,
        "n_jobs": 2,
        "n_open_jobs": 2,
        "weeks": [{"week": AS_OF.date(), "n_jobs": 2}],
        **dict.fromkeys(columns, counted),
        "roles": [*counted, {"value": name, "n_jobs": 1, "share": 0.5}],
        "skills": [{"skill": skill, "n_jobs": 2, "share": 1.0, "is_new": False} for skill in ("Python", name)],
        "n_salaries": 0,
        "similar_companies": [{"company_id": "name:acme", "company": "acme", "score": 0.5}],
        "facts": [{"fact": "headcount", "value": "12", "source": "site", "observed_at": AS_OF}],
        "news": [{"title": "Opens", "url": "https://a.example/1", "source": "a.example", "published_at": AS_OF}],
        "completeness": 0.5,
        "insights": [{"code": "remote", "text_en": "Remote jobs: 2 of 2.", "text_ru": "Удалённых вакансий: 2 из 2."}],
    }


def _frame(table: Table, *rows: dict[str, object]) -> pl.DataFrame:
    schema = {name: kind for name, kind in table.columns.items() if name in rows[0]}
    return table.conform(pl.DataFrame(list(rows), schema_overrides=schema))
