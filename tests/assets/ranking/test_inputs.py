from pathlib import Path

import polars as pl

from assets.lake import Lake
from assets.ranking.inputs import lake_tables
from features.schemas.features import PREFERENCES


def test_tolerances_take_no_part_in_ranking(tmp_path: Path) -> None:
    rows = [("skill", "Python"), ("salary_tolerance", "0.85"), ("distance_tolerance", "40")]
    learned = PREFERENCES.conform(pl.DataFrame(rows, schema=["dimension", "value"], orient="row"))
    Lake(tmp_path).replace("features", PREFERENCES, learned)
    assert lake_tables(Lake(tmp_path)).preferences.collect()["value"].to_list() == ["Python"]
