"""Validates application events: fields as text become APPLICATION_LOG rows and rejects.

Whether a state may follow another is decided where events are folded, because late events may come.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.applications.sentiment import SENTIMENTS
from features.interactions import CLOCK_SKEW
from features.schemas.bronze import (
    APPLICATION_EVENT_TYPES,
    APPLICATION_LOG,
    DIRECTIONS,
    FOLLOW_UP_ACTIONS,
    INTERVIEW_ACTIONS,
    INTERVIEW_KINDS,
    INTERVIEW_OUTCOMES,
    OFFER_ACTIONS,
)
from features.schemas.table import UTC_TIMESTAMP
from features.sources.events.validation import (
    FIRST_YEAR,
    FUTURE,
    MAX_ID_CHARACTERS,
    MILLISECONDS_FROM,
    future_instant,
)
from features.sources.parsed import Parsed, rejects
from features.sources.values import LEAST_AMOUNT

_IDS = ("event_id", "user_id", "application_id", "job_id", "interview_id", "offer_id")
_WORDS = ("event_type", "to", "action", "kind", "outcome", "direction", "sentiment", "period")
_LINES = ("title", "company", "url", "channel", "sequence", "interviewer")
_TEXTS = ("text", "feedback")
_OTHERS = ("occurred_at", "starts_at", "at", "date", "deadline", "duration_minutes", "salary", "currency", "step")
FIELDS = (*_IDS, *_WORDS, *_LINES, *_TEXTS, *_OTHERS)
_MAX_LINE_CHARACTERS = 500
_MAX_TEXT_CHARACTERS = 10_000
_DEFAULT_MINUTES = 60
_MAX_MINUTES = 24 * 60
_RFC_3339 = "%Y-%m-%dT%H:%M:%S%.f%#z"
_UNPRINTABLE = r"[\p{C}\p{Z}&&[^ ]]"
_CONTROL = r"[\p{C}&&[^\n\t]]"
_PERIODS = {"hourly": "hour", "daily": "day", "weekly": "week", "monthly": "month", "yearly": "year", "annual": "year"}
_FIRST_INSTANT = dt.datetime(FIRST_YEAR, 1, 1, tzinfo=dt.UTC)
_LAST_DATE = dt.date(2100, 1, 1)


@dataclass(frozen=True)
class Rules:
    """`states`: the state that each word stands for. Events later than `as_of` are of the future."""

    states: Mapping[str, str]
    as_of: dt.datetime


def read_fields(
    fields: pl.DataFrame, entries: Sequence[str], raw: Callable[[int], str | bytes], *, rules: Rules
) -> Parsed:
    """Rows and rejects of `fields` (FIELDS as text), whose rows are named by `entries`; `raw` is the raw form of a row.

    An event is refused if it lacks what its type needs. Optional fields that make no sense become null.
    """
    typed = fields.with_columns(_cleaned()).with_columns(_typed(rules))
    reasoned = typed.with_columns(_reason(rules).alias("reason")).with_row_index("row")
    checked = reasoned.with_columns(pl.coalesce(future_instant("occurred_at_read"), _detail(rules)).alias("detail"))
    bad = checked.filter(pl.col("reason").is_not_null())
    refused = rejects(
        (entries[row], reason, detail or "", raw(row))
        for row, reason, detail in bad.select("row", "reason", "detail").iter_rows()
    )
    good = checked.filter(pl.col("reason").is_null())
    return Parsed(APPLICATION_LOG.conform(good.select(_columns())), refused)


def _cleaned() -> list[pl.Expr]:
    words = [
        pl.col(name).str.strip_chars().str.to_lowercase().str.replace_all(r"[\s-]+", "_").alias(name) for name in _WORDS
    ]
    lines = [
        pl.col(name)
        .str.replace_all(r"\s+", " ")
        .str.replace_all(_UNPRINTABLE, "")
        .str.strip_chars()
        .str.slice(0, _MAX_LINE_CHARACTERS)
        for name in _LINES
    ]
    texts = [
        pl.col(name).str.replace_all(_CONTROL, "").str.strip_chars().str.slice(0, _MAX_TEXT_CHARACTERS)
        for name in _TEXTS
    ]
    return [pl.when(column != "").then(column) for column in (*words, *lines, *texts, *(pl.col(name) for name in _IDS))]


def _typed(rules: Rules) -> list[pl.Expr]:
    minutes = pl.col("duration_minutes").str.strip_chars().cast(pl.Float64, strict=False).round()
    salary = pl.col("salary").str.replace_all(r"[\s,_]", "").cast(pl.Float64, strict=False)
    step = pl.col("step").str.strip_chars().cast(pl.Float64, strict=False)
    currency = pl.col("currency").str.strip_chars().str.to_uppercase()
    return [
        _time("occurred_at").alias("occurred_at_read"),
        *(_since_first_year(_time(name)).alias(f"{name}_read") for name in ("starts_at", "at")),
        *(_date(name).alias(f"{name}_read") for name in ("date", "deadline")),
        _offset_minutes("starts_at").alias("utc_offset_minutes"),
        pl.col("to").replace_strict(dict(rules.states), default=None, return_dtype=pl.String).alias("state"),
        pl.when(minutes.is_between(1, _MAX_MINUTES)).then(minutes).otherwise(_DEFAULT_MINUTES).alias("minutes"),
        pl.when(salary.is_between(LEAST_AMOUNT, 1e12)).then(salary).alias("pay"),
        pl.when(currency.str.contains(r"^[A-Z]{3}$")).then(currency).alias("code"),
        pl.when(step.is_between(0, 1_000) & (step == step.floor())).then(step).alias("number"),
        pl.col("period").replace(_PERIODS).alias("pay_period"),
    ]


def _time(name: str) -> pl.Expr:
    """An RFC 3339 time with its offset, with or without seconds, or epoch seconds or milliseconds; else null."""
    written = pl.col(name).str.strip_chars()
    iso = (
        written.str.to_uppercase()
        .str.replace(r"^(\d{4}-\d\d-\d\d) (\d)", "${1}T${2}")
        .str.replace(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d)( ?(?:Z|[+-]\d))", "${1}:00${2}")
        .str.replace(" ", "", literal=True)
    )
    epoch = written.cast(pl.Float64, strict=False)
    seconds = pl.when(epoch.abs() >= MILLISECONDS_FROM).then(epoch / 1000).otherwise(epoch)
    in_range = seconds.is_finite() & (seconds.abs() < 4e9)
    from_epoch = pl.when(in_range).then((seconds * 1e6).round(0)).cast(pl.Int64).cast(UTC_TIMESTAMP)
    found = iso.str.to_datetime(_RFC_3339, time_unit="us", strict=False).fill_null(from_epoch)
    return pl.when(found.dt.date() < _LAST_DATE).then(found)  # other programs know no year after 9999


def _since_first_year(at: pl.Expr) -> pl.Expr:
    return pl.when(at >= _FIRST_INSTANT).then(at)


def _offset_minutes(name: str) -> pl.Expr:
    parts = pl.col(name).str.strip_chars().str.extract_groups(r"([+-])(\d\d):?(\d\d)$")
    sign = pl.when(parts.struct[0] == "-").then(-1).otherwise(1)
    minutes = sign * (parts.struct[1].cast(pl.Int32) * 60 + parts.struct[2].cast(pl.Int32))
    return pl.when(parts.struct[0].is_not_null() & pl.col(name).str.contains(":")).then(minutes).otherwise(0)


def _date(name: str) -> pl.Expr:
    """The date that a date or a time with an offset states, in its own time zone."""
    found = pl.col(name).str.strip_chars().str.extract(r"^(\d{4}-\d\d-\d\d)(?:$|[ T])").str.to_date(strict=False)
    return pl.when(found.is_between(dt.date(FIRST_YEAR, 1, 1), _LAST_DATE)).then(found)


def _reason(rules: Rules) -> pl.Expr:
    """Null for a good event, else the first reason to refuse it."""
    at, kind = pl.col("occurred_at_read"), pl.col("event_type")
    action = pl.col("action")
    is_interview, is_offer, is_follow_up = (kind == name for name in ("interview", "offer", "follow_up"))
    needs_start = is_interview & action.is_in(["scheduled", "rescheduled"])
    names_none = pl.all_horizontal(
        pl.col(name).is_null() for name in ("application_id", "job_id", "title", "company", "url")
    )
    checks = [
        *((pl.col(name).is_null(), f"missing_{name}") for name in ("event_id", "user_id", "occurred_at", "event_type")),
        (~kind.is_in(APPLICATION_EVENT_TYPES), "unknown_event_type"),
        *((_is_bad_id(name), f"bad_{name}") for name in _IDS),
        (names_none, "missing_application"),
        (at.is_null(), "bad_time"),
        (at > rules.as_of + CLOCK_SKEW, FUTURE),
        (at < _FIRST_INSTANT, "too_old"),
        ((kind == "status") & pl.col("to").is_null(), "missing_to"),
        ((kind == "status") & pl.col("state").is_null(), "unknown_state"),
        (is_interview & pl.col("interview_id").is_null(), "missing_interview_id"),
        (is_offer & pl.col("offer_id").is_null(), "missing_offer_id"),
        *((is_one & action.is_null(), "missing_action") for is_one in (is_interview, is_offer, is_follow_up)),
        (is_interview & ~action.is_in(INTERVIEW_ACTIONS), "unknown_action"),
        (is_offer & ~action.is_in(OFFER_ACTIONS), "unknown_action"),
        (is_follow_up & ~action.is_in(FOLLOW_UP_ACTIONS), "unknown_action"),
        (is_follow_up & (pl.col("sequence").is_null() | pl.col("number").is_null()), "missing_step"),
        (needs_start & pl.col("starts_at").is_null(), "missing_starts_at"),
        (needs_start & pl.col("starts_at_read").is_null(), "bad_starts_at"),
        ((kind == "deadline") & pl.col("date_read").is_null(), "bad_date"),
        ((kind == "reminder") & pl.col("at_read").is_null(), "bad_at"),
        (kind.is_in(["note", "reminder"]) & pl.col("text").is_null(), "missing_text"),
        ((kind == "reply") & ~pl.col("direction").is_in(DIRECTIONS).fill_null(value=False), "missing_direction"),
        ((kind == "reply") & pl.col("text").is_null() & ~pl.col("sentiment").is_in(SENTIMENTS).fill_null(value=False),
         "missing_text"),
    ]  # fmt: skip
    reason = pl.lit(None, pl.String)
    for is_bad, name in reversed(checks):
        reason = pl.when(is_bad).then(pl.lit(name)).otherwise(reason)
    return reason


def _detail(rules: Rules) -> pl.Expr:
    allowed = {"interview": INTERVIEW_ACTIONS, "offer": OFFER_ACTIONS, "follow_up": FOLLOW_UP_ACTIONS}
    words = {kind: ", ".join(actions) for kind, actions in allowed.items()}
    return (
        pl.when(pl.col("to").is_not_null() & pl.col("state").is_null())
        .then(pl.format("{} is no state; allowed: {}", pl.col("to").str.slice(0, 60), pl.lit(", ".join(rules.states))))
        .when(pl.col("action").is_not_null() & pl.col("event_type").is_in(list(words)))
        .then(
            pl.format(
                "action {}; allowed: {}",
                pl.col("action").str.slice(0, 60),
                pl.col("event_type").replace_strict(words, default="", return_dtype=pl.String),
            )
        )
    )


def _is_bad_id(name: str) -> pl.Expr:
    column = pl.col(name)
    return (column.str.len_chars() > MAX_ID_CHARACTERS) | column.str.contains(rf"^\s|\s$|{_UNPRINTABLE}")


def _columns() -> list[pl.Expr]:
    kind = pl.col("event_type")
    is_interview, is_offer = kind == "interview", kind == "offer"

    def only(condition: pl.Expr, value: str, allowed: Sequence[str] | None = None) -> pl.Expr:
        column = pl.col(value)
        return pl.when(condition & column.is_in(allowed) if allowed else condition).then(column)

    return [
        *(pl.col(name) for name in ("event_id", "user_id", "event_type", "application_id", "job_id")),
        pl.col("occurred_at_read").alias("occurred_at"),
        *(pl.col(name) for name in ("title", "company", "url", "channel")),
        only(kind == "status", "state").alias("state"),
        only(is_interview, "interview_id").alias("interview_id"),
        only(is_offer, "offer_id").alias("offer_id"),
        only(kind.is_in(["interview", "offer", "follow_up"]), "action").alias("action"),
        pl.coalesce(only(is_interview, "kind", INTERVIEW_KINDS), only(kind == "deadline", "kind")).alias("kind"),
        only(is_interview, "starts_at_read").alias("starts_at"),
        only(is_interview & pl.col("starts_at_read").is_not_null(), "utc_offset_minutes").alias("utc_offset_minutes"),
        only(is_interview, "minutes").alias("duration_minutes"),
        only(is_interview, "outcome", INTERVIEW_OUTCOMES).alias("outcome"),
        only(is_interview, "interviewer").alias("interviewer"),
        only(is_offer, "pay").alias("salary"),
        only(is_offer, "code").alias("currency"),
        only(is_offer, "pay_period", ["hour", "day", "week", "month", "year"]).alias("period"),
        pl.coalesce(only(kind == "deadline", "date_read"), only(is_offer, "deadline_read")).alias("due_date"),
        only(kind == "reminder", "at_read").alias("remind_at"),
        pl.coalesce(only(is_interview, "feedback"), "text").alias("text"),
        only(kind == "reply", "direction").alias("direction"),
        only(kind == "reply", "sentiment", SENTIMENTS).alias("sentiment"),
        only(kind == "follow_up", "sequence").alias("sequence"),
        only(kind == "follow_up", "number").alias("step"),
    ]
