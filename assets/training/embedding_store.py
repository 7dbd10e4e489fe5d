"""The files of `training/text_embeddings`: embeds new texts, removes unused ones, merges small files.

Personal texts of users have a partition of their own: once a user's text is gone, its vector must be removed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from assets.lake import Lake
from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.embeddings import Embedder, embed

STAGE = "training"
SHARED, PERSONAL = "shared", "personal"
# A file is rewritten when a greater share of its texts is unused. One unused personal text is enough.
_UNUSED_SHARE = {SHARED: 0.5, PERSONAL: 0.0}
# So many new texts are embedded and then stored: a run that is killed loses no more. The shipped encoder takes some
# seconds for them; where the time is limited, they are as many as take _STEP_SECONDS.
_SAVED_TEXTS = 8_192
_FIRST_TEXTS, _STEP_SECONDS = 128, 10.0
_SMALL_ROWS = 25_000
_MAX_SMALL_FILES = 24

OnPart = Callable[[int, int], None]  # texts done, texts in all


class Added(NamedTuple):
    """Numbers of texts that got a vector, and of those that still lack one."""

    n_new: int
    n_left: int


def add_embeddings(
    lake: Lake,
    partition: str,
    keyed: pl.DataFrame,
    *,
    load: Callable[[], Embedder],
    on_part: OnPart,
    seconds_left: Callable[[], float] | None = None,
) -> Added:
    """Stores a vector for each of KEYED_TEXTS in `partition`, some thousand at a time.

    `load` is called only if one is missing. `on_part` receives the number of new texts done and of all. With
    `seconds_left`, it ends when none is left.
    """
    with lake.lock(f"{STAGE}/{TEXT_EMBEDDINGS.name}"):
        _convert_arrays(lake, partition)
        missing = missing_texts(lake, partition, keyed)
        if missing.is_empty() or (seconds_left is not None and seconds_left() <= 0):
            return Added(0, len(missing))
        embedder = load()
        if seconds_left is None:
            n_done = _embed(lake, partition, missing, embedder, on_part)
        else:
            n_done = _embed_within(lake, partition, missing, embedder, on_part, seconds_left)
        return Added(n_done, len(missing) - n_done)


def missing_texts(lake: Lake, partition: str, keyed: pl.DataFrame) -> pl.DataFrame:
    """Those of KEYED_TEXTS that have no vector in `partition`."""
    known = _scan(_files(lake, partition)).select("text_hash").collect()
    return keyed.join(known, on="text_hash", how="anti").sort("text_hash")


def tidy_embeddings(lake: Lake, partition: str, used: pl.DataFrame) -> int:
    """Removes vectors whose `text_hash` is not in `used`, and merges small files. Returns how many were removed."""
    with lake.lock(f"{STAGE}/{TEXT_EMBEDDINGS.name}"):
        n_dropped = _drop_unused(lake, partition, used.select("text_hash"))
        _merge_small_files(lake, partition)
    return n_dropped


def _embed(lake: Lake, partition: str, texts: pl.DataFrame, embedder: Embedder, on_part: OnPart) -> int:
    for start in range(0, len(texts), _SAVED_TEXTS):
        made = embed(texts.slice(start, _SAVED_TEXTS), embedder)
        lake.append(STAGE, TEXT_EMBEDDINGS, made, partition=partition)
        on_part(start + len(made), len(texts))
    return len(texts)


def _embed_within(
    lake: Lake,
    partition: str,
    texts: pl.DataFrame,
    embedder: Embedder,
    on_part: OnPart,
    seconds_left: Callable[[], float],
) -> int:
    done, size, left = 0, _FIRST_TEXTS, seconds_left()
    while done < len(texts) and left > 0:
        made = embed(texts.slice(done, size), embedder)
        lake.append(STAGE, TEXT_EMBEDDINGS, made, partition=partition)
        done += len(made)
        on_part(done, len(texts))
        before, left = left, seconds_left()
        in_time = len(made) * min(_STEP_SECONDS, max(left, 1)) / max(before - left, 1e-3)
        size = max(_FIRST_TEXTS, min(_SAVED_TEXTS, round(in_time)))
    return done


def _convert_arrays(lake: Lake, partition: str) -> None:
    """Earlier versions stored vectors of one fixed length, as another type; the vectors stay as they are."""
    for path in _files(lake, partition):
        if isinstance(pl.read_parquet_schema(path)["vector"], pl.Array):
            _replace(lake, partition, [path], pl.read_parquet(path).cast(pl.Schema(TEXT_EMBEDDINGS.columns)))


def _files(lake: Lake, partition: str) -> list[Path]:
    return sorted((lake.folder(STAGE, TEXT_EMBEDDINGS.name) / partition).glob("part-*.parquet"))


def _scan(files: list[Path]) -> pl.LazyFrame:
    return pl.scan_parquet(files, hive_partitioning=False, glob=False) if files else TEXT_EMBEDDINGS.empty().lazy()


def _drop_unused(lake: Lake, partition: str, wanted: pl.DataFrame) -> int:
    n_dropped = 0
    for path in _files(lake, partition):
        stored = _scan([path]).select("text_hash").collect()
        n_unused = len(stored.join(wanted, on="text_hash", how="anti"))
        if n_unused > _UNUSED_SHARE[partition] * len(stored):
            used = _scan([path]).join(wanted.lazy(), on="text_hash", how="semi", maintain_order="left").collect()
            _replace(lake, partition, [path], used)
            n_dropped += n_unused
    return n_dropped


def _merge_small_files(lake: Lake, partition: str) -> None:
    """Hourly runs leave many small files, and every reader opens all of them."""
    sizes = {path: int(_scan([path]).select(pl.len()).collect().item()) for path in _files(lake, partition)}
    small = [path for path, n_rows in sizes.items() if n_rows < _SMALL_ROWS]
    if len(small) > _MAX_SMALL_FILES:
        merged = _scan(small).unique("text_hash", keep="any").sort("text_hash").collect()
        _replace(lake, partition, small, merged)


def _replace(lake: Lake, partition: str, old: list[Path], rows: pl.DataFrame) -> None:
    """Writes before it removes: a crash in between leaves rows twice, and readers drop repeated ones."""
    new = lake.append(STAGE, TEXT_EMBEDDINGS, rows.select(list(TEXT_EMBEDDINGS.columns)), partition=partition)
    for path in old:
        if path != new:
            path.unlink(missing_ok=True)
