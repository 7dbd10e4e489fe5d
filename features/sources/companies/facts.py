"""Facts of companies in JSON to COMPANY_FACTS: lines with one entry each, or a document with one or many."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice

import polars as pl

from features.schemas.companies import COMPANY_FACTS
from features.sources.companies.github import SOURCE, GitHubAnswerError, read_answers, stated_facts
from features.sources.parsed import Parsed, Refusal, json_lines, rejects
from features.sources.timestamps import read_timestamp
from features.sources.values import NotJsonError, decode_json, items, line, link, mapping, raw_json, visible
from features.text.normalise import company_id_of_name

MAX_NAME_CHARACTERS = 200
MAX_FACT_CHARACTERS = 64
MAX_VALUE_CHARACTERS = 1_000
MAX_FACTS_PER_ENTRY = 50
MAX_LIST_VALUES = 20
MAX_ENTRIES_PER_DOCUMENT = 100_000

_Row = tuple[str | None, str | None, str, str, str, str | None, datetime]
_Entries = Iterable[tuple[str, bytes, object]]


def parse_company_facts(body: bytes, *, as_of: datetime) -> Parsed:
    """JSON lines to COMPANY_FACTS: {company or company_id, source, observed_at, url?} and {fact, value}, {facts} or
    {github}.

    `facts` maps names to values, `github` holds answers about an organisation: their facts are those of a fetch at
    `observed_at`. A fact of the future is refused: it would outlive its month.
    """
    return _parsed(json_lines(body), as_of)


def parse_company_document(body: bytes, *, as_of: datetime) -> Parsed:
    """A JSON document, an object or an array of them, to COMPANY_FACTS; the objects are as in JSON lines."""
    return _parsed(_entries_of(body), as_of)


def _entries_of(body: bytes) -> Iterator[tuple[str, bytes, object]]:
    try:
        document = decode_json(body)
    except NotJsonError as error:
        yield "document", body, error
        return
    if not isinstance(document, list):
        yield "document", body, document
        return
    for number, entry in enumerate(islice(document, MAX_ENTRIES_PER_DOCUMENT), 1):
        yield f"entry {number}", raw_json(entry), entry
    if len(document) > MAX_ENTRIES_PER_DOCUMENT:
        yield "document", b"", OverflowError(f"{len(document)} entries; the first {MAX_ENTRIES_PER_DOCUMENT} are read")


def _parsed(entries: _Entries, as_of: datetime) -> Parsed:
    rows: list[_Row] = []
    refused: list[Refusal] = []
    for entry, raw, value in entries:
        if isinstance(value, NotJsonError):
            refused.append((entry, "bad_json", "", raw))
        elif isinstance(value, OverflowError):
            refused.append((entry, "too_many_entries", str(value), raw))
        else:
            found, reasons = _rows(mapping(value), as_of)
            rows += found
            # An entry is quarantined once for each reason, however many of its facts have it.
            refused += [(entry, reason, ", ".join(names)[:200], raw) for reason, names in reasons.items()]
    names = ("stated_id", "company", *list(COMPANY_FACTS.columns)[1:])
    types = {"stated_id": pl.String, "company": pl.String, **COMPANY_FACTS.columns}
    frame = pl.DataFrame(rows, schema={name: types[name] for name in names}, orient="row")
    found_ids = frame.with_columns(company_id=pl.coalesce("stated_id", company_id_of_name(pl.col("company"))))
    known = found_ids.filter(pl.col("company_id").is_not_null())
    return Parsed(COMPANY_FACTS.conform(known.drop("stated_id", "company")), rejects(refused))


def _rows(given: Mapping[str, object], as_of: datetime) -> tuple[list[_Row], dict[str, list[str]]]:
    """The rows of an entry, and for each reason the facts that are refused for it; "" for the whole entry."""
    answers = given.get("github")
    company_id, company = line(given.get("company_id")), visible(given.get("company"))
    source = visible(given.get("source")) if answers is None else SOURCE
    observed_at = read_timestamp(given.get("observed_at"))
    is_future = observed_at is not None and observed_at > as_of
    too_long = len(company_id or company or "") > MAX_NAME_CHARACTERS or len(source or "") > MAX_FACT_CHARACTERS
    problem = (
        "missing_company" if not (company_id or company)
        else "missing_source" if not source
        else "missing_observed_at" if given.get("observed_at") in (None, "")
        else "bad_observed_at" if observed_at is None
        else "future_observed_at" if is_future
        else "too_long" if too_long
        else None
    )  # fmt: skip
    if problem is not None or source is None or observed_at is None:
        return [], {str(problem): []}
    many, url = given.get("facts"), link(given.get("url"))
    stated: list[tuple[object, object]]
    if answers is not None:
        try:
            organisation, repositories = read_answers(mapping(answers))
        except GitHubAnswerError as error:
            return [], {"bad_github_answer": [str(error)]}
        stated = [*stated_facts(organisation, repositories, as_of=observed_at).items()]
        url = organisation.url
    else:
        stated = [(given.get("fact"), given.get("value"))] if many is None else [*mapping(many).items()]
    if not stated:
        return [], {"missing_fact": []}
    rows: list[_Row] = []
    reasons: dict[str, list[str]] = {}
    for name, value in stated[:MAX_FACTS_PER_ENTRY]:
        fact, said = visible(name), _value(value)
        reason = _refusal(fact, said, value)
        if reason is not None:
            reasons.setdefault(reason, []).append((fact or "")[:MAX_FACT_CHARACTERS])
        elif fact is not None and said is not None:
            rows.append((company_id, company, fact, said, source, url, observed_at))
    if len(stated) > MAX_FACTS_PER_ENTRY:
        reasons["too_many_facts"] = [f"{len(stated)}; the first {MAX_FACTS_PER_ENTRY} are read"]
    return rows, reasons


def _value(value: object) -> str | None:
    """A value as text: a text, a number, yes or no, or a list of them."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(found for one in items(value)[:MAX_LIST_VALUES] if (found := _value_of_list(one))) or None
    return visible(value)


def _value_of_list(value: object) -> str | None:
    return None if isinstance(value, list) else _value(value)


def _refusal(fact: str | None, said: str | None, value: object) -> str | None:
    if fact is None:
        return "missing_fact"
    if said is None:
        return "bad_value" if isinstance(value, dict) else "missing_value"
    return "too_long" if len(fact) > MAX_FACT_CHARACTERS or len(said) > MAX_VALUE_CHARACTERS else None
