"""The gazetteer: canonical names and coordinates of cities, regions and countries, from Russian or English text.

Distances and remote work are handled elsewhere. Towns come from GeoNames (see data/vocabulary/README.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

OUTPUT_COLUMNS = ("city", "region", "country", "latitude", "longitude")
_INPUT_TEXTS = ("text", "city", "region", "country", "area_id")
_MAX_TEXT_LENGTH = 200
_MAX_SEGMENTS = 12
_SEPARATORS = r"\s+[-–—/]\s+|[-–—]\s+|[,;/|()\[\]•·\n:+&]|\s(?:or|and|but|или|и|но)\s|(?-u:\b)\d{4,6}(?-u:\b)"
# A part of a region or city is read as the whole: "Western Massachusetts", "Suburban Philadelphia".
_PART_OF = r"(?i:(?-u:\b)(?:western|eastern|northern|southern|central|suburban|upstate)\s+)([^\x1f]+)"
_FLAG = r"([\u{1f1e6}-\u{1f1ff}])([\u{1f1e6}-\u{1f1ff}])"
_FLAG_LETTERS = {chr(0x1F1E6 + i): chr(ord("A") + i) for i in range(26)}
# Words beside a place that are not part of its name: whole words of the key, where two spaces separate words.
_AROUND = " (?:{}) ".format(
    (
        "remote|remotely|only|hybrid|on site|onsite|in office|office|based|anywhere in|within|from|greater|metropolitan"
        "|metro area|area|bay area|city of|worldwide|anywhere|citizens|residents|timezones?|time zone|preferred"
        "|downtown|central|удаленно|удаленная работа|удаленка|гибрид|офис|г|гор|город"
    ).replace(" ", "  ")
)
# Abbreviations in addresses.
_SHORTENED = ((" обл ", " область "), (" респ ", " республика "), (" st ", " saint "), (" р ка ", " республика "))
# Aliases of a city weigh less than its own name, whatever its size.
_ALIAS_WEIGHT = 0.02


@dataclass(frozen=True)
class Gazetteer:
    """The gazetteer; tables as read from data/vocabulary."""

    cities: pl.DataFrame
    countries: pl.DataFrame
    regions: pl.DataFrame
    areas: pl.DataFrame

    @classmethod
    def load(cls, folder: Path) -> "Gazetteer":
        """Reads places.parquet, countries.csv, regions.csv and areas.csv of `folder`."""
        return cls(
            cities=pl.read_parquet(folder / "places.parquet"),
            countries=_read_text_table(folder / "countries.csv"),
            regions=_read_text_table(folder / "regions.csv"),
            areas=_read_text_table(folder / "areas.csv"),
        )

    def resolve(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns city, region, country (ISO alpha-2), latitude, longitude, one row per row of `frame`, in its order.

        `frame` may have text (free location), city, region, country, area_id (HH) and latitude, longitude, all
        nullable. The area wins over the city, and the city over the text. A city elsewhere with the same name never
        changes a given country; given coordinates are kept. A city that the gazetteer lacks stays as written.
        """
        given = frame.select(
            *(_column(frame, name, pl.String).str.strip_chars() for name in _INPUT_TEXTS),
            *(_column(frame, name, pl.Float64) for name in ("latitude", "longitude")),
        )
        distinct = given.select(_INPUT_TEXTS).unique().sort(_INPUT_TEXTS).with_row_index("id")
        answers = self._answers(distinct)
        has_coordinates = pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null()
        return (
            given.join(
                distinct.join(answers, on="id"), on=_INPUT_TEXTS, how="left", nulls_equal=True, maintain_order="left"
            )
            .with_columns(
                pl.when(has_coordinates).then(name).otherwise(f"{name}_found").alias(name)
                for name in ("latitude", "longitude")
            )
            .select(
                pl.col("city_found").alias("city"),
                pl.col("region_found").alias("region"),
                pl.col("country_found").alias("country"),
                "latitude",
                "longitude",
            )
        )

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

    def country_code(self, names: pl.Series) -> pl.Series:
        """ISO alpha-2 codes of country names or codes in Russian or English, any case; null where unknown."""
        keys = pl.DataFrame({"name": names.cast(pl.String)}).select(place_key(pl.col("name")).alias("key"))
        codes = self._country_keys.filter("is_any_case")
        return keys.join(codes, on="key", how="left", maintain_order="left")["country"].alias(names.name)

    @cached_property
    def _country_keys(self) -> pl.DataFrame:
        """Columns key, country, is_any_case, is_code; in free text a two-letter code counts in capitals only."""
        names = _long_names(self.countries, ["name_en", "name_ru", "iso3"], keep=["country"])
        codes = self.countries.select("country", name="country")
        return (
            pl.concat([names.select("country", "name"), codes])
            .with_columns(key=place_key(pl.col("name")), is_any_case=pl.lit(True))
            .select("key", "country", "is_any_case", is_code=pl.col("name").str.contains("^[A-Z]{2,3}$"))
            .unique("key", keep="first", maintain_order=True)
        )

    @cached_property
    def _region_keys(self) -> pl.DataFrame:
        """Columns key, country, region, is_code."""
        names = _long_names(self.regions, ["region", "name_ru", "code"], keep=["country", "region"])
        return (
            names.with_columns(key=place_key(pl.col("name")))
            .select("key", "country", "region", is_code=pl.col("name").str.contains("^[A-Z]{2}$"))
            .unique(["key", "country"], keep="first", maintain_order=True)
        )

    @cached_property
    def _city_keys(self) -> pl.DataFrame:
        """Columns key, city_found, country_found, region_found, coordinates, weight: every name of every city."""
        own = _long_names(self.cities.with_columns(aliases=pl.lit("")), ["city", "name_ru"], keep=_CITY_COLUMNS)
        aliases = _long_names(self.cities, [], keep=_CITY_COLUMNS)
        weighted = pl.concat(
            [
                own.with_columns(weight=pl.col("population").cast(pl.Float64), is_own=pl.lit(True)),
                aliases.with_columns(weight=pl.col("population") * _ALIAS_WEIGHT, is_own=pl.lit(False)),
            ]
        )
        return (
            weighted.with_columns(key=place_key(pl.col("name")))
            .filter(pl.col("key").str.len_chars() > 1)
            .sort("key", "country", "city", "weight", "latitude", descending=[False, False, False, True, False])
            .unique(["key", "country", "city", "region", "latitude"], keep="first", maintain_order=True)
            .select("key", "weight", "is_own", *(pl.col(name).alias(f"{name}_found") for name in OUTPUT_COLUMNS))
        )

    def _answers(self, distinct: pl.DataFrame) -> pl.DataFrame:
        """Columns id and *_found for each distinct input."""
        areas = self.areas.select(
            "area_id", *(pl.col(name).alias(f"area_{name}") for name in ("city", "region", "country")),
            *(pl.col(name).cast(pl.Float64).alias(f"area_{name}") for name in ("latitude", "longitude")),
        )  # fmt: skip
        all_rows = distinct.join(areas, on="area_id", how="left", maintain_order="left")
        # The area of a town determines everything.
        is_town = pl.col("area_city").is_not_null()
        of_towns = all_rows.filter(is_town).select(
            "id", *(pl.col(f"area_{name}").alias(f"{name}_found") for name in OUTPUT_COLUMNS)
        )
        return pl.concat([of_towns, self._searched(all_rows.filter(~is_town))])

    def _searched(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Like `_answers`, for rows whose area is not a town."""
        stated = self.country_code(rows["country"])
        # The country of the area wins over the stated one.
        rows = rows.with_columns(
            known_country=pl.coalesce("area_country", stated),
            known_region=pl.coalesce("area_region", "region"),
        )
        segments = self._segments(rows)
        hints = self._hints(rows, segments)
        cities = self._best_cities(rows, segments, hints=hints)
        trusted = hints.filter("is_trusted").join(self._city_segments(segments), on=["id", "position"], how="anti")
        regions = _first_by_position(trusted.filter(pl.col("region").is_not_null()))
        countries = _first_by_position(trusted)
        wider = segments.filter(pl.col("order") == 0).join(hints, on=["id", "position"]).select("id").unique()
        is_unknown_city = (place_key(pl.col("city")) != "") & pl.col("names_no_city").is_null()
        return (
            rows.join(cities, on="id", how="left")
            .join(regions.select("id", hint_region="region", hint_region_country="country"), on="id", how="left")
            .join(countries.select("id", hint_country="country"), on="id", how="left")
            .join(wider.with_columns(names_no_city=pl.lit(True)), on="id", how="left")
            .with_columns(country_found=pl.coalesce("known_country", "country_found", "hint_country"))
            .select(
                "id",
                pl.coalesce("city_found", pl.when(is_unknown_city).then("city")).alias("city_found"),
                pl.coalesce(
                    "region_found",
                    pl.when(pl.col("hint_region_country") == pl.col("country_found")).then("hint_region"),
                    pl.when(pl.col("region").str.len_chars() > 0).then("region"),
                ).alias("region_found"),
                "country_found",
                "latitude_found",
                "longitude_found",
            )
        )

    def _city_segments(self, segments: pl.DataFrame) -> pl.DataFrame:
        """Columns id, position of segments that are a city's own name; they are no evidence of a region."""
        own = self._city_keys.filter("is_own").select("key").unique()
        countries = self._country_keys.select("key")
        return segments.join(own, on="key", how="semi").join(countries, on="key", how="anti").select("id", "position")

    def _segments(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Columns id, position, is_stated, segment, key: the parts of city, region, country and text, in that order."""
        parts = [
            rows.select(
                "id",
                pl.lit(order).alias("order"),
                pl.col(column)
                .str.slice(0, _MAX_TEXT_LENGTH)
                .str.replace_all(_FLAG, ",$1$2,")
                .str.replace_many(_FLAG_LETTERS)
                .str.replace_all(f"(?i:{_SEPARATORS})", "\x1f")
                .str.replace_all(_PART_OF, "$0\x1f$1")
                .str.split("\x1f")
                .list.head(_MAX_SEGMENTS)
                .alias("segment"),
            )
            for order, column in enumerate(("city", "known_region", "text", "country"))
        ]
        return (
            pl.concat(parts)
            .explode("segment")
            .with_columns(pl.col("segment").str.strip_chars())
            .filter(pl.col("segment").str.len_chars() > 0)
            .with_columns(key=place_key(pl.col("segment")))
            .filter(pl.col("key").str.len_chars() > 0)
            .with_columns(position=pl.int_range(pl.len(), dtype=pl.Int32).over("id", order_by="order"))
        )

    def _hints(self, rows: pl.DataFrame, segments: pl.DataFrame) -> pl.DataFrame:
        """Columns id, position, country, region, is_trusted: the countries and regions that segments may mean.

        "CA" is California beside Los Angeles and Canada beside Toronto: both are hints, and the city decides. A code
        that no city confirms is trusted as a state if it follows another segment, and as a country if it is alone.
        """
        is_first = pl.col("position") == 0
        is_titled_code = pl.col("segment").str.contains(r"^[A-Z][a-z]$") & ~is_first  # "Santa Clara, Ca"
        capitals = pl.col("segment").str.contains(r"(?-u:\b)[A-Z]{2,3}(?-u:\b)") | is_titled_code
        as_regions = segments.join(self._region_keys, on="key").filter(~pl.col("is_code") | (capitals & ~is_first))
        as_countries = segments.join(self._country_keys, on="key").filter(
            ~pl.col("is_code") | capitals | (pl.col("order") == 3)
        )
        doubly = as_regions.filter("is_code").select("id", "position").unique().with_columns(is_state=pl.lit(True))
        columns = ("id", "position", "country", "region", "is_trusted")
        countries = as_countries.join(doubly, on=["id", "position"], how="left").with_columns(
            region=pl.lit(None, pl.String), is_trusted=pl.col("is_state").is_null()
        )
        both = pl.concat([countries.select(columns), as_regions.with_columns(is_trusted=pl.lit(True)).select(columns)])
        known = rows.select("id", "known_country")
        agreeing = both.join(known, on="id").filter(
            pl.col("known_country").is_null() | (pl.col("known_country") == pl.col("country"))
        )
        return agreeing.select(columns).sort("id", "position", "country", "region", nulls_last=True)

    def _best_cities(self, rows: pl.DataFrame, segments: pl.DataFrame, *, hints: pl.DataFrame) -> pl.DataFrame:
        """At most one city per id: the best by agreement with the rest of the input, position and size."""
        is_city = pl.col("order").is_in([0, 2])
        candidates = (
            segments.filter(is_city).join(self._city_keys, on="key").join(rows.select("id", "known_country"), on="id")
        )
        candidates = candidates.filter(
            pl.col("known_country").is_null() | (pl.col("known_country") == pl.col("country_found"))
        )
        # A segment that also names a country or region ("Mexico", "Georgia") is a city only under the city's own name.
        also = hints.select("id", "position").unique().with_columns(is_also_wider=pl.lit(True))
        candidates = candidates.join(also, on=["id", "position"], how="left").filter(
            pl.col("is_also_wider").is_null() | pl.col("is_own") | (pl.col("order") == 0)
        )
        agreement = (
            candidates.select("id", "position", "country_found", "region_found")
            .unique()
            .join(hints.rename({"position": "hint_position"}), on="id")
            .filter(pl.col("position") != pl.col("hint_position"))
            .with_columns(
                agrees=pl.col("country_found") == pl.col("country"),
                # "Berlin" is a region of Germany too; that must not favour Munich in "Berlin, Munich".
                agrees_closely=(pl.col("country_found") == pl.col("country"))
                & (pl.col("region").is_null() | (pl.col("region_found") == pl.col("region")).fill_null(False)),
                agrees_region=(pl.col("country_found") == pl.col("country"))
                & (pl.col("region_found") == pl.col("region")).fill_null(False),
            )
            .group_by("id", "position", "country_found", "region_found")
            .agg(pl.col("agrees", "agrees_closely", "agrees_region").any())
        )
        return (
            candidates.join(
                agreement, on=["id", "position", "country_found", "region_found"], how="left", nulls_equal=True
            )
            .filter(pl.col("agrees").is_null() | pl.col("agrees"))
            .sort(
                pl.col("id"),
                pl.col("agrees_closely").fill_null(False).not_(),
                pl.col("position"),
                pl.col("agrees_region").fill_null(False).not_(),
                pl.col("weight").neg(),
                pl.col("country_found"),
                pl.col("city_found"),
                pl.col("latitude_found"),
            )
            .unique("id", keep="first", maintain_order=True)
            .select("id", *(f"{name}_found" for name in OUTPUT_COLUMNS))
        )


_CITY_COLUMNS = ("city", "region", "country", "population", "latitude", "longitude")


def is_on_earth() -> pl.Expr:
    """Whether `latitude` and `longitude` are degrees of a point; null or false where one is null or out of range."""
    return pl.col("latitude").is_between(-90, 90) & pl.col("longitude").is_between(-180, 180)


def place_key(names: pl.Expr) -> pl.Expr:
    """Key of a place's name: lower case, ё as е, without accents, punctuation and words such as "city of"."""
    key = (
        names.fill_null("")
        .str.normalize("NFKD")
        .str.replace_all(r"\p{Mn}", "")
        .str.to_lowercase()
        .str.replace_all(r"['’ʻ`‘]", "")
        .str.replace_all(r"[^\p{L}\p{N}]+", " ")
        .str.replace_all(" ", "  ")
    )
    key = pl.format(" {} ", key).str.replace_all(_AROUND, " ").str.replace_all(r" +", " ")
    for short, full in _SHORTENED:
        key = key.str.replace_all(short, full, literal=True)
    return key.str.strip_chars()


def _long_names(frame: pl.DataFrame, columns: Sequence[str], *, keep: Sequence[str]) -> pl.DataFrame:
    """One row per non-empty name: the named columns and each of `aliases`, beside the columns to keep."""
    parts = [frame.select(*keep, pl.col(column).cast(pl.String).alias("name")) for column in columns]
    aliases = frame.select(*keep, pl.col("aliases").fill_null("").str.split("|").alias("name")).explode("name")
    return pl.concat([*parts, aliases]).filter(pl.col("name").str.len_chars() > 0)


def _first_by_position(hints: pl.DataFrame) -> pl.DataFrame:
    ordered = hints.sort("id", "position", "country", "region", nulls_last=True)
    return ordered.unique("id", keep="first", maintain_order=True)


def _read_text_table(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def _column(frame: pl.DataFrame, name: str, dtype: type[pl.DataType]) -> pl.Expr:
    return (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
