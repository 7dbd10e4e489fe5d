"""The ids of HeadHunter's areas and professional roles: those shipped, and those that its API has told since."""

from collections import defaultdict
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import polars as pl

from assets.lake import Lake
from features.schemas.bronze import HH_AREAS, HH_ROLES

# The dictionaries as the API answered them last, beside the tables of bronze.
LAYER = "bronze"
_MAX_HINTS = 3


@dataclass(frozen=True)
class HHIds:
    """`areas`: area_id, parent_id, name_ru, name_en; `roles`: role_id, name_ru, name_en. Names may be null."""

    areas: pl.DataFrame
    roles: pl.DataFrame

    @classmethod
    def load(cls, vocabulary: Path, lake: Lake | None = None) -> "HHIds":
        """The shipped tables of `vocabulary`, completed and corrected by what the API said last, if `lake` has it."""
        areas = pl.read_csv(vocabulary / "areas.csv", infer_schema=False).select(
            "area_id", "parent_id", "name_ru", "name_en"
        )
        roles = pl.read_csv(vocabulary / "hh_roles.csv", infer_schema=False).select("role_id", "name_ru", "name_en")
        if lake is None:
            return cls(areas, roles)
        told_areas = lake.scan(LAYER, HH_AREAS).select("area_id", "parent_id", told="name").collect()
        told_roles = lake.scan(LAYER, HH_ROLES).select("role_id", told="name").collect()
        return cls(_completed(areas, told_areas, "area_id"), _completed(roles, told_roles, "role_id"))

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """Ids of the areas right below each area; those of the countries under ""."""
        below: defaultdict[str, list[str]] = defaultdict(list)
        for area_id, parent_id in self.areas.select("area_id", "parent_id").iter_rows():
            below[parent_id or ""].append(area_id)
        return dict(below)

    def area_name(self, area_id: str) -> str | None:
        """What an area is called, in English and Russian where both are known; None for an unknown id."""
        return _name_of(self.areas, "area_id", area_id)

    def role_name(self, role_id: str) -> str | None:
        """What a professional role is called; None for an unknown id."""
        return _name_of(self.roles, "role_id", role_id)

    def areas_like(self, text: str) -> list[str]:
        """Up to three areas as `205 (Shymkent, Шымкент)` whose names, or whose id, `text` may stand for."""
        return _like(self.areas, "area_id", text)

    def roles_like(self, text: str) -> list[str]:
        """As `areas_like`, of professional roles."""
        return _like(self.roles, "role_id", text)


def _completed(shipped: pl.DataFrame, told: pl.DataFrame, key: str) -> pl.DataFrame:
    """`shipped` with the rows that only `told` has, and with its parents and its names where no name is shipped."""
    both = shipped.join(told, on=key, how="full", coalesce=True, suffix="_told")
    columns = [pl.coalesce("name_ru", "told").alias("name_ru"), pl.col("name_en")]
    if "parent_id" in shipped.columns:
        is_told = pl.col("told").is_not_null()
        columns.append(pl.when(is_told).then("parent_id_told").otherwise("parent_id").alias("parent_id"))
    return both.with_columns(columns).select(shipped.columns).sort(key)


def _name_of(table: pl.DataFrame, key: str, id_: str) -> str | None:
    rows = table.filter(pl.col(key) == id_)
    if rows.is_empty():
        return None
    names = [name for name in rows.select("name_en", "name_ru").row(0) if name]
    return ", ".join(dict.fromkeys(names)) or "no name known"


def _like(table: pl.DataFrame, key: str, text: str) -> list[str]:
    """By name: the same, beginning alike, or spelled alike; by id: a digit missing, too many, or moved."""
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
