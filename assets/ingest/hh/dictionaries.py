"""HH's dictionaries in the lake: areas, professional roles and exchange rates, asked for when they may have changed.

The project works without them, by the shipped tables; what the API says goes before those.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from assets.ingest import errors
from assets.ingest.hh.client import HHClient
from assets.ingest.hh.ids import LAYER
from assets.ingest.http.client import Response
from assets.ingest.source_state import DictionaryState, load_states, update_states
from assets.lake import Lake
from features.schemas.bronze import HH_AREAS, HH_RATES, HH_ROLES
from features.schemas.table import Table
from features.sources.hh.dictionaries import NoDictionaryError, parse_areas, parse_rates, parse_roles

_DEFAULT_MAX_AGE = dt.timedelta(days=1)
_LONGEST_MAX_AGE = dt.timedelta(days=7)
# An answer with fewer entries than that share of the last one is broken, not a smaller world.
_MIN_SHARE = 0.5
# Nor does a currency lose or gain that much between two readings.
_MAX_RATE_CHANGE = 5.0


def refresh_dictionaries(client: HHClient, lake: Lake, *, as_of: dt.datetime) -> list[str]:
    """Asks for each dictionary that is no longer fresh, with what HTTP has for asking whether it changed.

    One that can't be had, or that is broken, stays as it was, and is named in the answer. Raises SourceDisabledError if
    HH refuses us.
    """
    known = load_states(lake).dictionaries
    due = [one for one in _DICTIONARIES if one.path not in known or known[one.path].fresh_until <= as_of]
    statuses: list[str] = []
    for one in due:
        state = known.get(one.path)
        has_rows = lake.exists(LAYER, one.table.name)
        try:
            answer = client.get(one.path, validators=state.validators if state is not None and has_rows else None)
            if not answer.is_unchanged:
                one.store(lake, answer.body, as_of)
        except (errors.RefusedQueryError, errors.FetchError, NoDictionaryError) as error:
            statuses.append(f"{one.path} stays as it was: {error}")
            continue
        update_states(lake, dictionaries={one.path: _state_after(answer, state, as_of=as_of)})
    return statuses


def _state_after(answer: Response, state: DictionaryState | None, *, as_of: dt.datetime) -> DictionaryState:
    told = _DEFAULT_MAX_AGE if answer.max_age_seconds is None else dt.timedelta(seconds=answer.max_age_seconds)
    validators = answer.validators
    if answer.is_unchanged and state is not None and not validators.headers():
        validators = state.validators
    return DictionaryState(
        etag=validators.etag,
        last_modified=validators.last_modified,
        fresh_until=as_of + min(told, _LONGEST_MAX_AGE),
    )


def _store_areas(lake: Lake, body: bytes, _: dt.datetime) -> None:
    _replace(lake, HH_AREAS, parse_areas(body))


def _store_roles(lake: Lake, body: bytes, _: dt.datetime) -> None:
    _replace(lake, HH_ROLES, parse_roles(body))


def _store_rates(lake: Lake, body: bytes, as_of: dt.datetime) -> None:
    """Adds the rates of the day; one that leapt is left out."""
    rates = parse_rates(body).with_columns(as_of_date=pl.lit(as_of.date()))
    kept = lake.scan(LAYER, HH_RATES).filter(pl.col("as_of_date") != as_of.date()).collect()
    last = kept.sort("as_of_date").unique("currency", keep="last").select("currency", last="units_per_usd")
    change = pl.col("units_per_usd") / pl.col("last")
    sane = rates.join(last, on="currency", how="left").filter(
        change.is_between(1 / _MAX_RATE_CHANGE, _MAX_RATE_CHANGE).fill_null(value=True)
    )
    fresh = sane.select(list(HH_RATES.columns))
    with lake.lock(f"{LAYER}/{HH_RATES.name}"):
        lake.replace(LAYER, HH_RATES, pl.concat([kept, fresh]).sort("currency", "as_of_date"))


def _replace(lake: Lake, table: Table, fresh: pl.DataFrame) -> None:
    with lake.lock(f"{LAYER}/{table.name}"):
        n_known = lake.scan(LAYER, table).select(pl.len()).collect().item()
        if fresh.height < _MIN_SHARE * n_known:
            raise NoDictionaryError(f"{fresh.height} entries where there were {n_known}")
        lake.replace(LAYER, table, fresh)


@dataclass(frozen=True)
class _Dictionary:
    path: str
    table: Table
    store: Callable[[Lake, bytes, dt.datetime], None]


_DICTIONARIES = (
    _Dictionary("/areas", HH_AREAS, _store_areas),
    _Dictionary("/professional_roles", HH_ROLES, _store_roles),
    _Dictionary("/dictionaries", HH_RATES, _store_rates),
)
