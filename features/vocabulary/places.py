"""The gazetteer: canonical names and coordinates of cities, regions and countries, from texts in many languages.

How a text is read is in place_mentions, place_readings and place_context. Distances and remote work are handled
elsewhere. Towns come from GeoNames (see data/vocabulary/README.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from features.schemas.catalog import LOCATION
from features.vocabulary.place_mentions import Meaning, Region, Town, candidate_keys, tokenised
from features.vocabulary.place_merging import StatedPlace, merged
from features.vocabulary.place_readings import Known, Place

_POINT = ("latitude", "longitude")
_INPUT_TEXTS = ("text", "city", "region", "country", "default_country", "area_id")
_NAMES = ("city", "region", "country")
_LOCATIONS = pl.List(LOCATION)
_LETTERS = {"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
# Abbreviations in addresses.
_ABBREVIATED = {" обл ": " область ", " респ ": " республика ", " st ": " saint ", " ft ": " fort ", " mt ": " mount "}
# Aliases of a city weigh less than its own name, whatever its size.
_ALIAS_WEIGHT = 0.02
_IS_CODE = r"^(?:[A-Z]{2,3}|[А-Я]{2,4})$"


@dataclass(frozen=True)
class Gazetteer:
    """The gazetteer; tables as read from data/vocabulary."""

    cities: pl.DataFrame
    city_keys: pl.DataFrame
    countries: pl.DataFrame
    regions: pl.DataFrame
    areas: pl.DataFrame
    groups: pl.DataFrame

    @classmethod
    def load(cls, folder: Path) -> "Gazetteer":
        """Reads the tables of `folder`; those of countries and regions are in two parts, by hand and generated."""
        names = _read_text_table(folder / "country_names.csv").select("country", more="aliases")
        regions = [_read_text_table(folder / name) for name in ("regions.csv", "world_regions.csv")]
        return cls(
            cities=pl.read_parquet(folder / "places.parquet"),
            city_keys=pl.read_parquet(folder / "place_keys.parquet"),
            countries=_read_text_table(folder / "countries.csv")
            .join(names, on="country", how="left", maintain_order="left")
            .with_columns(pl.concat_str("aliases", "more", separator="|", ignore_nulls=True).alias("aliases"))
            .drop("more"),
            regions=pl.concat(regions, how="diagonal"),
            areas=_read_text_table(folder / "areas.csv"),
            groups=_read_text_table(folder / "place_areas.csv"),
        )

    def resolve(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns city, region, country (ISO alpha-2), latitude, longitude of the first place, and `locations`, all
        places with the first; one row per row of `frame`, in its order.

        `frame` may have text (free location), city, region, country, default_country (of the feed), area_id (HH) and
        latitude, longitude, all nullable. The area wins over the city, and the city over the text. A city elsewhere
        with the same name never changes a given country, and any stated country wins over the feed's; given
        coordinates are kept. A given city that the gazetteer lacks stays as written. An area such as Europe gives a
        location per country and no first place.
        """
        given = frame.select(
            *(_column(frame, name, pl.String).str.strip_chars() for name in _INPUT_TEXTS),
            *(_column(frame, name, pl.Float64) for name in _POINT),
        )
        distinct = given.select(_INPUT_TEXTS).unique().sort(_INPUT_TEXTS).with_row_index("id")
        answers = self._answers(distinct)
        found = given.join(
            distinct.join(answers, on="id"), on=_INPUT_TEXTS, how="left", nulls_equal=True, maintain_order="left"
        )
        has_coordinates = pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null()
        point = [pl.when(has_coordinates).then(name).otherwise(f"{name}_found").alias(name) for name in _POINT]
        placed = found.select(*(pl.col(f"{name}_found").alias(name) for name in _NAMES), *point, "locations")
        return placed.with_columns(_with_point_of_first())

    def with_areas(self, areas: pl.DataFrame) -> "Gazetteer":
        """A copy with `areas` (columns of areas.csv) in place of the shipped ones."""
        return replace(self, areas=areas)

    @cached_property
    def names(self) -> pl.DataFrame:
        """Columns city, country, name_ru, name_en: one row per city and country, the largest of its name."""
        largest = self.cities.sort("population", "latitude", descending=True).unique(
            ["city", "country"], keep="first", maintain_order=True
        )
        columns = ("city", "country", "name_ru", pl.col("city").alias("name_en"))
        of_areas = (
            self.areas.filter(pl.col("city").is_not_null())
            .select(columns)
            .unique(["city", "country"], keep="first", maintain_order=True)
            .join(largest, on=["city", "country"], how="anti", maintain_order="left")
        )
        return pl.concat([largest.select(columns), of_areas]).sort("country", "city")

    @cached_property
    def written_names(self) -> frozenset[str]:
        """Names of cities, regions and countries in Russian and English, in small letters, ё as е."""
        columns = (
            *(self.names[name] for name in ("city", "name_ru", "name_en")),
            *(self.regions[name] for name in ("region", "name_ru")),
            *(self.countries[name] for name in ("name_en", "name_ru")),
        )
        names = pl.concat([column.cast(pl.String).rename("name") for column in columns]).drop_nulls()
        return frozenset(names.str.to_lowercase().str.replace_all("ё", "е"))

    def country_code(self, names: pl.Series) -> pl.Series:
        """ISO alpha-2 codes of country names or codes in any language and case; null where unknown."""
        keys = pl.DataFrame({"name": names.cast(pl.String)}).select(place_key(pl.col("name")).alias("key"))
        codes = self._country_keys.select("key", "country")
        return keys.join(codes, on="key", how="left", maintain_order="left")["country"].alias(names.name)

    @cached_property
    def _country_keys(self) -> pl.DataFrame:
        """Columns key, country, is_code; in free text a code counts in capitals only."""
        names = _long_names(self.countries, ["name_en", "name_ru", "iso3"], keep=["country"])
        codes = self.countries.select("country", name="country")
        return (
            pl.concat([names.select("country", "name"), codes])
            .select("country", key=place_key(pl.col("name")), is_code=pl.col("name").str.contains(_IS_CODE))
            .unique("key", keep="first", maintain_order=True)
        )

    @cached_property
    def _region_keys(self) -> pl.DataFrame:
        """Columns key, country, region, is_code, weight: every name of every region and the people of its towns.

        Names of its parts, such as counties, follow; each part counts with an equal share of the people.
        """
        people = self.cities.group_by("country", "region").agg(weight=pl.col("population").sum().cast(pl.Float64))
        parts = self.regions.with_columns(aliases="parts", n=pl.col("parts").str.split("|").list.len())
        names = pl.concat(
            [
                _long_names(self.regions, ["region", "name_ru", "code"], keep=["country", "region"]),
                _long_names(parts, [], keep=["country", "region", "n"]),
            ],
            how="diagonal",
        )
        return (
            names.with_columns(key=place_key(pl.col("name")), is_code=pl.col("name").str.contains(_IS_CODE))
            .unique(["key", "country"], keep="first", maintain_order=True)
            .join(people, on=["country", "region"], how="left", maintain_order="left")
            .select("key", "country", "region", "is_code", pl.col("weight").fill_null(1) / pl.col("n").fill_null(1))
        )

    @cached_property
    def _group_keys(self) -> pl.DataFrame:
        """Columns key, countries: areas such as Europe."""
        return _long_names(self.groups, ["area"], keep=["countries"]).select("countries", key=place_key(pl.col("name")))

    def _answers(self, distinct: pl.DataFrame) -> pl.DataFrame:
        """Columns id, *_found and locations for each distinct input."""
        areas = self.areas.select(
            "area_id", *(pl.col(name).alias(f"area_{name}") for name in _NAMES),
            *(pl.col(name).cast(pl.Float64).alias(f"area_{name}") for name in _POINT),
        )  # fmt: skip
        all_rows = distinct.join(areas, on="area_id", how="left", maintain_order="left")
        # The area of a town determines everything.
        is_town = pl.col("area_city").is_not_null()
        place = pl.struct(pl.col(f"area_{name}").alias(name) for name in (*_NAMES, *_POINT))
        of_towns = all_rows.filter(is_town).select(
            "id",
            *(pl.col(f"area_{name}").alias(f"{name}_found") for name in (*_NAMES, *_POINT)),
            pl.concat_list(place).cast(_LOCATIONS).alias("locations"),
        )
        return pl.concat([of_towns, self._read(all_rows.filter(~is_town))])

    def _read(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Like `_answers`, for rows whose area is not a town. Texts are read one by one: each distinct text once."""
        rows = rows.select(
            "id", "text", "city", "default_country",
            country=pl.coalesce("area_country", self.country_code(rows["country"])),
            region=pl.coalesce("area_region", "region"),
            country_text=pl.when(self.country_code(rows["country"]).is_null()).then("country"),
        )  # fmt: skip
        stated = [
            StatedPlace(
                text=tokenised(row["text"]),
                city=row["city"],
                region=row["region"],
                structured=tokenised(", ".join(row[name] for name in ("city", "region", "country_text") if row[name])),
                city_words=tokenised(row["city"]),
                known=Known(row["country"], row["default_country"]),
            )
            for row in rows.iter_rows(named=True)
        ]
        keys = {key for one in stated for words in (one.text, one.structured) for key in candidate_keys(words)}
        meanings = self._meanings(keys)
        places = [merged(one, meanings) for one in stated]
        return _answer_rows(rows["id"], places)

    def _meanings(self, keys: Iterable[str]) -> dict[str, Meaning]:
        """What the keys among `keys` that name anything may mean."""
        wanted = pl.DataFrame({"key": sorted(keys)}, schema={"key": pl.String})
        countries = {
            key: (country, is_code) for key, country, is_code in wanted.join(self._country_keys, on="key").iter_rows()
        }
        groups = dict(wanted.join(self._group_keys, on="key").select("key", "countries").iter_rows())
        regions = defaultdict(list)
        for key, country, region, is_code, weight in wanted.join(self._region_keys, on="key").iter_rows():
            regions[key].append(Region(region, country, is_code, weight))
        towns = self._towns(wanted)
        return {
            key: Meaning(
                country=countries.get(key, (None, False))[0],
                is_country_code=countries.get(key, (None, False))[1],
                regions=tuple(regions.get(key, ())),
                towns=tuple(towns.get(key, ())),
                area=tuple(groups.get(key, "").split()),
            )
            for key in countries.keys() | groups.keys() | regions.keys() | towns.keys()
        }

    def _towns(self, wanted: pl.DataFrame) -> Mapping[str, Sequence[Town]]:
        found = wanted.join(self.city_keys, on="key").sort("key", "city_row")
        cities = self.cities[found["city_row"]].select(
            "city", "region", "country", "latitude", "longitude", pl.col("population").cast(pl.Float64),
            weight=pl.col("population").cast(pl.Float64) * pl.max_horizontal("n_names", 1),
        )  # fmt: skip
        cities = cities.with_columns(
            weight=pl.when(found["is_own"]).then("weight").otherwise(pl.col("weight") * _ALIAS_WEIGHT)
        )
        towns = defaultdict(list)
        for key, is_own, row in zip(found["key"], found["is_own"], cities.iter_rows(), strict=True):
            city, region, country, latitude, longitude, people, weight = row
            towns[key].append(Town(city, region, country, latitude, longitude, people, weight, is_own))
        return towns


def is_on_earth() -> pl.Expr:
    """Whether `latitude` and `longitude` are degrees of a point; null or false where one is null or out of range."""
    return pl.col("latitude").is_between(-90, 90) & pl.col("longitude").is_between(-180, 180)


def place_key(names: pl.Expr) -> pl.Expr:
    """Key of a place's name: words in lower case without accents and marks; commas stay, as in "Korea, Republic of"."""
    key = (
        names.fill_null("")
        .str.normalize("NFKD")
        .str.replace_all(r"\p{Mn}", "")
        .str.to_lowercase()
        .str.replace_many(_LETTERS)
        .str.replace_all("['’ʻ`‘ʼʹ´]", "")
        .str.replace_all(r"[^\p{L}\p{N}]*,[^\p{L}\p{N}]*", ", ")
        .str.replace_all(r"[^\p{L}\p{N},]+", " ")
    )
    return pl.format(" {} ", key).str.replace_many(_ABBREVIATED).str.strip_chars(" ,")


def _with_point_of_first() -> pl.Expr:
    """`locations` whose first place has the coordinates of the row, which may be given ones."""
    first = pl.struct(*_NAMES, *_POINT)
    rest = pl.col("locations").list.slice(1)
    is_first = pl.col("locations").list.first().struct.field("city").is_not_null()
    return (
        pl.when(is_first & pl.col("city").is_not_null())
        .then(pl.concat_list(first, rest))
        .otherwise("locations")
        .alias("locations")
    )


def _answer_rows(ids: pl.Series, places: Sequence[Sequence[Place]]) -> pl.DataFrame:
    """Columns id, *_found of the first place that is no area, and locations with a place per country of an area."""
    names = (*_NAMES, *_POINT)
    firsts = [next((place for place in found if not place.area), Place()) for found in places]
    columns = {
        f"{name}_found": pl.Series(
            [getattr(place, name) for place in firsts], dtype=pl.Float64 if name in _POINT else pl.String
        )
        for name in names
    }
    locations = [[{name: getattr(place, name) for name in names} for place in _expanded(found)] for found in places]
    return pl.DataFrame({"id": ids, **columns, "locations": pl.Series(locations, dtype=_LOCATIONS)})


def _expanded(places: Sequence[Place]) -> list[Place]:
    named = [place for place in places if not place.area and (place.country or place.city)]
    known = {place.country for place in named}
    countries = dict.fromkeys(code for place in places for code in place.area if code not in known)
    return [*named, *(Place(country=code) for code in countries)]


def _long_names(frame: pl.DataFrame, columns: Sequence[str], *, keep: Sequence[str]) -> pl.DataFrame:
    """One row per non-empty name: the named columns and each of `aliases`, beside the columns to keep."""
    parts = [frame.select(*keep, pl.col(column).cast(pl.String).alias("name")) for column in columns]
    aliases = frame.select(*keep, pl.col("aliases").fill_null("").str.split("|").alias("name")).explode("name")
    return pl.concat([*parts, aliases]).filter(pl.col("name").str.len_chars() > 0)


def _read_text_table(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def _column(frame: pl.DataFrame, name: str, dtype: type[pl.DataType]) -> pl.Expr:
    return (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
