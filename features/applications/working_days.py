"""Working days of each country: weekends and public holidays by the library `holidays`."""

import datetime as dt
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import holidays
import numpy as np
import polars as pl
from numpy.typing import NDArray

_SATURDAY = 5
_KNOWN = frozenset(holidays.list_supported_countries(include_aliases=False))
# The 365th working day, the last that follow_ups.yaml may ask for, is well within two years after.
_YEARS_AHEAD = 2


def working_days_after(dates: pl.Series, days: pl.Series, countries: pl.Series) -> pl.Series:
    """The `days`-th working day after each date, of the country (ISO 3166-1 alpha-2) beside it.

    A country that is null or not known has weekends on Saturday and Sunday and no holidays.
    """
    return _by_country(dates, days, countries, side="right")


def working_day_from(dates: pl.Series, countries: pl.Series) -> pl.Series:
    """Each date if it is a working day of the country beside it, else the next one."""
    return _by_country(dates, pl.Series([1], dtype=pl.Int64).new_from_index(0, len(dates)), countries, side="left")


def _by_country(dates: pl.Series, days: pl.Series, countries: pl.Series, *, side: Any) -> pl.Series:
    rows = pl.DataFrame({"date": dates, "days": days.cast(pl.Int64), "country": countries}).with_row_index("row")
    parts = [part.with_columns(found) for part, found in _found(rows, side)]
    empty = rows.clear().with_columns(found=pl.lit(None, pl.Date))
    return pl.concat([empty, *parts]).sort("row")["found"].alias(dates.name)


def _found(rows: pl.DataFrame, side: Any) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
    for (country,), part in rows.group_by("country", maintain_order=True):
        dates = part["date"].to_numpy().astype("datetime64[D]")
        first, last = int(part["date"].dt.year().min()), int(part["date"].dt.year().max())  # type: ignore[arg-type]
        working = np.concatenate([_working_days(str(country), year) for year in range(first, last + 1 + _YEARS_AHEAD)])
        places = np.searchsorted(working, dates, side=side) + part["days"].to_numpy() - 1
        yield part, pl.Series("found", working[places]).cast(pl.Date)


@lru_cache(maxsize=4_096)
def _working_days(country: str, year: int) -> NDArray[np.datetime64]:
    """The working days of a year, in order."""
    first = dt.date(year, 1, 1).toordinal()
    every = [dt.date.fromordinal(day) for day in range(first, dt.date(year + 1, 1, 1).toordinal())]
    if country in _KNOWN:
        calendar = holidays.country_holidays(country, years=year)
        kept = [day for day in every if calendar.is_working_day(day)]
    else:
        kept = [day for day in every if day.weekday() < _SATURDAY]
    return np.array(kept, dtype="datetime64[D]")
