"""Look-up values that are JSON objects of a table's rows: one object for each row, or a list of them for each user."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from serving.contract import keys
from serving.contract.tables import KEYS, TABLES

_TIME_FORMAT, _DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"
_FLOAT_DECIMALS = 4  # of columns of 32 bits, which hold no more than seven digits
_USER = "user_id"
_IS_OPEN = pl.col("status") == "due"
_DATED = pl.concat_str(_USER, pl.col("digest_date").dt.to_string(_DATE_FORMAT), separator=keys.KEY_SEPARATOR)

Values = Callable[[pl.LazyFrame], pl.LazyFrame]


def json_values(prefix: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The columns id and value of `prefix`, sorted by id, of rows that hold all rows of each id.

    Digests have a column other_id too: another id of the same value, or null.
    """
    table, values = VALUES[prefix]
    return values(rows.lazy().select(list(TABLES[table]))).collect()


def value_ids(prefix: str, rows: pl.DataFrame) -> list[str]:
    """The ids, other ids included, of all values that `json_values` makes of these rows."""
    owners: list[str] = rows[KEYS[VALUES[prefix][0]][0]].unique(maintain_order=True).to_list()
    return owners + (rows.select(_DATED).to_series().to_list() if prefix == keys.DIGEST_PREFIX else [])


def _lists(*order: pl.Expr | str, descending: Sequence[bool] | bool = False) -> Values:
    """For each user the list of the objects of all rows, without the user, in this order; nulls come last."""

    def values(rows: pl.LazyFrame) -> pl.LazyFrame:
        by = {f"by_{place}": pl.col(each) if isinstance(each, str) else each for place, each in enumerate(order)}
        falls = [descending] * len(by) if isinstance(descending, bool) else list(descending)
        # Objects are made before the sort: a sort of wide rows takes several times as long.
        narrow = rows.select(_USER, _object(rows.drop(_USER)), **by)
        return (
            narrow.sort(_USER, *by, descending=[False, *falls], nulls_last=True)
            .group_by(pl.col(_USER).alias("id"), maintain_order=True)
            .agg(pl.col("value").str.join(","))
            .with_columns(pl.concat_str(pl.lit("["), "value", pl.lit("]")).alias("value"))
        )

    return values


def _jobs(rows: pl.LazyFrame) -> pl.LazyFrame:
    return rows.select(pl.col("job_id").alias("id"), _object(rows)).sort("id")


def _digests(rows: pl.LazyFrame) -> pl.LazyFrame:
    """By user and date; other_id names the user's newest digest without its date."""
    date = pl.col("digest_date")
    newest = pl.when(date == date.max().over(_USER)).then(_USER)
    return rows.select(_DATED.alias("id"), _object(rows), newest.alias("other_id")).sort("id")


def _object(rows: pl.LazyFrame) -> pl.Expr:
    """The column value: the columns of `rows` as a JSON object, each row for itself."""
    members = [_member(name, kind) for name, kind in rows.collect_schema().items()]
    return pl.struct(members).struct.json_encode().alias("value")


def _member(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        return column.dt.to_string(_TIME_FORMAT)
    if kind == pl.Date:
        return column.dt.to_string(_DATE_FORMAT)
    if kind == pl.Float32:
        return column.cast(pl.Float64).round(_FLOAT_DECIMALS, mode="half_away_from_zero")
    return column.cast(_widened(kind))


def _widened(kind: Any) -> Any:
    """The type with floats of 64 bits in place of those of 32, which JSON would show with other digits."""
    if isinstance(kind, pl.List):
        return pl.List(_widened(kind.inner))
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: _widened(field.dtype) for field in kind.fields})
    return pl.Float64() if kind == pl.Float32 else kind


# Prefix -> the table, and how its rows become values.
VALUES: Mapping[str, tuple[str, Values]] = {
    keys.APPLICATIONS_PREFIX: (
        "applications",
        _lists("last_event_at", "application_id", descending=[True, False]),
    ),
    keys.APPLICATION_EVENTS_PREFIX: ("application_events", _lists("application_id", "position")),
    keys.APPLICATION_FUNNEL_PREFIX: ("application_funnel", _lists("dimension", "value", "position")),
    keys.DIGEST_PREFIX: ("digests", _digests),
    # Open ones by when they are due, then the newest.
    keys.FOLLOW_UPS_PREFIX: (
        "follow_ups",
        _lists(
            ~_IS_OPEN,
            pl.when(_IS_OPEN).then("due_at"),
            "due_at",
            *KEYS["follow_ups"][1:],
            descending=[False, False, True, False, False, False, False],
        ),
    ),
    keys.INTERVIEWS_PREFIX: ("interviews", _lists("application_id", "interview_id")),
    keys.JOB_DETAIL_PREFIX: ("jobs", _jobs),
    keys.LEARNING_PLANS_PREFIX: ("learning_plans", _lists("role", "rank")),
    keys.MATCHES_PREFIX: ("matches", _lists("compatibility", "rank", descending=[True, False])),
    keys.OFFERS_PREFIX: ("offers", _lists("application_id", "offer_id")),
    keys.PREFERENCES_PREFIX: (
        "preferences",
        _lists("dimension", pl.col("affinity").abs(), "value", descending=[False, True, False]),
    ),
    keys.SKILL_GAPS_PREFIX: ("skill_gaps", _lists("role")),
    keys.SKILL_PROGRESS_PREFIX: (
        "skill_progress",
        _lists("noticed_on", "role", "skill", descending=[True, False, False]),
    ),
}
