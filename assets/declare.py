"""How every asset is declared: key, group, kinds, tags, owner, storage, columns, version, and how long it took."""

import time
from collections.abc import Callable, Iterable
from functools import wraps
from types import FunctionType
from typing import Any, Literal, cast

import dagster as dg

from assets.code_versions import code_version
from assets.io import TABLES, column_schema

_GROUPS = {"bronze": "ingest"}  # every other group has the name of its stage


def asset(
    key: str,
    *,
    inputs: Iterable[str] = (),
    deps: Iterable[str] = (),
    kinds: Iterable[str] = ("polars",),
    kept_by: Literal["lake_io", "model_io"] | None = "lake_io",
    partitions_def: dg.PartitionsDefinition | None = None,
) -> Callable[[Callable[..., dg.Output[Any]]], dg.AssetsDefinition]:
    """Declares the asset `key` ("stage/name").

    Its function receives each of `inputs` as the argument of that name, and loads `deps` itself. An asset kept by
    "lake_io" is the lake table of its name. The seconds of the function are added to the metadata.
    """
    stage, name = key.split("/")
    is_table = kept_by == "lake_io"

    def declare(function: Callable[..., dg.Output[Any]]) -> dg.AssetsDefinition:
        return dg.asset(
            key=[stage, name],
            ins={one.split("/")[1]: dg.AssetIn(key=one.split("/")) for one in inputs},
            deps=[dg.AssetKey(one.split("/")) for one in deps],
            group_name=_GROUPS.get(stage, stage),
            kinds={*kinds, "parquet"} if is_table else set(kinds),
            owners=["team:jobfeed"],
            io_manager_key=kept_by,
            partitions_def=partitions_def,
            metadata={"dagster/column_schema": column_schema(TABLES[name])} if is_table else None,
            tags={"jobfeed/layer": stage, "jobfeed/personal": "yes" if is_table and TABLES[name].personal else "no"},
            code_version=code_version(cast(FunctionType, function)),
        )(_timed(function))

    return declare


def _timed(function: Callable[..., dg.Output[Any]]) -> Callable[..., dg.Output[Any]]:
    @wraps(function)
    def timed(*arguments: Any, **inputs: Any) -> dg.Output[Any]:
        started = time.perf_counter()
        output = function(*arguments, **inputs)
        seconds = round(time.perf_counter() - started, 3)
        return output.with_metadata({**output.metadata, "seconds": seconds})

    return timed
