"""Facts of companies in JSON lines to COMPANY_FACTS."""

from datetime import datetime

import polars as pl

from features.schemas.bronze import COMPANY_FACTS
from features.sources.parsed import Parsed, Refusal, json_lines, rejects
from features.sources.timestamps import read_timestamp
from features.sources.values import NotJsonError, line, mapping
from features.text.normalise import company_key

MAX_NAME_CHARACTERS = 200
MAX_FACT_CHARACTERS = 64
MAX_VALUE_CHARACTERS = 1_000
_REQUIRED = ("fact", "value", "source", "observed_at")


def parse_company_facts(body: bytes, *, as_of: datetime) -> Parsed:
    """One {company or company_id, fact, value, source, observed_at} a line to COMPANY_FACTS rows.

    A fact of the future is refused: it would outlive its month.
    """
    rows: list[tuple[str | None, str | None, str, str, str, datetime]] = []
    refused: list[Refusal] = []
    for entry, raw, value in json_lines(body):
        row = "bad_json" if isinstance(value, NotJsonError) else _row(mapping(value), as_of)
        if isinstance(row, str):
            refused.append((entry, row, "", raw))
        else:
            rows.append(row)
    names = ("stated_id", "company", *list(COMPANY_FACTS.columns)[1:])
    types = {"stated_id": pl.String, "company": pl.String, **COMPANY_FACTS.columns}
    frame = pl.DataFrame(rows, schema={name: types[name] for name in names}, orient="row")
    of_name = pl.concat_str(pl.lit("name:"), company_key(pl.col("company")))
    found = frame.with_columns(company_id=pl.coalesce("stated_id", of_name)).filter(pl.col("company_id").is_not_null())
    return Parsed(COMPANY_FACTS.conform(found.drop("stated_id", "company")), rejects(refused))


def _row(stated: object, as_of: datetime) -> tuple[str | None, str | None, str, str, str, datetime] | str:
    """The row, or the reason to refuse it."""
    given = mapping(stated)
    company_id, company = line(given.get("company_id")), line(given.get("company"))
    if not company_id and not company:
        return "missing_company"
    texts = {name: line(given.get(name)) for name in _REQUIRED[:3]}
    missing = next((name for name in _REQUIRED if not given.get(name)), None)
    if missing is not None or not all(texts.values()):
        return f"missing_{missing or next(name for name in texts if not texts[name])}"
    observed_at = read_timestamp(given["observed_at"])
    if observed_at is None:
        return "bad_observed_at"
    if observed_at > as_of:
        return "future_observed_at"
    fact, value, source = (str(texts[name]) for name in _REQUIRED[:3])
    too_long = (
        len(company_id or company or "") > MAX_NAME_CHARACTERS
        or max(len(fact), len(source)) > MAX_FACT_CHARACTERS
        or len(value) > MAX_VALUE_CHARACTERS
    )
    return "too_long" if too_long else (company_id, company, fact, value, source, observed_at)
