"""Compares two tables of one schema by their key, column by column, also inside lists and structs."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import polars as pl

# Of floats, relative above 1. Components are rounded to four decimals: a last bit may move one by 1e-4.
TOLERANCE = 1.5e-4
_OTHER = "_other"


def differences(
    found: pl.DataFrame, expected: pl.DataFrame, key: Sequence[str], *, ignored: Collection[str] = ()
) -> Mapping[str, int]:
    """What differs, and in how many rows: "missing", "unexpected", "repeated keys", or the path of a column.

    A path such as `items.score` names a field of the structs in a list, where the rows are elements of lists. What is
    `ignored` is not compared; a key column that is, is no part of the key.
    """
    kept_key = [name for name in key if name not in ignored]
    for frame in (found, expected):
        n_repeated = int(frame.select(pl.struct(kept_key).is_duplicated().sum()).item()) if len(frame) else 0
        if n_repeated:
            return {"repeated keys": n_repeated}
    # Fields of structs may have the names of key columns.
    names = {name: f"_key_{number}" for number, name in enumerate(kept_key)}
    one, other = (frame.rename(names) for frame in (found, expected))
    counts = _of_rows(one, other, list(names.values()), ignored, prefix="")
    return {path: n for path, n in counts if n and path not in ignored}


def _of_rows(
    found: pl.DataFrame, expected: pl.DataFrame, key: list[str], ignored: Collection[str], *, prefix: str
) -> Iterator[tuple[str, int]]:
    yield f"{prefix}missing", len(expected.join(found, on=key, how="anti", nulls_equal=True))
    yield f"{prefix}unexpected", len(found.join(expected, on=key, how="anti", nulls_equal=True))
    for name in found.columns:
        path = f"{prefix}{name}"
        if name not in key and path not in ignored:
            one, other = found.select(*key, name), expected.select(*key, pl.col(name).alias(_OTHER))
            yield from _of_pairs(one.join(other, on=key, how="inner", nulls_equal=True), name, key, ignored, path)


def _of_pairs(
    pairs: pl.DataFrame, name: str, key: list[str], ignored: Collection[str], path: str
) -> Iterator[tuple[str, int]]:
    """What differs between the columns `name` and _OTHER of rows of the same key."""
    dtype = pairs.schema[name]
    one, other = pl.col(name), pl.col(_OTHER)
    if isinstance(dtype, pl.Array):
        pairs = pairs.with_columns(pl.col(name, _OTHER).arr.to_list())
    if isinstance(dtype, pl.Array | pl.List | pl.Struct):
        yield path, int((pairs[name].is_null() != pairs[_OTHER].is_null()).sum())
        sides = [pairs.select(*key, side.alias(name)) for side in (one, other)]
        if isinstance(dtype, pl.Struct):
            fields = [side.filter(one.is_not_null()).unnest(name) for side in sides]
            yield from _of_rows(*fields, key, ignored, prefix=f"{path}.")
            return
        position = f"_key_{len(key)}"
        elements = [_elements(side, name, position) for side in sides]
        yield from _of_rows(*elements, [*key, position], ignored, prefix=f"{path}.")
        return
    is_equal = one.eq_missing(other)
    if dtype.is_float():
        scale = pl.max_horizontal(one.abs(), other.abs(), pl.lit(1.0))
        is_equal = is_equal | ((one - other).abs() <= TOLERANCE * scale).fill_null(value=False)
    yield path, int(pairs.select((~is_equal).sum()).item())


def _elements(rows: pl.DataFrame, name: str, position: str) -> pl.DataFrame:
    """The elements of the lists in the column `name`, numbered by `position`; structs as columns."""
    n = pl.col(name).list.len()
    long = rows.filter(n > 0).with_columns(pl.int_ranges(0, n).alias(position)).explode(name, position)
    return long.unnest(name) if isinstance(long.schema[name], pl.Struct) else long.rename({name: "element"})
