"""Stores HH's areas, professional roles and exchange rates in the lake, and requests them when they may have changed.

The project works without them, from its shipped tables. What the API says takes precedence.
"""

import datetime as dt
from collections.abc import Callable, Mapping

import polars as pl

from assets.ingest import errors
from assets.ingest.hh.client import HHClient
from assets.ingest.http.client import Response, Validators
from assets.ingest.source_state import LONGEST_PAUSE, DictionaryState, SourceStates, believable_states, update_states
from assets.lake import Lake
from features.schemas.bronze import HH_AREAS, HH_RATES, HH_ROLES
from features.schemas.table import Table
from features.sources.hh.dictionaries import NoDictionaryError, parse_areas, parse_rates, parse_roles

_DEFAULT_MAX_AGE = dt.timedelta(days=1)
# An answer with fewer entries than this share of the last one is broken.
_MIN_SHARE = 0.5
# A currency that gains or loses more than this factor between two readings is broken too.
_MAX_RATE_CHANGE = 5.0


def refresh_dictionaries(client: HHClient, lake: Lake, *, as_of: dt.datetime) -> list[str]:
    """Requests each dictionary that is no longer fresh, with a conditional request.

    Returns one problem for each dictionary that is unavailable or broken; its table stays as it was. Raises
    SourceDisabledError if HH refuses this client.
    """
    known = believable_states(lake, as_of=as_of).dictionaries
    problems: list[str] = []
    for path, (table, store) in _DICTIONARIES.items():
        state = known.get(path)
        if state is not None and state.fresh_until > as_of:
            continue
        stored = _validators(state) if lake.exists("bronze", table.name) else None
        try:
            answer = client.get(path, validators=stored)
            if not answer.is_unchanged:
                store(lake, answer.body, as_of)
        except (errors.RefusedQueryError, errors.FetchError, NoDictionaryError) as error:
            problems.append(f"{path} stays as it was: {error}")
            continue
        changed = {path: _state_after(answer, state, as_of=as_of)}
        update_states(lake, SourceStates(dictionaries=changed))
    return problems


def _validators(state: DictionaryState | None) -> Validators | None:
    return Validators(state.etag, state.last_modified) if state is not None else None


def _state_after(answer: Response, state: DictionaryState | None, *, as_of: dt.datetime) -> DictionaryState:
    max_age = _DEFAULT_MAX_AGE if answer.max_age_seconds is None else dt.timedelta(seconds=answer.max_age_seconds)
    validators = answer.validators
    if answer.is_unchanged and not validators.headers():
        validators = _validators(state) or validators
    return DictionaryState(
        etag=validators.etag,
        last_modified=validators.last_modified,
        fresh_until=as_of + min(max_age, LONGEST_PAUSE),
    )


def _store_rates(lake: Lake, body: bytes, as_of: dt.datetime) -> None:
    """Adds the rates of the day, without implausible jumps."""
    rates = parse_rates(body).with_columns(as_of_date=pl.lit(as_of.date()))
    kept = lake.scan("bronze", HH_RATES).filter(pl.col("as_of_date") != as_of.date()).collect()
    last = kept.sort("as_of_date").unique("currency", keep="last").select("currency", last="units_per_usd")
    change = pl.col("units_per_usd") / pl.col("last")
    sane = rates.join(last, on="currency", how="left").filter(
        change.is_between(1 / _MAX_RATE_CHANGE, _MAX_RATE_CHANGE).fill_null(value=True)
    )
    fresh = sane.select(list(HH_RATES.columns))
    with lake.lock(f"bronze/{HH_RATES.name}"):
        lake.replace("bronze", HH_RATES, pl.concat([kept, fresh]).sort("currency", "as_of_date"))


def _replace(lake: Lake, table: Table, fresh: pl.DataFrame) -> None:
    with lake.lock(f"bronze/{table.name}"):
        n_known = lake.n_rows("bronze", table)
        if fresh.height < _MIN_SHARE * n_known:
            raise NoDictionaryError(f"{fresh.height} entries where there were {n_known}")
        lake.replace("bronze", table, fresh)


_DICTIONARIES: Mapping[str, tuple[Table, Callable[[Lake, bytes, dt.datetime], None]]] = {
    "/areas": (HH_AREAS, lambda lake, body, _: _replace(lake, HH_AREAS, parse_areas(body))),
    "/professional_roles": (HH_ROLES, lambda lake, body, _: _replace(lake, HH_ROLES, parse_roles(body))),
    "/dictionaries": (HH_RATES, _store_rates),
}
