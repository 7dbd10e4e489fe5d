"""Updates catalog/job_versions: normalises new posting versions only, by features.jobs.postings."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assets.lake import Lake
from assets.parts import MAX_PARTS, WIDE_PART_ROWS
from features.jobs.postings import NORMALISER_VERSION, Vocabulary, normalise
from features.schemas.bronze import HH_AREAS, HH_RATES
from features.schemas.catalog import JOB_VERSIONS

# Bounds the memory of one step: about 150 MB of text and as much again in between.
BATCH_ROWS = 20_000
_STAGE = "catalog"


@dataclass(frozen=True)
class Normalised:
    """The result of one run: versions in the table, and new ones among them."""

    n_rows: int
    n_new: int
    normaliser: str


def normaliser_name(vocabulary: Path) -> str:
    """The version of the code and of the vocabulary files; versions of another name are normalised again."""
    digest = hashlib.blake2b(digest_size=6)
    for path in sorted(p for p in vocabulary.rglob("*") if p.is_file()):
        digest.update(path.relative_to(vocabulary).as_posix().encode() + b"\0")
        digest.update(hashlib.blake2b(path.read_bytes()).digest())
    return f"v{NORMALISER_VERSION}-{digest.hexdigest()}"


def normalise_new(lake: Lake, postings: list[pl.LazyFrame], *, vocabulary: Path) -> Normalised:
    """Appends the versions of `postings` (tables of POSTINGS) that job_versions lacks, in batches.

    Versions of an older normaliser stay readable until all new ones are written; then they are removed.
    """
    name = normaliser_name(vocabulary)
    with lake.lock("catalog/job_versions"):
        known = current_versions(lake, name).select("job_id", "content_hash").unique().collect()
        missing = _missing(postings, known)
        if missing.height:
            _append_batches(lake, postings, missing, vocabulary=vocabulary, normaliser=name)
        _drop_others(lake.folder(_STAGE, JOB_VERSIONS.name), keep=_partition(name))
    lake.compact(_STAGE, JOB_VERSIONS, more_than=MAX_PARTS, partition=_partition(name), most_rows=WIDE_PART_ROWS)
    return Normalised(n_rows=known.height + missing.height, n_new=missing.height, normaliser=name)


def current_versions(lake: Lake, normaliser: str) -> pl.LazyFrame:
    """The versions of this normaliser; an interrupted run may have left those of another."""
    return lake.scan(_STAGE, JOB_VERSIONS).filter(pl.col("normaliser") == normaliser)


def _missing(postings: list[pl.LazyFrame], known: pl.DataFrame) -> pl.DataFrame:
    """Columns table (index into `postings`), job_id, content_hash of versions to normalise, each once."""
    keys = [
        frame.select("job_id", "content_hash", "seen_at").with_columns(table=pl.lit(i, pl.Int32))
        for i, frame in enumerate(postings)
    ]
    return (
        pl.concat(keys)
        .join(known.lazy(), on=["job_id", "content_hash"], how="anti")
        .sort("seen_at", "table", "job_id", "content_hash")
        .unique(["job_id", "content_hash"], keep="first", maintain_order=True)
        .select("table", "job_id", "content_hash")
        .collect()
    )


def _append_batches(
    lake: Lake, postings: list[pl.LazyFrame], missing: pl.DataFrame, *, vocabulary: Path, normaliser: str
) -> None:
    words = vocabulary_of(lake, vocabulary)
    for table, frame in enumerate(postings):
        wanted = missing.filter(pl.col("table") == table)
        for batch in wanted.iter_slices(BATCH_ROWS):
            rows = (
                frame.join(batch.lazy().select("job_id", "content_hash"), on=["job_id", "content_hash"], how="semi")
                .sort("job_id", "content_hash", "seen_at", "origin")
                .unique(["job_id", "content_hash"], keep="first", maintain_order=True)
                .collect()
            )
            lake.append(
                _STAGE,
                JOB_VERSIONS,
                normalise(rows, vocabulary=words, normaliser=normaliser),
                partition=_partition(normaliser),
            )


def vocabulary_of(lake: Lake, folder: Path) -> Vocabulary:
    """The shipped vocabulary, completed by the newest dictionaries of HH's API.

    They are not part of the normaliser's name: they only add to the shipped vocabulary, and are fetched before HH's
    vacancies. Older versions stay as they were normalised.
    """
    return Vocabulary.load(folder).completed_by(
        lake.scan("bronze", HH_AREAS).collect(), lake.scan("bronze", HH_RATES).collect()
    )


def _partition(normaliser: str) -> str:
    return f"normaliser={normaliser}"


def _drop_others(folder: Path, *, keep: str) -> None:
    for path in folder.glob("normaliser=*"):
        if path.is_dir() and path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
