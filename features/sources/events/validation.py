"""Validates interaction events: untyped columns of any file format become EVENTS rows and rejects.

Whether a user behaves like a script is decided where events are counted (sql/catalog).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from features.interactions import CLOCK_SKEW, MAX_DWELL_SECONDS
from features.schemas.bronze import EVENT_TYPES, EVENTS, SURFACES
from features.schemas.table import UTC_TIMESTAMP
from features.sources.lines import READ_FAILED, UnreadableFileError, is_read_failure
from features.sources.parsed import REJECTS, Parsed, truncate_raw
from features.vocabulary.places import is_on_earth

MAX_ID_CHARACTERS = 128
FIRST_YEAR = 2000
OPINIONS = ("good", "low", "high", "bad")

IDS = ("event_id", "user_id", "job_id")
TEXTS = ("surface", "generation", "session_id", "device_type")
AGENT_TEXTS = ("user_agent", "sec_purpose")  # read for `is_bot` only, not kept
OPINION_COLUMNS = ("skill_match_feedback", "location_feedback", "salary_feedback")
NUMBERS = ("dwell_seconds", "position", "latitude", "longitude", "value", "rating")
FLAGS = ("is_relevant", "is_bot", "is_prefetch")

_TIMES = ("occurred_text", "occurred_epoch")

# Events as the reader of a format returns them. `entry` is the number of the line or row, `part` the number of the
# event within a line that holds several. The time is in one of the two time columns.
UNTYPED_EVENTS: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "entry": pl.Int64,
    "part": pl.Int64,
    "event_type": pl.String,
    **dict.fromkeys((*IDS, *TEXTS, *OPINION_COLUMNS, *AGENT_TEXTS), pl.String),
    "occurred_text": pl.String,
    "occurred_epoch": pl.Float64,
    **dict.fromkeys(NUMBERS, pl.Float64),
    **dict.fromkeys(FLAGS, pl.Boolean),
}
INPUT_COLUMNS = ("occurred_at", *(name for name in UNTYPED_EVENTS if name not in ("entry", "part", *_TIMES)))
FUTURE = "future"
_REFUSED: dict[str, type[pl.DataType]] = {"entry": pl.Int64, "part": pl.Int64, "reason": pl.String, "detail": pl.String}
_RFC_3339 = "%Y-%m-%dT%H:%M:%S%.f%#z"
_LOCAL_TIME = "%Y-%m-%dT%H:%M:%S%.f"
_USUAL_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9:]+)$"
_UNPRINTABLE = r"[\p{C}\p{Z}&&[^ ]]"  # the same characters as str.isprintable
_UNTIDY = rf"^\s|\s$|^$|{_UNPRINTABLE}"
MILLISECONDS_FROM = 1e11  # as seconds this is the year 5138, as milliseconds 1973
_MAX_EPOCH_SECONDS = 4e9
# A published list of crawlers, tools and headless browsers, about 1,500 patterns in one automaton.
_CRAWLERS = "|".join(f"(?:{crawler['pattern']})" for crawler in CRAWLER_USER_AGENTS_DATA)


Part = tuple[int, int | None]  # `entry` and `part`


@dataclass(frozen=True)
class EventRules:
    """What is taken for granted of files that leave something out.

    `timezone`: the zone of times that state none; None refuses them. `derives_ids`: an event without an event_id gets
    one from user, type, job and time, so that equal ones count once.
    """

    timezone: str | None = None
    derives_ids: bool = False


NO_RULES = EventRules()


def parse_events(
    events: pl.DataFrame,
    *,
    as_of: datetime,
    unit: str,
    raw: Callable[[pl.DataFrame], Mapping[Part, bytes]],
    undecoded: Mapping[Part, str] | None = None,
    rules: EventRules = NO_RULES,
) -> Parsed:
    """Rows in the EVENTS schema and rejects from `events` (UNTYPED_EVENTS) and `undecoded` (entry and part -> reason).

    An event is refused if it lacks a required field or a readable time, has an unknown type, or lies before 2000 or
    more than five minutes after `as_of`. Optional fields out of range become null; dwell is capped at 600 s. `unit`
    (line or row) names the entries; `raw` returns the raw form of the refused entries (columns entry, part, reason).
    """
    if rules.derives_ids and events["event_id"].null_count():
        events = events.with_columns(_with_derived_ids(events))
    untidy_ids = [name for name in IDS if _is_untidy(events[name])]
    typed = events.with_columns(
        *(pl.when(pl.col(name).str.strip_chars() != "").then(pl.col(name)) for name in untidy_ids),
        _event_type(events["event_type"]),
        _occurred_at(events, rules.timezone).alias("occurred_at"),
    )
    checked = typed.with_columns(_reason(as_of, untidy_ids).alias("reason"))
    refused = checked.filter(pl.col("reason").is_not_null())
    refused = refused.select("entry", "part", "reason", future_instant("occurred_at").fill_null("").alias("detail"))
    good = checked if refused.is_empty() else checked.filter(pl.col("reason").is_null())
    if undecoded:
        more = pl.DataFrame([(*key, reason, "") for key, reason in undecoded.items()], schema=_REFUSED, orient="row")
        refused = pl.concat([refused, more]).sort("entry", "part")
    return Parsed(EVENTS.conform(good.select(_columns(good))), _rejects(refused, unit=unit, raw=raw(refused)))


def _rejects(refused: pl.DataFrame, *, unit: str, raw: Mapping[Part, bytes]) -> pl.DataFrame:
    name = pl.format("{} {}", pl.lit(unit), "entry")
    keys = refused.select("entry", "part").rows()
    in_part = pl.format("{} event {}", name, "part")
    return REJECTS.conform(
        refused.select(
            pl.when(pl.col("part").is_null()).then(name).otherwise(in_part).alias("entry"),
            "reason",
            "detail",
            pl.Series("raw", [truncate_raw(raw.get(key, b"")) for key in keys], dtype=pl.String),
        )
    )


def future_instant(at: str) -> pl.Expr:
    """The detail of a row whose `reason` is that it lies in the future: the instant in column `at`; else null.

    The file is read again when that has come.
    """
    return pl.when(pl.col("reason") == FUTURE).then(pl.col(at).dt.to_string("%Y-%m-%dT%H:%M:%SZ"))


def unreadable(entry: str, error: Exception) -> Parsed:
    """No rows, and one reject for a file or a part of it that can't be read because of `error`."""
    detail = str(error) if isinstance(error, UnreadableFileError) else type(error).__name__
    reason = READ_FAILED if is_read_failure(error) else "unreadable"
    row = pl.DataFrame({"entry": [entry], "reason": [reason], "detail": [detail], "raw": [""]})
    return Parsed(EVENTS.empty(), REJECTS.conform(row))


def _is_untidy(ids: pl.Series) -> bool:
    """Whether any id of the column is blank, padded or possibly bad; in most blocks none is."""
    return bool((ids.str.contains(_UNTIDY) | (ids.str.len_bytes() > MAX_ID_CHARACTERS)).any())


def _event_type(given: pl.Series) -> pl.Expr:
    column = pl.col("event_type")
    return column if given.is_in(EVENT_TYPES).all() else _blank_to_null(column).str.to_lowercase()


def _blank_to_null(column: pl.Expr) -> pl.Expr:
    stripped = column.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _with_derived_ids(events: pl.DataFrame) -> pl.Series:
    """The event_ids; where one is missing, a digest of what the event says."""
    said = events.select("event_id", "user_id", "event_type", "job_id", "occurred_text", "occurred_epoch")
    return pl.Series(
        "event_id",
        [
            stated or f"derived-{hashlib.blake2b(repr(rest).encode(), digest_size=16).hexdigest()}"
            for stated, *rest in said.iter_rows()
        ],
        dtype=pl.String,
    )


def _occurred_at(events: pl.DataFrame, timezone: str | None) -> pl.Expr:
    written, epoch = events["occurred_text"], pl.lit(events["occurred_epoch"])
    from_text = pl.lit(None, UTC_TIMESTAMP)
    if written.null_count() < events.height:
        unusual = (~written.str.contains(_USUAL_TIME)).arg_true()
        if len(unusual):
            text = written.gather(unusual).str.strip_chars()
            # CSV writes numbers as text.
            numbers = events["occurred_epoch"].gather(unusual).fill_null(text.cast(pl.Float64, strict=False))
            epoch = pl.lit(events["occurred_epoch"].clone().scatter(unusual, numbers))
            iso = text.str.to_uppercase().str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T")
            written = written.clone().scatter(unusual, iso)
        from_text = pl.lit(written.str.to_datetime(_RFC_3339, time_unit="us", strict=False))
        if timezone is not None:
            local = written.str.to_datetime(_LOCAL_TIME, time_unit="us", strict=False)
            in_zone = local.dt.replace_time_zone(timezone, ambiguous="earliest", non_existent="null")
            from_text = from_text.fill_null(pl.lit(in_zone.dt.convert_time_zone("UTC")))
    seconds = pl.when(epoch.abs() >= MILLISECONDS_FROM).then(epoch / 1000).otherwise(epoch)
    in_range = seconds.is_finite() & (seconds.abs() < _MAX_EPOCH_SECONDS)
    from_epoch = pl.when(in_range).then((seconds * 1e6).round(0)).cast(pl.Int64).cast(UTC_TIMESTAMP)
    return from_text.fill_null(from_epoch)


def _reason(as_of: datetime, untidy_ids: Sequence[str]) -> pl.Expr:
    """Null for a good event, else the first reason to refuse it."""
    at = pl.col("occurred_at")
    checks = [(pl.col(name).is_null(), f"missing_{name}") for name in ("event_id", "user_id", "event_type")]
    checks += [
        (~pl.col("event_type").is_in(EVENT_TYPES), "unknown_event_type"),
        (pl.col("job_id").is_null(), "missing_job_id"),
        *((_is_bad_id(name), f"bad_{name}") for name in untidy_ids),
        (at.is_null() & pl.col("occurred_text").is_null() & pl.col("occurred_epoch").is_null(), "missing_occurred_at"),
        (at.is_null(), "bad_time"),
        (at > as_of + CLOCK_SKEW, FUTURE),
        (at < datetime(FIRST_YEAR, 1, 1, tzinfo=as_of.tzinfo), "too_old"),
    ]
    reason = pl.lit(None, pl.String)
    for is_bad, name in reversed(checks):
        reason = pl.when(is_bad).then(pl.lit(name)).otherwise(reason)
    return reason


def _is_bad_id(name: str) -> pl.Expr:
    """Too long, with outer space or with a character that can't be printed: tidied it could be another id."""
    column = pl.col(name)
    return (column.str.len_bytes() > MAX_ID_CHARACTERS) & (column.str.len_chars() > MAX_ID_CHARACTERS) | (
        column.str.contains(rf"^\s|\s$|{_UNPRINTABLE}")
    )


def _columns(events: pl.DataFrame) -> list[pl.Expr]:
    dwell = pl.col("dwell_seconds")
    return [
        *(pl.col(name) for name in (*IDS, "event_type", "occurred_at", "is_relevant")),
        *(_blank_to_null(pl.col(name)) for name in TEXTS if name != "surface"),
        _word(events["surface"], SURFACES),
        pl.when(dwell.is_between(0, float("inf")))
        .then(dwell.clip(upper_bound=MAX_DWELL_SECONDS))
        .alias("dwell_seconds"),
        _whole("position", lower=0, upper=2**31 - 1).cast(pl.Int32),
        _whole("rating", lower=1, upper=5).cast(pl.Int8),
        *(pl.when(is_on_earth()).then(pl.col(name)).alias(name) for name in ("latitude", "longitude")),
        pl.when(pl.col("value").is_finite()).then(pl.col("value")).alias("value"),
        *(_word(events[name], OPINIONS) for name in OPINION_COLUMNS),
        _is_automatic(events).alias("is_bot"),
    ]


def _is_automatic(events: pl.DataFrame) -> pl.Expr:
    """Whether an event says that it comes from a bot or a prefetch.

    It says so by `is_bot`, by `is_prefetch`, by a crawler's `user_agent`, or by the `sec_purpose` that browsers send
    with pages that they fetch ahead of a click (Sec-Purpose: prefetch;prerender).
    """
    agents = events["user_agent"].drop_nulls().unique()
    crawlers = agents.filter(agents.str.contains(_CRAWLERS))
    signs = [
        pl.col("is_bot"),
        pl.col("is_prefetch"),
        pl.col("user_agent").is_in(crawlers.implode()),
        pl.col("sec_purpose").str.to_lowercase().str.contains("prefetch|prerender|preview"),
    ]
    return pl.any_horizontal(sign.fill_null(value=False) for sign in signs)


def _whole(name: str, *, lower: int, upper: int) -> pl.Expr:
    column = pl.col(name)
    return pl.when(column.is_between(lower, upper) & (column == column.floor())).then(column).alias(name)


def _word(given: pl.Series, allowed: Sequence[str]) -> pl.Expr:
    """The column trimmed and in lower case where that is one of `allowed`, else null."""
    column = pl.col(given.name)
    if given.is_in(allowed).all():
        return column
    word = column.str.strip_chars().str.to_lowercase()
    return pl.when(word.is_in(allowed)).then(word).alias(given.name)


def untyped_events(frame: pl.DataFrame) -> pl.DataFrame:
    """`entry` and columns of any flat dtype as UNTYPED_EVENTS; values that can't be cast become null."""
    given = frame.schema
    exprs = [
        _untyped_column(name, dtype, given.get(name)) for name, dtype in UNTYPED_EVENTS.items() if name not in _TIMES
    ]
    at, column = given.get("occurred_at"), pl.col("occurred_at")
    occurred_text, occurred_epoch = pl.lit(None, pl.String), pl.lit(None, pl.Float64)
    if at == pl.String:
        occurred_text = column
    elif at is not None and at.is_numeric():
        occurred_epoch = column.cast(pl.Float64)
    return frame.select(*exprs, occurred_text.alias("occurred_text"), occurred_epoch.alias("occurred_epoch")).select(
        *UNTYPED_EVENTS
    )


def _untyped_column(name: str, dtype: pl.DataType | type[pl.DataType], given: pl.DataType | None) -> pl.Expr:
    if given is None:
        return pl.lit(None, dtype).alias(name)
    if dtype == pl.Boolean and given == pl.String:
        word = pl.col(name).str.strip_chars().str.to_lowercase()
        return (
            pl.when(word.is_in(["true", "1", "yes"])).then(pl.lit(value=True))
            .when(word.is_in(["false", "0", "no"])).then(pl.lit(value=False))
            .alias(name)
        )  # fmt: skip
    if dtype == pl.Boolean and given.is_numeric():
        return pl.when((pl.col(name) == 0) | (pl.col(name) == 1)).then(pl.col(name) == 1).alias(name)
    if dtype == pl.Float64 and given == pl.String:
        return pl.col(name).str.strip_chars().cast(pl.Float64, strict=False)
    return pl.col(name).cast(dtype, strict=False)
