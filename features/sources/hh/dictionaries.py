"""HeadHunter's dictionaries as tables: areas, professional roles and exchange rates from the bytes of its API.

Unusable entries are dropped; an answer that is not the expected dictionary raises.
"""

from collections.abc import Mapping

import polars as pl

from features.errors import SourceError
from features.schemas.bronze import HH_AREAS, HH_RATES, HH_ROLES
from features.sources.values import NotJsonError, coordinates, decode_json, flag, items, line, mapping, number, text

_MAX_DEPTH = 10
_ISO_CODES = {"RUR": "RUB", "BYR": "BYN"}


class NoDictionaryError(SourceError):
    """The bytes are not the requested dictionary."""


def parse_areas(body: bytes) -> pl.DataFrame:
    """`GET /areas`, a tree, as HH_AREAS: one row an area, sorted by id. Raises NoDictionaryError."""
    pending: list[tuple[Mapping[str, object], str | None, int]] = [
        (mapping(root), None, 0) for root in items(_decoded(body))
    ]
    rows: dict[str, dict[str, object]] = {}
    while pending:
        node, parent_id, depth = pending.pop()
        id_, name = text(node.get("id")), line(node.get("name"))
        if id_ is None or name is None or not id_.isdecimal() or depth > _MAX_DEPTH:
            continue
        place = coordinates(node.get("lat"), node.get("lng"))
        offset = line(node.get("utc_offset"))
        rows[id_] = {"area_id": id_, "parent_id": parent_id, "name": name, **place, "utc_offset": offset}
        pending += [(mapping(child), id_, depth + 1) for child in items(node.get("areas"))]
    if not rows:
        raise NoDictionaryError("expected a tree of areas with id, name and areas")
    return pl.DataFrame(list(rows.values()), schema=dict(HH_AREAS.columns)).sort("area_id")


def parse_roles(body: bytes) -> pl.DataFrame:
    """`GET /professional_roles` as HH_ROLES: one row a role, even if it is in several categories, sorted by id.

    Raises NoDictionaryError.
    """
    rows: dict[str, dict[str, object]] = {}
    for category in items(mapping(_decoded(body)).get("categories")):
        for entry in items(mapping(category).get("roles")):
            role = mapping(entry)
            id_, name = text(role.get("id")), line(role.get("name"))
            if id_ is not None and name is not None and id_.isdecimal():
                is_deprecated = flag(role.get("search_deprecated")) or False
                rows[id_] = {"role_id": id_, "name": name, "is_search_deprecated": is_deprecated}
    if not rows:
        raise NoDictionaryError("expected categories with roles")
    return pl.DataFrame(list(rows.values()), schema=dict(HH_ROLES.columns)).sort("role_id")


def parse_rates(body: bytes) -> pl.DataFrame:
    """The currencies of `GET /dictionaries` as currency (ISO 4217) and units_per_usd, sorted by currency.

    HH states units per rouble, so the rate of the dollar is required. Raises NoDictionaryError.
    """
    per_rouble: dict[str, float] = {}
    for entry in items(mapping(_decoded(body)).get("currency")):
        currency = mapping(entry)
        code, rate = text(currency.get("code")), number(currency.get("rate"))
        if code is not None and len(code) == 3 and code.isascii() and code.isupper() and rate is not None and rate > 0:
            per_rouble[_ISO_CODES.get(code, code)] = rate
    if "USD" not in per_rouble or per_rouble.get("RUB") != 1:
        raise NoDictionaryError("expected currencies with the rate of the dollar, and 1 for the rouble")
    rows = [(code, rate / per_rouble["USD"]) for code, rate in sorted(per_rouble.items())]
    schema = {name: HH_RATES.columns[name] for name in ("currency", "units_per_usd")}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _decoded(body: bytes) -> object:
    try:
        return decode_json(body)
    except NotJsonError as error:
        raise NoDictionaryError(str(error)) from error
