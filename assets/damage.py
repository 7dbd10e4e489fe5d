"""Damaged files of lake and models: finds them, sets them aside, and sees to it that they are made anew.

Called when a step failed. A damaged file would stop every later run as well. What is computed comes back with the next
daily run, what was read comes back from landing/ or from its source. Tables of a past instant are noted here too: they
also wait for a daily run.
"""

import datetime as dt
import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assets.ingest.applications.mirroring import forget_mirrored
from assets.ingest.source_state import forget_all
from assets.inventory import altered_files
from assets.io import TABLES
from assets.lake import Lake, write_bytes
from assets.layers import LAYER_COLUMNS
from assets.parts import MERGED_PREFIX, TEMPORARY_PREFIX, list_of
from assets.publishing import generations
from features.schemas.bronze import APPLICATION_LOG, EVENTS, FEED_PAGES, FEED_POSTINGS, LANDING_FILES
from serving.contract.generation import GenerationError

# Bronze table -> the kinds of landed files that it is read from; they are read once more.
_READ_FROM: Mapping[str, tuple[str, ...]] = {
    "events": ("interactions",), "user_records": ("users",), "resumes": ("resumes",), "erasures": ("erasures",),
    "application_log": ("applications",), "unsubscribes": ("unsubscribes",), "bounces": ("bounces",),
    "file_postings": ("jobs",), "feed_postings": ("feeds",), "hh_postings": ("hh",),
    "sightings": ("jobs", "feeds", "hh"), "company_facts": ("companies",), "company_news": ("company_news",),
    "quarantine": (
        "interactions", "users", "resumes", "erasures", "applications", "unsubscribes", "bounces", "jobs", "feeds",
        "hh", "companies", "company_news",
    ),
}  # fmt: skip
_NOT_READ_AGAIN = {
    "ingest_runs": "the log of earlier runs in it is lost",
    "erased": "users in it who were erased are no longer refused: land their requests again",
    "exposures": "what feeds said of the jobs that it lists is lost",
    "digest_items": "a job that it lists may be in a digest again",
}
_IS_FETCHED = (
    "feed_postings", "hh_postings", "sightings", "company_facts", "company_news", "hh_areas", "hh_roles", "hh_rates",
)  # fmt: skip
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, pa.ArrowException)


class Damage(NamedTuple):
    """A file that can't be read, and why."""

    path: Path
    why: str


def find_damage(lake: Lake, models: Path, *, classes: Mapping[str, type]) -> list[Damage]:
    """The damaged files of lake and models. All is read only if no file is damaged on the outside.

    `classes`: the class of each fitted model, by the name of its file.
    """
    parquet = [path for path in lake.root.rglob("*.parquet") if _is_data(path.relative_to(lake.root))]
    found = [*_damaged_lists(lake), *_damaged_models(models, classes)]
    found += [Damage(path, why) for path in sorted(parquet) if (why := _parquet_problem(lake, path, reads_all=False))]
    if found:
        return found
    altered = [Damage(path, "its bytes are not those that were written") for path in altered_files(lake)]
    if altered:
        return altered
    return [Damage(path, why) for path in sorted(parquet) if (why := _parquet_problem(lake, path, reads_all=True))]


def set_aside(lake: Lake, models: Path, found: list[Damage], *, at: dt.datetime) -> list[str]:
    """Moves damaged files to `damaged/` beside the lake and makes later runs read or compute their content again.

    Returns a sentence for each: which file, what was wrong, where it is now, and what becomes of its content. A file
    that is gone may be among them.
    """
    if not found:
        return []
    # A file goes last: when it is gone nobody finds the damage again, and this process may be killed at any line.
    _note_rebuild(lake, "damaged files were set aside")
    becomes = [_make_anew(lake, models, damage.path) for damage in found]
    folder = damaged_folder(lake) / f"{at:%Y%m%dT%H%M%S}"
    return [
        f"{damage.path} {_moved(damage, folder / damage.path.relative_to(lake.root.parent))}; {rest}"
        for damage, rest in zip(found, becomes, strict=True)
    ]


def note_past(lake: Lake, published: Path, *, as_of: dt.datetime) -> None:
    """Notes that the tables become those of `as_of` if what is served is newer: until a daily run, nothing may be added
    to them and be served as of now. Called before the first of them changes, so that it holds after a kill as well."""
    try:
        current = generations.current_generation(published)
        served = generations.read_manifest(published, current).as_of if current is not None else None
    except GenerationError:
        return  # a damaged generation does not keep a new one from being served
    reason = f"the tables are as of {as_of:%Y-%m-%d %H:%M}, and what is served is newer"
    if served is not None and as_of < dt.datetime.fromisoformat(served) and rebuild_due(lake) != reason:
        _note_rebuild(lake, reason)


def rebuild_due(lake: Lake) -> str | None:
    """Why a daily run must make the tables anew before others go on; None if it need not."""
    try:
        noted = json.loads(_rebuild_note(lake).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        noted = None
    return noted if isinstance(noted, str) else "damaged files were set aside"


def rebuild_noted_at(lake: Lake) -> str | None:
    """When that was last noted; None if no daily run is due."""
    path = _rebuild_note(lake)
    return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).isoformat() if path.exists() else None


def rebuilt(lake: Lake) -> None:
    """Notes that a daily run has made everything anew."""
    _rebuild_note(lake).unlink(missing_ok=True)


def damaged_folder(lake: Lake) -> Path:
    """Where damaged files are kept for a look at them."""
    return lake.root.parent / "damaged"


def drop_damaged(lake: Lake, *, before: dt.datetime) -> None:
    """Deletes what was set aside before then: damaged files may hold personal data."""
    for folder in damaged_folder(lake).glob("*"):
        if folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True)


def _is_data(relative: Path) -> bool:
    hidden = [part for part in relative.parts if part.startswith(".") and part != ".layers"]
    return not hidden and not relative.name.startswith(TEMPORARY_PREFIX)


def _damaged_lists(lake: Lake) -> Iterator[Damage]:
    """Lists of merged parts that can't be read: nobody knows what the part replaced."""
    for path in sorted(lake.root.rglob(f"{MERGED_PREFIX}*.json")):
        try:
            names = json.loads(path.read_bytes())
        except ValueError as error:
            yield Damage(path, f"{type(error).__name__}: {error}")
            continue
        if not isinstance(names, list):
            yield Damage(path, f"holds {type(names).__name__}; expected a list")


def _damaged_models(models: Path, classes: Mapping[str, type]) -> Iterator[Damage]:
    for path in sorted(models.rglob("*.npz")):
        if path.name.startswith(TEMPORARY_PREFIX):
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            if broken is not None:
                yield Damage(path, f"entry {broken} differs from its checksum")
            elif path.stem in classes:
                classes[path.stem].load(path)  # type: ignore[attr-defined]
        except _UNREADABLE as error:
            yield Damage(path, f"{type(error).__name__}: {error}")


def _parquet_problem(lake: Lake, path: Path, *, reads_all: bool) -> str | None:
    """Why the file can't be read as what its table declares; None if it can."""
    try:
        with pq.ParquetFile(path) as file:
            if reads_all:
                for group in range(file.num_row_groups):
                    file.read_row_group(group)
                return None
        return _schema_problem(lake, path)
    except _UNREADABLE as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'unreadable'}"
    except pl.exceptions.PolarsError as error:
        return f"{type(error).__name__}: {error}"


def _schema_problem(lake: Lake, path: Path) -> str | None:
    table = TABLES.get(_table_of(lake, path))
    if table is None:
        return None
    stored = pl.scan_parquet(path, glob=False).collect_schema()
    for name in table.key:
        # A new column of the key is what an older version did not write, which has a message of its own.
        if name in stored and stored[name] != table.columns[name]:
            return f"column {name} holds {stored[name]}; expected {table.columns[name]}"
    if not set(stored.names()) & {*table.columns} - {*LAYER_COLUMNS}:
        return f"has none of the columns of {table.name}"
    return None


def _table_of(lake: Lake, path: Path) -> str:
    parts = path.relative_to(lake.root).parts[1:]
    name = parts[1] if parts[0] == ".layers" else parts[0]
    return name.removesuffix(".parquet")


def _moved(damage: Damage, target: Path) -> str:
    """Moves the file to `target`; returns what is wrong with it and where it is now."""
    path = damage.path
    is_there = path.exists()
    # A part that replaced others brings those back when it goes, and its list must go with it. The part goes first:
    # without its list it would count beside what it replaced.
    is_merged = path.name.startswith(MERGED_PREFIX)
    for each in (path.with_suffix(".parquet"), list_of(path)) if is_merged else (path,):
        if each.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(each, target.with_name(each.name))
    return f"is damaged ({damage.why}) and was moved to {target}" if is_there else f"is missing ({damage.why})"


def _make_anew(lake: Lake, models: Path, path: Path) -> str:
    """Makes later runs take the file's content in again. Returns what becomes of it."""
    if path.is_relative_to(models) or path.relative_to(lake.root).parts[0] != "bronze":
        name = _table_of(lake, path) if path.is_relative_to(lake.root) else ""
        return f"the next daily run computes it anew{'; ' + _NOT_READ_AGAIN[name] if name in _NOT_READ_AGAIN else ''}"
    name = _table_of(lake, path)
    if name in _NOT_READ_AGAIN:
        return _NOT_READ_AGAIN[name]
    if name == LANDING_FILES.name:
        return f"all files of landing/{path.stem}/ are read again, and what is known is not stored twice"
    kinds = _READ_FROM.get(name, ())
    for kind in kinds:
        (lake.folder("bronze", LANDING_FILES.name) / f"{kind}.parquet").unlink(missing_ok=True)
    _forget_readings(lake, name)
    again = " and ".join(f"landing/{kind}/" for kind in kinds)
    rest = "; what no source lists any more is lost" if name in _IS_FETCHED else ""
    return f"the next run reads {again or 'its source'} again; rows whose files are no longer there are lost{rest}"


def _forget_readings(lake: Lake, name: str) -> None:
    """Forgets what would keep a bronze table's rows from being taken in again, beside the landed files."""
    if name in _IS_FETCHED:
        forget_all(lake)
    if name == FEED_POSTINGS.name:
        # Known answers about single jobs are not asked for, or are unchanged.
        shutil.rmtree(lake.folder("bronze", FEED_PAGES.name), ignore_errors=True)
    if name in (EVENTS.name, APPLICATION_LOG.name):
        forget_mirrored(lake)  # some of the rows came from the other log


def _note_rebuild(lake: Lake, reason: str) -> None:
    write_bytes(_rebuild_note(lake), json.dumps(reason).encode())


def _rebuild_note(lake: Lake) -> Path:
    return lake.root / ".rebuild.json"
