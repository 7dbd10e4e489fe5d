"""Look-up values as plain values, without the text ids, which differ from generation to generation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from serving.contract.feed_codec import COMPONENT_STEPS, PACKED_COMPONENTS, UNKNOWN_COMPONENT, decode_feed
from serving.contract.tables import COMPONENTS
from serving.contract.text_tables import load_text_table, text_ids_path

Names = Mapping[str, Mapping[int, Sequence[Any]]]


def names_of(folder: Path) -> Names:
    """Text id -> what it is, in a generation: jobs are (job_id,), reasons (code, ref, value, names_job)."""
    lookup = orjson.loads((folder / "manifest.json").read_bytes())["lookup"]
    found: dict[str, dict[int, Sequence[Any]]] = {}
    for kind in ("jobs", "reasons"):
        paths = [Path(text_ids_path(str(folder / file["path"]))) for file in lookup[kind]]
        rows = [row for path in reversed(paths) for row in pl.read_parquet(path).iter_rows()]
        found[kind] = {number: rest for number, *rest in rows}
    return found


def unpacked_feed(packed: bytes | memoryview, names: Names) -> list[Any]:
    """[generated_at, recipe, arm, source, [[job_id, score, confidence, percent, flags, propensity, reasons], …]]."""
    head, decoded = decode_feed(packed)
    items = []
    for item in decoded:
        reasons = []
        for text_id, named in item.reasons:
            code, ref, value, _ = names["reasons"][text_id]
            if named is not None:
                [ref] = names["jobs"][named]
            reasons.append([code, ref, value])
        [job_id] = names["jobs"].get(item.job, (None,))
        items.append([job_id, item.score, item.confidence, item.percent, item.flags, item.propensity, reasons])
    return [*orjson.loads(b"{" + head + b"}").values(), items]


def plain_value(key: bytes, value: bytes, folder: Path, names: Names) -> Any:
    """A look-up value without text ids."""
    kind = key.split(b":")[0]
    if kind in (b"feed", b"fallback"):
        return unpacked_feed(value, names)
    if kind == b"components":
        return _unpacked_components(value)
    if kind == b"job":
        lookup = orjson.loads((folder / "manifest.json").read_bytes())["lookup"]["jobs"]
        return load_text_table([folder / file["path"] for file in lookup], "jobs").card(int(value))
    return orjson.loads(value)


def _unpacked_components(packed: bytes) -> list[list[float | None]]:
    """The component values of a feed's first items by rank, in the order of COMPONENTS; None where unknown."""
    steps = np.frombuffer(packed, "<u2", offset=len(PACKED_COMPONENTS)).tolist()
    values = [round(step / COMPONENT_STEPS, 4) if step != UNKNOWN_COMPONENT else None for step in steps]
    return [values[first : first + len(COMPONENTS)] for first in range(0, len(values), len(COMPONENTS))]
