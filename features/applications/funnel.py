"""How far applications come: by step, for each user and for all, and what raises or lowers the chance of a step.

A step counts as reached if the application ever came to it or beyond. Groups of fewer than ten people are left out.
"""

from collections.abc import Iterable, Iterator

import polars as pl

from features.metrics import MIN_USERS, wilson
from features.schemas.insight import APPLICATION_FUNNEL, SUCCESS_PATTERNS

STEPS = ("applied", "acknowledged", "screening", "assessment", "interview", "offer", "accepted")
EVERYBODY = ""  # in the place of a user
ALL = "all"
# How far a state shows that the application has come; who declines has had an offer.
_PROGRESS = {
    "applied": 0, "acknowledged": 1, "screening": 2, "assessment": 3, "interview": 4, "final_interview": 4, "offer": 5,
    "negotiation": 5, "declined": 5, "accepted": 6,
}  # fmt: skip
_KEY = ["user_id", "application_id"]
_SECONDS_OF_A_DAY = 86_400.0
_ROWS_AT_ONCE = 1_000_000


def reached_steps(timelines: pl.DataFrame, applications: pl.DataFrame) -> pl.DataFrame:
    """application, user_id, application_id, step (its number in STEPS), days since the application, of each step
    reached. `application` is the column of that name of `applications`, else their row."""
    known = _applied(applications)
    progress = pl.col("state").replace_strict(_PROGRESS, default=None, return_dtype=pl.Int8)
    passed = (pl.col("occurred_at") - pl.col("applied_at")).dt.total_seconds() / _SECONDS_OF_A_DAY
    moves = (
        timelines.select(*_KEY, "occurred_at", progress=progress)
        .drop_nulls("progress")
        .join(known.select("application", *_KEY, "applied_at"), on=_KEY)
        .select("application", "progress", days=passed)
    )
    # Whoever came to a step was at all steps before it by then.
    later = [
        moves.filter(pl.col("progress") >= step)
        .group_by("application")
        .agg(pl.col("days").min())
        .with_columns(step=pl.lit(step, pl.Int8))
        for step in range(1, len(STEPS))
    ]
    first = known.select("application", days=pl.lit(0.0), step=pl.lit(0, pl.Int8))
    keys = known.select("application", *_KEY)
    return pl.concat([first, *later]).join(keys, on="application").select("application", *_KEY, "step", "days")


def groups(applications: pl.DataFrame, jobs: pl.LazyFrame, shown: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """What applications are grouped by: each dimension, `all` among them, with application, user_id and value.

    `application` is as in `reached_steps`. `jobs` (JOBS) describes them, `shown` (user_id, application_id, recipe,
    arm) says what put them into a feed.
    """
    applied = _applied(applications)
    about = (
        jobs.select("job_id", "professional_roles", "skills", "career_level", "country")
        .join(applied.lazy().select("job_id").drop_nulls().unique(), on="job_id", how="semi")
        .collect()
    )
    known = applied.join(about, on="job_id", how="left").join(shown, on=_KEY, how="left")
    single = {
        "all": pl.lit(ALL), "source": pl.col("job_id").str.extract(r"^([^:]+):"), "company": pl.col("company"),
        "career_level": pl.col("career_level"), "country": pl.col("country"), "recipe": pl.col("recipe"),
        "arm": pl.col("arm"),
    }  # fmt: skip
    for dimension, value in single.items():
        yield dimension, known.select("application", "user_id", value=value).drop_nulls("value")
    for dimension, column in {"role": "professional_roles", "skill": "skills"}.items():
        values = pl.col(column).list.unique().alias("value")
        yield dimension, known.select("application", "user_id", values).explode("value").drop_nulls("value")


def funnel(reached: pl.DataFrame, grouped: Iterable[tuple[str, pl.DataFrame]]) -> pl.DataFrame:
    """APPLICATION_FUNNEL: of each user, and of all in groups of at least ten people.

    Memory is bounded by the largest dimension of `grouped`.
    """
    steps = reached.select("application", "step", "days")
    parts = []
    for dimension, rows in grouped:
        counted = _counted(rows, steps, least_users=MIN_USERS)
        parts.append(counted.with_columns(user_id=pl.lit(EVERYBODY), dimension=pl.lit(dimension)))
        if dimension == ALL:
            own = _counted(rows.with_columns(value="user_id"), steps, least_users=1)
            parts.append(own.with_columns(user_id="value", dimension=pl.lit(ALL), value=pl.lit(ALL)))
    before = pl.col("n_reached").shift(1).over("user_id", "dimension", "value", order_by="step")
    lower, upper = wilson(pl.col("n_reached"), pl.col("n_applications"))
    # All parts at once: a part of one group would be divided by a constant, which Polars rounds otherwise.
    return APPLICATION_FUNNEL.conform(
        pl.concat(parts, how="diagonal")
        .with_columns(pl.col("n_reached").fill_null(0))
        .with_columns(
            conversion=pl.when(before > 0).then(pl.col("n_reached") / before),
            share=pl.col("n_reached") / pl.col("n_applications"),
            lower=lower,
            upper=upper,
            position=pl.col("step") + 1,
        )
        .with_columns(step=_name_of_step())
        .select(list(APPLICATION_FUNNEL.columns))
        .sort("user_id", "dimension", "value", "position")
    )


def _applied(applications: pl.DataFrame) -> pl.DataFrame:
    is_numbered = "application" in applications.columns
    numbered = applications if is_numbered else applications.with_row_index("application")
    return numbered.select("application", *_KEY, "job_id", "company", "applied_at").drop_nulls("applied_at")


def _counted(rows: pl.DataFrame, steps: pl.DataFrame, *, least_users: int) -> pl.DataFrame:
    """Columns value, n_users, n_applications, step (each of STEPS), n_reached, median_days of values with enough users.

    `rows`: application, user_id, value; `steps`: application, step, days.
    """
    sizes = rows.group_by("value").agg(n_users=pl.col("user_id").n_unique(), n_applications=pl.len())
    kept = sizes.filter(pl.col("n_users") >= least_users)
    # Each row has some steps, and an application a row for each of its skills: some values at a time.
    n_parts = 1 + len(rows) // _ROWS_AT_ONCE
    wanted = rows.lazy().select("application", "value").join(kept.lazy().select("value"), on="value", how="semi")
    counted = pl.concat(
        wanted.filter(pl.col("value").hash() % n_parts == part)
        .join(steps.lazy(), on="application")
        .group_by("value", "step")
        .agg(n_reached=pl.len(), median_days=pl.col("days").median())
        .collect()
        for part in range(n_parts)
    )
    numbers = pl.DataFrame({"step": range(len(STEPS))}, schema={"step": pl.Int8})
    return kept.join(numbers, how="cross").join(counted, on=["value", "step"], how="left")


def step_patterns(table: pl.DataFrame) -> pl.DataFrame:
    """SUCCESS_PATTERNS of the steps after the application, from the APPLICATION_FUNNEL of everybody."""
    everybody = table.filter(pl.col("user_id") == EVERYBODY, pl.col("step") != STEPS[0])
    base = everybody.filter(pl.col("dimension") == ALL).select("step", base_rate="share")
    return SUCCESS_PATTERNS.conform(
        everybody.filter(pl.col("dimension").is_in(["company", "role", "skill", "career_level", "country"]))
        .join(base, on="step")
        .select(
            "dimension", "value", "n_users", "lower", "upper", "base_rate",
            outcome="step", n_shown="n_applications", n_successes="n_reached", rate="share",
            lift=pl.when(pl.col("base_rate") > 0).then(pl.col("share") / pl.col("base_rate")),
        )
        .sort(SUCCESS_PATTERNS.key)
    )  # fmt: skip


def _name_of_step() -> pl.Expr:
    return pl.col("step").replace_strict(dict(enumerate(STEPS)), return_dtype=pl.String)
