"""Adds the areas that HeadHunter's API knows to the shipped areas.csv. Places are looked up in places."""

import polars as pl


def completed(shipped: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
    """`shipped` (columns of areas.csv) with the areas that only `fetched` (HH_AREAS) has, and with the names of towns
    that have only an id in the shipped table.

    A new area lies in the country and region of its nearest shipped ancestor. If it has coordinates and no area below
    it, it is a town. Shipped data of a town are never replaced.
    """
    if fetched.is_empty():
        return shipped
    parents = dict(shipped.select("area_id", "parent_id").iter_rows()) | dict(
        fetched.select("area_id", "parent_id").iter_rows()
    )
    known = {row["area_id"]: row for row in shipped.iter_rows(named=True)}
    inner = set(parents.values())
    rows = [
        _completed_row(area, known, parents, is_town=area["area_id"] not in inner)
        for area in _incomplete(shipped, fetched).iter_rows(named=True)
    ]
    if not rows:
        return shipped
    fresh = pl.DataFrame(rows, schema=shipped.schema)
    kept = shipped.join(fresh, on="area_id", how="anti", maintain_order="left")
    return pl.concat([kept, fresh])


def _incomplete(shipped: pl.DataFrame, fetched: pl.DataFrame) -> pl.DataFrame:
    """The rows of `fetched` with unknown ids, or with coordinates of areas that are shipped without a name."""
    has_point = pl.col("latitude").is_not_null()
    named = shipped.select("area_id", is_named=pl.col("name_en").is_not_null() | pl.col("city").is_not_null())
    return fetched.join(named, on="area_id", how="left", maintain_order="left").filter(
        pl.col("is_named").is_null() | (has_point & ~pl.col("is_named"))
    )


def _completed_row(
    area: dict[str, object],
    known: dict[str, dict[str, object]],
    parents: dict[str, str | None],
    *,
    is_town: bool,
) -> dict[str, object]:
    above = _nearest_known(str(area["area_id"]), known, parents)
    is_town = is_town and area["latitude"] is not None and above.get("country") is not None
    text = {name: None if area[name] is None else str(area[name]) for name in ("latitude", "longitude")}
    return {
        "area_id": area["area_id"],
        "parent_id": area["parent_id"],
        "country": above.get("country"),
        "region": above.get("region"),
        "city": area["name"] if is_town else None,
        "name_ru": area["name"],
        "name_en": None,
        **(text if is_town else {"latitude": None, "longitude": None}),
    }


def _nearest_known(
    area_id: str, known: dict[str, dict[str, object]], parents: dict[str, str | None]
) -> dict[str, object]:
    """The row of the area or of its nearest known ancestor; empty if there is none."""
    here: str | None = area_id
    for _ in range(10):  # deeper than any real tree; a broken one may have a cycle
        if here is None:
            break
        if here in known:
            return known[here]
        here = parents.get(here)
    return {}
