"""The files of `training/text_embeddings`: embeds new texts, removes unused ones, merges small files.

Personal texts of users have a partition of their own: once a user's text is gone, its vector must be removed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.lake import Lake
from features.schemas.training import TEXT_EMBEDDINGS
from models.fitting.embeddings import Embedder, embed, model_identity, text_hashes

STAGE = "training"
SHARED, PERSONAL = "shared", "personal"
# A file is rewritten when a greater share of its texts is unused. One unused personal text is enough.
_UNUSED_SHARE = {SHARED: 0.5, PERSONAL: 0.0}
# So many new texts are embedded (some seconds) and then stored: a run that is killed loses no more.
_SAVED_TEXTS = 8_192
_SMALL_ROWS = 25_000
_MAX_SMALL_FILES = 24

OnPart = Callable[[int, int], None]  # texts done, texts in all


@dataclass(frozen=True)
class StoredTexts:
    """Numbers of wanted texts, of new ones among them, and of stored vectors that were removed."""

    n_wanted: int
    n_new: int
    n_dropped: int


def keep_embeddings(
    lake: Lake, partition: str, texts: pl.Series, *, model: str, load: Callable[[], Embedder], on_part: OnPart
) -> StoredTexts:
    """Stores a vector for each of the distinct `texts` in `partition`, some thousand at a time.

    `load` is called only if one is missing. `on_part` receives the number of new texts done and of all.
    """
    hashes = text_hashes(model_identity(model), texts)
    wanted = pl.DataFrame({"text": texts, "text_hash": hashes})
    with lake.lock(f"{STAGE}/{TEXT_EMBEDDINGS.name}"):
        known = _scan(_files(lake, partition)).select("text_hash").collect()
        missing = wanted.join(known, on="text_hash", how="anti").sort("text_hash")["text"]
        if len(missing):
            _embed(lake, partition, missing, load(), on_part)
        n_dropped = _drop_unused(lake, partition, wanted.select("text_hash"))
        _merge_small_files(lake, partition)
    return StoredTexts(len(wanted), len(missing), n_dropped)


def _embed(lake: Lake, partition: str, texts: pl.Series, embedder: Embedder, on_part: OnPart) -> None:
    for start in range(0, len(texts), _SAVED_TEXTS):
        made = embed(texts.slice(start, _SAVED_TEXTS), embedder)
        lake.append(STAGE, TEXT_EMBEDDINGS, made, partition=partition)
        on_part(start + len(made), len(texts))


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
