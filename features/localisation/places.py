"""Names of places in the languages of readers. What has no name in a language keeps its own."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

PLACE = "place"  # the kind of the rows of `display_names`


def town_names(jobs: pl.LazyFrame) -> pl.DataFrame:
    """Russian names, as rows of `display_names`, of the towns of `jobs` (city, city_ru): reasons name no country.

    Of two towns with one name the one with more jobs decides.
    """
    named = (
        jobs.filter(pl.col("city").is_not_null() & pl.col("city_ru").is_not_null())
        .group_by("city", "city_ru")
        .len()
        .sort("len", "city_ru", descending=[True, False])
        .unique("city", keep="first", maintain_order=True)
        .select("city", "city_ru")
        .collect()
    )
    return named.select(kind=pl.lit(PLACE), name="city", language=pl.lit("ru"), text="city_ru").sort("name")


@dataclass(frozen=True)
class PlaceNames:
    """Russian names of towns (city, country, region, city_ru) and of regions (country, region, region_ru)."""

    towns: pl.DataFrame
    regions: pl.DataFrame

    @classmethod
    def load(cls, folder: Path) -> "PlaceNames":
        """Reads the gazetteer in `folder`. Where a country has two towns of one name, the region tells them apart."""
        columns = ["city", "country", "region", "name_ru"]
        towns = pl.scan_parquet(folder / "places.parquet").sort("population", descending=True).select(columns).collect()
        areas = pl.read_csv(folder / "areas.csv", infer_schema=False).select(columns)
        known = pl.concat([towns, areas]).filter(pl.col("city").is_not_null() & pl.col("name_ru").is_not_null())
        regions = pl.read_csv(folder / "regions.csv", infer_schema=False).select(
            "country", "region", region_ru="name_ru"
        )
        key = ["city", "country", "region"]
        return cls(known.unique(key, keep="first", maintain_order=True).rename({"name_ru": "city_ru"}), regions)

    def of(self, places: pl.DataFrame) -> pl.DataFrame:
        """Columns city_ru and region_ru of `places` (city, region, country); null where no name is known."""
        by_country = self.towns.group_by("city", "country", maintain_order=True).agg(
            largest=pl.col("city_ru").first(), is_alone=pl.col("city_ru").n_unique() == 1
        )
        joined = (
            places.select("city", "region", "country")
            .join(self.towns, on=["city", "country", "region"], how="left", maintain_order="left")
            .join(by_country, on=["city", "country"], how="left", maintain_order="left")
            .join(self.regions, on=["country", "region"], how="left", maintain_order="left")
        )
        elsewhere = pl.when(pl.col("region").is_null() | pl.col("is_alone")).then("largest")
        return joined.select(pl.coalesce("city_ru", elsewhere).alias("city_ru"), "region_ru")
