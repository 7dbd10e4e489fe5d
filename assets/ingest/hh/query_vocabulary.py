"""What a configured HH query may name: areas, professional roles, and parameters of the search.

HH silently ignores what it does not know, and then finds more than was wanted. So names and values are checked first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import polars as pl

from assets.lake import Lake
from features.schemas.bronze import HH_AREAS, HH_ROLES

_MAX_HINTS = 3
EXPERIENCES = ("noExperience", "between1And3", "between3And6", "moreThan6")
_BOX = ("bottom_lat", "left_lng", "right_lng", "top_lat")
_FREE = (
    "excluded_text", "metro", "industry", "employer_id", "work_schedule_by_days", "working_hours", "part_time",
    "education", "driver_license_types", "salary", *_BOX,
)  # fmt: skip
_FLAG = frozenset({"true", "false"})
# The allowed values of each parameter; None allows any (ids, numbers, free text).
PARAMETERS: Mapping[str, frozenset[str] | None] = {
    **dict.fromkeys(_FREE),
    "search_field": frozenset({"name", "company_name", "description"}),
    "experience": frozenset(EXPERIENCES),
    "employment": frozenset({"full", "part", "project", "volunteer", "probation"}),
    "employment_form": frozenset({"FULL", "PART", "PROJECT", "FLY_IN_FLY_OUT"}),
    "schedule": frozenset({"fullDay", "shift", "flexible", "remote", "flyInFlyOut"}),
    "work_format": frozenset({"ON_SITE", "REMOTE", "HYBRID", "FIELD_WORK"}),
    "accept_temporary": _FLAG,
    "currency": frozenset({"AZN", "BYR", "EUR", "GEL", "KGS", "KZT", "RUR", "UAH", "USD", "UZS"}),
    "salary_frequency": frozenset({"DAILY", "WEEKLY", "TWICE_PER_MONTH", "MONTHLY", "PER_PROJECT"}),
    "salary_mode": frozenset({"MONTH", "HOUR", "SHIFT", "SERVICE", "FLY_IN_FLY_OUT"}),
    "only_with_salary": _FLAG,
    "label": frozenset({
        "with_address", "accept_handicapped", "not_from_agency", "accept_kids", "accept_teens", "accredited_it",
        "low_performance", "internship", "with_salary",
    }),
    "host": frozenset({"hh.ru", "rabota.by", "hh1.az", "hh.uz", "hh.kz", "headhunter.ge", "headhunter.kg"}),
}  # fmt: skip


@dataclass(frozen=True)
class HHIds:
    """`areas`: area_id, parent_id, name_ru, name_en; `roles`: role_id, name_ru, name_en. Names may be null."""

    areas: pl.DataFrame
    roles: pl.DataFrame

    @classmethod
    def load(cls, vocabulary: Path, lake: Lake | None = None) -> "HHIds":
        """The shipped tables of `vocabulary`, corrected by the last dictionaries of the API, if `lake` has them."""
        areas = pl.read_csv(vocabulary / "areas.csv", infer_schema=False).select(
            "area_id", "parent_id", "name_ru", "name_en"
        )
        roles = pl.read_csv(vocabulary / "hh_roles.csv", infer_schema=False).select("role_id", "name_ru", "name_en")
        if lake is None:
            return cls(areas, roles)
        api_areas = lake.scan("bronze", HH_AREAS).select("area_id", "parent_id", api_name="name").collect()
        api_roles = lake.scan("bronze", HH_ROLES).select("role_id", api_name="name").collect()
        return cls(_completed(areas, api_areas, "area_id"), _completed(roles, api_roles, "role_id"))

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Ids of the areas directly below each area; "" has the countries."""
        below: defaultdict[str, list[str]] = defaultdict(list)
        for area_id, parent_id in self.areas.select("area_id", "parent_id").iter_rows():
            below[parent_id or ""].append(area_id)
        return dict(below)

    def area_name(self, area_id: str) -> str | None:
        """The name of an area, in English and Russian where both are known; None for an unknown id."""
        return _name_of(self.areas, "area_id", area_id)

    def role_name(self, role_id: str) -> str | None:
        """The name of a professional role; None for an unknown id."""
        return _name_of(self.roles, "role_id", role_id)

    def areas_like(self, text: str) -> list[str]:
        """Up to three areas, as `205 (Shymkent, Шымкент)`, with a name or an id like `text`."""
        return _like(self.areas, "area_id", text)

    def roles_like(self, text: str) -> list[str]:
        """As `areas_like`, for professional roles."""
        return _like(self.roles, "role_id", text)


def parameter_problems(extra: Mapping[str, str | Sequence[str]]) -> list[str]:
    """What is wrong with the parameters `extra`: each problem names the parameter, the value and what is allowed."""
    found: list[str] = []
    for name, stated in extra.items():
        values = [stated] if isinstance(stated, str) else list(stated)
        if name not in PARAMETERS:
            found.append(f"unknown parameter {name!r}; allowed are {', '.join(sorted(PARAMETERS))}")
            continue
        allowed = PARAMETERS[name]
        wrong = [value for value in values if allowed is not None and value not in allowed]
        if wrong:
            found.append(f"{name}: {', '.join(map(repr, wrong))}; allowed are {', '.join(sorted(allowed or ()))}")
    given = [name for name in _BOX if name in extra]
    if 0 < len(given) < len(_BOX):
        found.append(f"{', '.join(_BOX)} go together; given are {', '.join(given)}")
    return found


def _completed(shipped: pl.DataFrame, fetched: pl.DataFrame, key: str) -> pl.DataFrame:
    """`shipped` with the new rows and the parents of `fetched`, and its names where no name is shipped."""
    both = shipped.join(fetched, on=key, how="full", coalesce=True, suffix="_fetched")
    columns = [pl.coalesce("name_ru", "api_name").alias("name_ru"), pl.col("name_en")]
    if "parent_id" in shipped.columns:
        is_fetched = pl.col("api_name").is_not_null()
        columns.append(pl.when(is_fetched).then("parent_id_fetched").otherwise("parent_id").alias("parent_id"))
    return both.with_columns(columns).select(shipped.columns).sort(key)


def _name_of(table: pl.DataFrame, key: str, id_: str) -> str | None:
    rows = table.filter(pl.col(key) == id_)
    if rows.is_empty():
        return None
    names = [name for name in rows.select("name_en", "name_ru").row(0) if name]
    return ", ".join(dict.fromkeys(names)) or "no name known"


def _like(table: pl.DataFrame, key: str, text: str) -> list[str]:
    """By name: equal, with an equal beginning, or similar. By id: a digit missing, added or moved."""
    wanted = text.strip().casefold()
    if wanted.isdecimal():
        near = get_close_matches(wanted, table[key].to_list(), n=_MAX_HINTS, cutoff=0.8)
    else:
        names: defaultdict[str, list[str]] = defaultdict(list)
        for id_, *spellings in table.select(key, "name_en", "name_ru").iter_rows():
            for name in dict.fromkeys(spellings):
                if name:
                    names[name.casefold()].append(id_)
        alike = [wanted] if wanted in names else sorted(name for name in names if name.startswith(wanted))
        alike = alike or get_close_matches(wanted, list(names), n=_MAX_HINTS, cutoff=0.75)
        near = list(dict.fromkeys(id_ for name in alike for id_ in names[name]))
    return [f"{id_} ({_name_of(table, key, id_)})" for id_ in near[:_MAX_HINTS]]
