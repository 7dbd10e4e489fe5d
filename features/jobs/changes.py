"""Which jobs a new catalog changes: digests of what is read of a job, and the number of its last change."""

import polars as pl

from features.schemas.catalog import JOB_CHANGES

# What profiles read of the jobs of a user's history, and what preferences read.
PROFILED_COLUMNS = ("tags",)
LEARNED_COLUMNS = (
    "tags", "title", "company_id", "professional_roles", "skills", "city", "career_level", "salary_monthly_usd_min",
    "salary_monthly_usd_max", "work_format", "latitude", "longitude",
)  # fmt: skip
# What applications and their follow-ups say of a job, or depend on.
DESCRIBED_COLUMNS = ("title", "company", "company_id", "url", "country", "language")
# Every sighting moves it, and no list depends on it.
_NOT_RANKED = "last_seen_at"
DIGESTS = {
    "profiled_in": "profiled_digest",
    "learned_in": "learned_digest",
    "described_in": "described_digest",
    "ranked_in": "ranked_digest",
}


def job_changes(before: pl.DataFrame, jobs: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """JOB_CHANGES of the catalog `jobs` (JOBS), after those of the catalog `before`, and the number of the newest
    change: one more than before if any job differs.
    """
    now = jobs.select(
        "job_id",
        profiled_digest=jobs.select(PROFILED_COLUMNS).hash_rows(),
        learned_digest=jobs.select(LEARNED_COLUMNS).hash_rows(),
        described_digest=jobs.select(DESCRIBED_COLUMNS).hash_rows(),
        ranked_digest=jobs.drop(_NOT_RANKED).hash_rows(),
    )
    joined = now.join(before, on="job_id", how="full", coalesce=True, suffix="_before")
    last = max((int(value) for value in before.select(pl.max(*DIGESTS)).row(0) if value is not None), default=0)
    table = joined.select(
        "job_id",
        *DIGESTS.values(),
        *(
            pl.when(_is_same(digest)).then(number).otherwise(last + 1).alias(number)
            for number, digest in DIGESTS.items()
        ),
    ).sort("job_id")
    newest = table.select(pl.max_horizontal(pl.max(*DIGESTS))).item() if len(table) else last
    return JOB_CHANGES.conform(table), newest or 0


def _is_same(digest: str) -> pl.Expr:
    return pl.col(digest).eq_missing(pl.col(f"{digest}_before"))
