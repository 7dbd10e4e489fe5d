"""Digests, the market, skill gaps, what became of recommendations, and metrics."""

from collections.abc import Mapping

import polars as pl

from features.schemas.ranking import FEED_ITEM
from features.schemas.table import UTC_TIMESTAMP, Column, Table, published

DIGESTS = published("digests")
DIGEST_ITEMS = Table(
    "digest_items",
    "Jobs that were in digests, a part per UTC date of the run; one row per digest and job",
    {
        "user_id": DIGESTS.described["user_id"],
        "job_id": Column(pl.String, "Job, as <source>:<source_id>"),
        "digest_date": DIGESTS.described["digest_date"],
        "made_at": Column(UTC_TIMESTAMP, "Instant of the run that made the digest"),
    },
    key=("user_id", "digest_date", "job_id"),
)
OUTBOX_STATUSES = ("queued", "sending", "sent", "failed", "suppressed")
# Why an e-mail was suppressed, and why it failed. `delivery_unknown`: the process or the connection ended between the
# message and the answer of the mail server, so it may have arrived; it is not sent again.
SUPPRESSED_REASONS = (
    "unsubscribed", "frequency_none", "bounced", "complained", "no_address", "bad_address", "unknown_user", "erased",
    "outdated", "jobs_closed",
)  # fmt: skip
FAILED_REASONS = ("no_such_mailbox", "refused", "too_many_attempts", "delivery_unknown")
DIGEST_OUTBOX = Table(
    "digest_outbox",
    "E-mails with digests and what became of them, a part per digest date; one row per digest",
    {
        "user_id": DIGESTS.described["user_id"],
        "digest_date": DIGESTS.described["digest_date"],
        "message_id": Column(pl.String, "Message-ID, fixed before the first attempt"),
        "status": Column(pl.String, f"One of {', '.join(OUTBOX_STATUSES)}"),
        "reason": Column(pl.String, f"One of {', '.join(SUPPRESSED_REASONS + FAILED_REASONS)}; else null"),
        "due_at": Column(UTC_TIMESTAMP, "The user's hour on the digest's date"),
        "queued_at": Column(UTC_TIMESTAMP, "When it was queued"),
        "attempts": Column(pl.Int32, "Attempts to send it"),
        "attempted_at": Column(UTC_TIMESTAMP, "Last attempt"),
        "retry_at": Column(UTC_TIMESTAMP, "Earliest next attempt of one that is queued again; else null"),
        "ended_at": Column(UTC_TIMESTAMP, "When it was sent, failed or was suppressed; else null"),
        "smtp_code": Column(pl.Int16, "Reply code of the mail server to the last attempt"),
        "smtp_status": Column(pl.String, "Enhanced status code in that reply, such as 5.1.1"),
    },
    key=("user_id", "digest_date"),
)
MARKET_TRENDS = published("market_trends")
SKILL_DEMAND = published("skill_demand")
SKILL_GAPS = published("skill_gaps")
APPLICATION_FUNNEL = published("application_funnel")
FOLLOW_UP_STATS = published("follow_up_stats")
LEARNING_PLANS = published("learning_plans")
SKILL_PROGRESS = published("skill_progress")
COMPANY_PROFILES = published("company_profiles")
METRICS = published("metrics")

_RECIPE = Column(pl.String, "Recipe that scored the feed")
_ARM = Column(pl.String, "Arm of the experiment that the user is in")
_INTERVAL: Mapping[str, Column] = {name: METRICS.described[name] for name in ("value", "lower", "upper", "n")}
_LOWER, _UPPER = METRICS.described["lower"], METRICS.described["upper"]
DRAWN_JOB = pl.Struct(
    {"job_id": pl.String, "propensity": pl.Float32, "components": dict(FEED_ITEM)["components"]}
)  # fmt: skip

EXPOSURES = Table(
    "exposures",
    "Jobs shown in feeds and digests with what the feed then said of them, a part per UTC date and run; one row per "
    "user, job, surface and generation",
    {
        "user_id": DIGESTS.described["user_id"],
        "job_id": DIGEST_ITEMS.described["job_id"],
        "surface": Column(pl.String, "Where the job was shown: feed or digest"),
        "generation": Column(pl.String, "Generation that the event names; else the newest before it"),
        "shown_at": Column(UTC_TIMESTAMP, "First impression"),
        "position": Column(pl.Int32, "Least position that the impressions state"),
        "recipe": _RECIPE,
        "arm": _ARM,
        "experiment": Column(
            pl.String,
            "Experiment that the arm belongs to; null outside of one, or if a recipe of its arms is not served",
        ),
        "rank": Column(pl.Int16, "Position in the whole feed, from 1; null if the feed does not hold the job"),
        "score": Column(pl.Float32, "Score that the recipe gave", "0–1"),
        "explored": Column(pl.Boolean, "Whether the job was drawn for exploration"),
        "propensity": Column(pl.Float32, "Chance with which the job was drawn for its position", "0–1"),
        "drawn": Column(
            pl.List(DRAWN_JOB), "Drawn jobs of the same 20 ranks whose components are stored; null if not one"
        ),
    },
    key=("user_id", "job_id", "surface", "generation"),
)
OUTCOMES = Table(
    "outcomes",
    "Rates of what users did with shown jobs, and dwell; one row per metric, slice, recipe, arm and surface",
    {
        "metric": METRICS.described["metric"],
        "dimension": Column(pl.String, "What the slice is of: all, position, job_age, job_language or job_country"),
        "slice": Column(pl.String, "Position, new or old, language or country; all"),
        **{name: METRICS.described[name] for name in ("recipe", "arm", "surface")},
        **_INTERVAL,
    },
    key=("metric", "dimension", "slice", "recipe", "arm", "surface"),
)
MATCH_QUALITY = Table(
    "match_quality",
    "The match score against what users did; one row per recipe, arm, surface and band of ten percent",
    {
        **{name: METRICS.described[name] for name in ("recipe", "arm", "surface")},
        "match_percent": Column(pl.Int32, "Least score of the band", "percent"),
        "n": Column(pl.Int64, "Shown jobs with a score in the band"),
        "n_positive": Column(pl.Int64, "Of these, clicked, saved or applied to"),
        "mean_match_percent": Column(pl.Float64, "Mean score in the band", "percent"),
        "positive_share": Column(pl.Float64, "Share that was clicked, saved or applied to", "0–1"),
        "lower": _LOWER,
        "upper": _UPPER,
        "precision": Column(pl.Float64, "Positive share of all jobs with at least the band's least score", "0–1"),
        "recall": Column(pl.Float64, "Share of all positive jobs that have at least this score", "0–1"),
        "f1": Column(pl.Float64, "Harmonic mean of precision and recall", "0–1"),
    },
    key=("recipe", "arm", "surface", "match_percent"),
)
APPLICATION_QUALITY = Table(
    "application_quality",
    "The match score against what became of applications; one row per outcome, recipe, arm and band of ten percent",
    {
        "outcome": Column(pl.String, "What the application is asked to have come to: interview or offer"),
        **{name: METRICS.described[name] for name in ("recipe", "arm")},
        "match_percent": Column(pl.Int32, "Least score of the band", "percent"),
        "n": Column(pl.Int64, "Applications with a score in the band that had time to come so far"),
        "n_positive": Column(pl.Int64, "Of these, came to the outcome or beyond"),
        "mean_match_percent": Column(pl.Float64, "Mean score in the band", "percent"),
        "positive_share": Column(pl.Float64, "Share that came to the outcome", "0–1"),
        "lower": _LOWER,
        "upper": _UPPER,
        "precision": Column(pl.Float64, "Positive share of all applications with at least this score", "0–1"),
        "recall": Column(pl.Float64, "Share of all positive applications that have at least this score", "0–1"),
        "f1": Column(pl.Float64, "Harmonic mean of precision and recall", "0–1"),
        "calibration_error": Column(
            pl.Float64, "Mean distance of score and share over all bands, weighted by applications", "0–1"
        ),
    },
    key=("outcome", "recipe", "arm", "match_percent"),
)
SUCCESS_PATTERNS = Table(
    "success_patterns",
    "Which jobs users act on once shown, against all jobs; one row per outcome, dimension and value with ten users",
    {
        "outcome": Column(pl.String, "click, save or apply; or a step of an application, such as interview"),
        "dimension": Column(pl.String, "company, industry, role, skill, career_level, city or country"),
        "value": Column(pl.String, "Company, industry (the family of a role), role, skill, career level or place"),
        "n_users": Column(pl.Int64, "Users to whom such jobs were shown, or who applied"),
        "n_shown": Column(pl.Int64, "Pairs of user and job that was shown; of a step, applications"),
        "n_successes": Column(pl.Int64, "Of these, with the outcome"),
        "rate": Column(pl.Float64, "Share with the outcome", "0–1"),
        "lower": _LOWER,
        "upper": _UPPER,
        "base_rate": Column(pl.Float64, "Share with the outcome among all shown pairs", "0–1"),
        "lift": Column(pl.Float64, "Rate divided by the base rate"),
    },
    key=("outcome", "dimension", "value"),
)
EXPERIMENTS = Table(
    "experiments",
    "The running experiment; one row per metric and arm",
    {
        "experiment": Column(pl.String, "Name of the experiment"),
        "metric": Column(pl.String, "ctr or apply_rate, per shown job"),
        "arm": _ARM,
        "recipe": _RECIPE,
        "share": Column(pl.Float64, "Share of users that the arm should get", "0–1"),
        "n_users": Column(pl.Int64, "Users who were shown a job"),
        "n_shown": Column(pl.Int64, "Pairs of user and job that was shown"),
        "value": Column(pl.Float64, "Value of the metric"),
        "difference": Column(pl.Float64, "Value less that of the first arm; null for the first arm"),
        "difference_lower": Column(pl.Float64, "Lower bound of the difference, valid at any time"),
        "difference_upper": Column(pl.Float64, "Upper bound of the difference, valid at any time"),
        "sample_ratio_p_value": Column(pl.Float64, "How likely so uneven a split of users is by chance", "0–1"),
    },
    key=("experiment", "metric", "arm"),
)
POLICY_VALUES = Table(
    "policy_values",
    "What each recipe would earn on explored positions; one row per recipe, metric and estimator",
    {
        "recipe": Column(pl.String, "Recipe that would choose among the drawn jobs"),
        "metric": Column(pl.String, "ctr or apply_rate"),
        "estimator": Column(pl.String, "snips or doubly_robust"),
        **_INTERVAL,
        "effective_n": Column(pl.Float64, "Equally weighted observations that the value is worth"),
    },
    key=("recipe", "metric", "estimator"),
)
LLM_USAGE = Table(
    "llm_usage",
    "What the language model was asked, how it ended and its cost; one row per day, task, prompt, model and outcome",
    {
        "day": Column(pl.Date, "UTC day on which it was asked"),
        "task": Column(pl.String, "resume, match or reply"),
        "prompt_version": Column(pl.Int32, "Version of the prompt"),
        "model": Column(pl.String, "Model that was asked"),
        "is_batch": Column(pl.Boolean, "Whether the batch API was used"),
        "outcome": Column(pl.String, "answered, or why not; open if the run died or the batch still waits"),
        "n_calls": Column(pl.Int64, "Requests"),
        "input_tokens": Column(pl.Int64, "Tokens sent, as the provider counted them", "tokens"),
        "output_tokens": Column(pl.Int64, "Tokens answered, as the provider counted them", "tokens"),
        "usd": Column(pl.Float64, "Cost by the configured prices; the most it may be where nothing was counted", "USD"),
        "median_seconds": Column(pl.Float64, "Median time of a request with its retries; null for batches", "seconds"),
        "p95_seconds": Column(pl.Float64, "Time that 95 of 100 requests kept; null for batches", "seconds"),
    },
    key=("day", "task", "prompt_version", "model", "is_batch", "outcome"),
)
