"""How far applications come: by step, for each user and for all, and what raises or lowers the chance of a step.

A step counts as reached if the application ever came to it or beyond. Groups of fewer than ten people are left out.
"""

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


def reached_steps(timelines: pl.DataFrame, applications: pl.DataFrame) -> pl.DataFrame:
    """user_id, application_id, step (its number in STEPS), days since the application, of each step reached."""
    known = applications.select(*_KEY, "applied_at").drop_nulls("applied_at")
    progress = pl.col("state").replace_strict(_PROGRESS, default=None, return_dtype=pl.Int8)
    passed = (pl.col("occurred_at") - pl.col("applied_at")).dt.total_seconds() / _SECONDS_OF_A_DAY
    moves = (
        timelines.select(*_KEY, "occurred_at", progress=progress)
        .drop_nulls("progress")
        .join(known, on=_KEY)
        .select(*_KEY, "progress", days=passed)
    )
    # Whoever came to a step was at all steps before it by then.
    later = [
        moves.filter(pl.col("progress") >= step)
        .group_by(_KEY)
        .agg(pl.col("days").min())
        .with_columns(step=pl.lit(step, pl.Int8))
        for step in range(1, len(STEPS))
    ]
    first = known.select(*_KEY, days=pl.lit(0.0), step=pl.lit(0, pl.Int8))
    return pl.concat([first, *later]).select(*_KEY, "step", "days")


def groups(applications: pl.DataFrame, jobs: pl.LazyFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """user_id, application_id, dimension, value: what applications are grouped by, `all` among it.

    `jobs` (JOBS) describes them, `shown` (user_id, application_id, recipe, arm) says what put them into a feed.
    """
    applied = applications.drop_nulls("applied_at").select(*_KEY, "job_id", "company")
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
    lists = {"role": "professional_roles", "skill": "skills"}
    frames = [known.select(*_KEY, dimension=pl.lit(name), value=value) for name, value in single.items()]
    frames += [
        known.select(*_KEY, dimension=pl.lit(name), value=column).explode("value") for name, column in lists.items()
    ]
    return pl.concat(frames).drop_nulls("value").unique()


def funnel(reached: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """APPLICATION_FUNNEL: of each user, and of all in groups of at least ten people."""
    everybody = grouped.with_columns(of=pl.lit(EVERYBODY))
    own = grouped.filter(pl.col("dimension") == ALL).with_columns(of=pl.col("user_id"))
    rows = pl.concat([everybody, own])
    group = ["of", "dimension", "value"]
    sizes = rows.group_by(group).agg(n_users=pl.col("user_id").n_unique(), n_applications=pl.len())
    kept = sizes.filter((pl.col("n_users") >= MIN_USERS) | (pl.col("of") != EVERYBODY))
    counted = (
        rows.join(reached, on=_KEY)
        .group_by(*group, "step")
        .agg(n_reached=pl.len(), median_days=pl.col("days").median())
    )
    steps = pl.DataFrame({"step": range(len(STEPS))}, schema={"step": pl.Int8})
    before = pl.col("n_reached").shift(1).over(group, order_by="step")
    lower, upper = wilson(pl.col("n_reached"), pl.col("n_applications"))
    return APPLICATION_FUNNEL.conform(
        kept.join(steps, how="cross")
        .join(counted, on=[*group, "step"], how="left")
        .with_columns(pl.col("n_reached").fill_null(0))
        .with_columns(
            conversion=pl.when(before > 0).then(pl.col("n_reached") / before),
            share=pl.col("n_reached") / pl.col("n_applications"),
            lower=lower,
            upper=upper,
            position=pl.col("step") + 1,
        )
        .with_columns(user_id="of", step=_name_of_step())
        .select(list(APPLICATION_FUNNEL.columns))
        .sort("user_id", "dimension", "value", "position")
    )


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
