"""Packed feeds read value by value: a slow, plain version of what the service does in compiled code."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from serving.contract.feed_codec import COMPONENT_STEPS, PACKED_COMPONENTS, UNKNOWN_COMPONENT
from serving.contract.tables import COMPONENTS
from serving.contract.text_tables import text_ids_path
from serving.service.text_tables import load_text_table

Names = Mapping[str, Mapping[int, Sequence[Any]]]


def names_of(folder: Path) -> Names:
    """What has which number in a generation: jobs are (job_id,), reasons (code, ref, value, names_job)."""
    lookup = orjson.loads((folder / "manifest.json").read_bytes())["lookup"]
    found: dict[str, dict[int, Sequence[Any]]] = {}
    for kind in ("jobs", "reasons"):
        paths = [Path(text_ids_path(str(folder / file["path"]))) for file in lookup[kind]]
        rows = [row for path in reversed(paths) for row in pl.read_parquet(path).iter_rows()]
        found[kind] = {number: rest for number, *rest in rows}
    return found


def unpacked_feed(packed: bytes | memoryview, names: Names) -> list[Any]:
    """[generated_at, recipe, arm, source, [[job_id, score, confidence, percent, flags, propensity, reasons], …]]."""
    data = bytes(packed)
    mark, _, n_items, n_head_bytes = struct.unpack_from("<ccHH", data)
    assert mark == b"F"
    head = orjson.loads(b"{" + data[6 : 6 + n_head_bytes] + b"}")
    at = 6 + n_head_bytes
    items = []
    for _ in range(n_items):
        job, score, propensity, confidence, percent, flags = struct.unpack_from("<IIIHBB", data, at)
        at += 16
        reasons = []
        for _ in range(flags >> 2):
            (number,) = struct.unpack_from("<I", data, at)
            at += 4
            code, ref, value, _ = names["reasons"][number & 0x7FFF_FFFF]
            if number >> 31:
                (named,) = struct.unpack_from("<I", data, at)
                at += 4
                [ref] = names["jobs"][named]
            reasons.append([code, ref, value])
        [job_id] = names["jobs"].get(job, (None,))
        items.append([job_id, score / 1e6, confidence / 1e4, percent, flags & 3, propensity / 1e6, reasons])
    assert at == len(data)
    return [*head.values(), items]


def unpacked_components(value: bytes) -> list[list[float | None]]:
    """The values of a feed's first items by rank, each item's in the order of COMPONENTS, None where unknown."""
    n_values = (len(value) - len(PACKED_COMPONENTS)) // 2
    steps = struct.unpack_from(f"<{n_values}H", value, len(PACKED_COMPONENTS))
    values = [round(step / COMPONENT_STEPS, 4) if step != UNKNOWN_COMPONENT else None for step in steps]
    return [values[first : first + len(COMPONENTS)] for first in range(0, n_values, len(COMPONENTS))]


def plain_value(key: bytes, value: bytes, folder: Path, names: Names) -> Any:
    """A look-up value without numbers: they differ from generation to generation."""
    kind = key.split(b":")[0]
    if kind in (b"feed", b"fallback"):
        return unpacked_feed(value, names)
    if kind == b"components":
        return unpacked_components(value)
    if kind == b"job":
        lookup = orjson.loads((folder / "manifest.json").read_bytes())["lookup"]["jobs"]
        *changes, base = [folder / file["path"] for file in lookup]
        return load_text_table(base, changes[0] if changes else None, "jobs").card(int(value))
    return orjson.loads(value)
