"""HeadHunter's tree of areas as its API tells it, laid over the shipped areas.csv. No place is looked up here."""

import polars as pl


def completed(shipped: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """`shipped` (columns of areas.csv) with what only `told` (HH_AREAS) knows: areas of their own, and towns that have
    an id alone in the shipped table.

    An area that is told and not shipped lies in the country and region of the nearest area above it that is shipped.
    One with nothing below it and with coordinates is a town of the told name; what is shipped of a town stays.
    """
    if told.is_empty():
        return shipped
    parents = dict(shipped.select("area_id", "parent_id").iter_rows()) | dict(
        told.select("area_id", "parent_id").iter_rows()
    )
    known = {row["area_id"]: row for row in shipped.iter_rows(named=True)}
    inner = set(parents.values())
    rows = [
        _completed_row(area, known, parents, is_town=area["area_id"] not in inner)
        for area in _incomplete(shipped, told).iter_rows(named=True)
    ]
    if not rows:
        return shipped
    fresh = pl.DataFrame(rows, schema=shipped.schema)
    kept = shipped.join(fresh, on="area_id", how="anti", maintain_order="left")
    return pl.concat([kept, fresh])


def _incomplete(shipped: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """The rows of `told` that add something: of unknown ids, and with coordinates where none are shipped."""
    has_point = pl.col("latitude").is_not_null()
    named = shipped.select("area_id", is_named=pl.col("name_en").is_not_null() | pl.col("city").is_not_null())
    return told.join(named, on="area_id", how="left", maintain_order="left").filter(
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
    """The row of the area itself or of the nearest one above it that is known; empty if none is."""
    here: str | None = area_id
    for _ in range(10):  # deeper than any tree; a broken one may have a circle
        if here is None:
            break
        if here in known:
            return known[here]
        here = parents.get(here)
    return {}
