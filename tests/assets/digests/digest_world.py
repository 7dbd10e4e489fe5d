"""A made-up market for digests: five jobs, what their feeds say of them, and readers."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from assets.config.files import SHIPPED_VOCABULARY
from assets.digests.duties import DUTIES
from assets.digests.rendering import Wording, render
from features.schemas.catalog import JOBS
from features.schemas.insight import DIGESTS
from features.schemas.ranking import FEED_ITEM
from features.vocabulary.display_names import display_names
from models.explanations.names import Names
from tests.factories import AS_OF

_COLUMNS = (
    "job_id", "source", "board", "title", "company", "city", "city_ru", "country", "work_format", "employment_type",
    "salary_min", "salary_max", "salary_currency", "salary_period", "salary_gross", "published_at", "url",
)  # fmt: skip
_ROWS: Sequence[tuple[Any, ...]] = (
    ("hh:1", "hh", "HeadHunter", "Senior Python-разработчик (Data Platform)", "Тенге Банк", "Almaty", "Алматы", "KZ",
     "hybrid", "full_time", 900_000.0, 1_400_000.0, "KZT", "month", False, 1),
    ("remoteok:2", "remoteok", "Remote OK", "Backend Engineer, Payments & Ledger", "Northwind R&D", "Berlin", "Берлин",
     "DE", "remote", "contract", 4_500.0, None, "EUR", "month", True, 2),
    ("hh:3", "hh", "HeadHunter", "Инженер данных", "Степные технологии", "Astana", "Астана", "KZ", "on_site",
     "full_time", None, 1_100_000.0, "KZT", "month", None, 1),
    ("habr-career:4", "habr-career", "Хабр Карьера", "Разработчик на Python и Go", "Облако и Ко", None, None, "RU",
     "remote", None, 280_000.0, 350_000.0, "RUB", "month", False, 3),
    ("file:5", "file", None, "Junior Data Analyst", "Acme", "Tbilisi", "Тбилиси", "GE", "hybrid", "part_time", 12.5,
     20.0, "USD", "hour", None, 4),
)  # fmt: skip
_REASONS: Sequence[Sequence[tuple[str, str | None, float | None]]] = (
    (("skills", "Python, PostgreSQL, Data Analysis", 3.0), ("similar_to_saved", "hh:9", 0.8), ("new", None, 2.0)),
    (("remote", None, None), ("salary", None, 4_500.0)),
    (("role", "data_engineer", None), ("popular_in_area", "KZ", None)),
    (("also_applied", "hh:9", 0.4), ("company", "Облако и Ко", None)),
    (("nearby", None, 4.2), ("experience", None, None), ("tags", "customer service", None)),
)
_TOWNS = [
    ("place", "Almaty", "ru", "Алматы"),
    ("place", "Astana", "ru", "Астана"),
    ("place", "Tbilisi", "ru", "Тбилиси"),
]
WORDING = Wording(
    pl.DataFrame({"job_id": ["hh:9"], "title": ["Python-разработчик, финтех"]}),
    Names([*display_names(SHIPPED_VOCABULARY).iter_rows(), *_TOWNS]),
)
TRENDS = [
    {"name": "Python", "n_jobs": 1_234, "change": 0.123},
    {"name": "PostgreSQL", "n_jobs": 611, "change": -0.043},
    {"name": "Data Analysis", "n_jobs": 301, "change": None},
]
DUTIES_OF_READERS = [
    {"kind": "interview", "about": "<Acme> & Acme", "day": dt.date(2026, 3, 2), "time": "14:00"},
    {"kind": "follow_up", "about": None, "day": dt.date(2026, 3, 1), "time": None},
]
SKILLS = [{"skill": "Apache Kafka", "hours": 40}, {"skill": "System Design", "hours": 121}]


def market_jobs(**changes: Any) -> pl.DataFrame:
    """The jobs; `changes` replaces columns of the first."""
    rows = [
        dict(zip(_COLUMNS, (*row[:-1], AS_OF - dt.timedelta(days=row[-1]), _url(row[0])), strict=True)) for row in _ROWS
    ]
    rows[0] |= changes
    return JOBS.conform(pl.DataFrame(rows, schema={name: JOBS.columns[name] for name in _COLUMNS}))


def _url(job_id: str) -> str | None:
    return None if job_id.startswith("file:") else f"https://jobs.example/{job_id}?a=1&b=2"


def market_items(users: Sequence[str], n: int = len(_ROWS), *, reasons: Any = None) -> pl.DataFrame:
    """The first `n` jobs as items of digests of these users."""
    scores = (0.92, 0.84, 0.78, 0.71, 0.63)
    rows = [
        {
            "user_id": user_id, "place": place + 1, "rank": place + 1, "job_id": _ROWS[place][0],
            "score": scores[place], "total_new_jobs": 41, "total_matches": 12,
            "reasons": [
                dict(zip(("code", "ref", "value"), reason, strict=True))
                for reason in (_REASONS[place] if reasons is None else reasons)
            ],
        }
        for user_id in users
        for place in range(n)
    ]  # fmt: skip
    overrides: Mapping[str, Any] = {
        "score": pl.Float32, "rank": pl.Int16, "place": pl.Int64, "total_new_jobs": pl.Int32,
        "total_matches": pl.Int32, "reasons": dict(FEED_ITEM)["reasons"],
    }  # fmt: skip
    return pl.DataFrame(rows, schema_overrides=overrides)


def market_readers(languages: Mapping[str, str], **changes: Any) -> pl.DataFrame:
    """Readers by user id and language; `changes` replaces columns."""
    rows = [
        {
            "user_id": user_id,
            "language": language,
            "digest_date": AS_OF.date(),
            "unsubscribe_url": "https://example.org/unsubscribe?t=abc&x=1",
            "view_url": "https://example.org/digests/2026-03-01",
            "trends": TRENDS,
            "skills": SKILLS,
            "duties": DUTIES_OF_READERS,
            **changes,
        }
        for user_id, language in languages.items()
    ]
    skills = pl.List(pl.Struct({"skill": pl.String, "hours": pl.Int32}))
    texts = dict.fromkeys(("unsubscribe_url", "view_url"), pl.String)
    lists = {"trends": DIGESTS.columns["market_trends"], "skills": skills, "duties": DUTIES}
    return pl.DataFrame(rows, schema_overrides={**lists, **texts})


def rendered(
    language: str, *, n: int = len(_ROWS), reasons: Any = None, job: Mapping[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """The digest of one reader, a row of DIGESTS; `job` replaces columns of the first job, `changes` of the reader."""
    readers, items = market_readers({"anna": language}, **changes), market_items(["anna"], n, reasons=reasons)
    return render(readers, items, market_jobs(**(job or {})), WORDING).row(0, named=True)
