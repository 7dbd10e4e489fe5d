"""How an asset that computes one lake table in one go is declared, and what it tells of itself besides its rows."""

import time
from collections.abc import Callable
from typing import Any

import dagster as dg

TableFunction = Callable[..., dg.Output[Any]]


def table_asset(
    layer: str, name: str, *, inputs: dict[str, tuple[str, str]], kinds: frozenset[str] = frozenset({"polars"})
) -> Callable[[TableFunction], dg.AssetsDefinition]:
    """Declares `<layer>/<name>`; its function takes the tables in `inputs` (argument: layer, table) as LazyFrames."""
    return dg.asset(
        key=[layer, name],
        ins={argument: dg.AssetIn(key=list(key)) for argument, key in inputs.items()},
        group_name=layer,
        kinds={*kinds, "parquet"},
        owners=["team:jobfeed"],
        io_manager_key="lake_io",
        code_version="1",
    )


def counts_and_seconds(started: float, **counts: int) -> dict[str, dg.MetadataValue[Any]]:
    """Metadata: the counts, and the seconds since `started`, a reading of `time.perf_counter`."""
    return {
        **{name: dg.MetadataValue.int(int(count)) for name, count in counts.items()},
        "seconds": dg.MetadataValue.float(round(time.perf_counter() - started, 3)),
    }
