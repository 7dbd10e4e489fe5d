"""The parts of a table's folder: which of them are read, and which a merged part has replaced.

A merged part has a list of the parts that it replaces, a small file beside it that is written first. The moment the
merged part has its name, all of them count no more, so a run that is killed at any instant leaves no row twice. They
stay on disk for runs that have listed them, until `remove_replaced`. This module reads and removes; lake.py writes.
"""

import datetime as dt
import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq

MAX_PARTS = 100  # of a table that gets one with every run; more are merged
WIDE_PART_ROWS = 10_000  # of tables of texts and lists: so many rows fit into memory
TEMPORARY_PREFIX = ".tmp-"
MERGED_PREFIX = "merged-"


def current_parts(folder: Path) -> list[Path]:
    """The Parquet files in `folder` and its folders that are no temporary and no replaced ones, in a stable order."""
    found = [path for path in folder.rglob("*.parquet") if not path.name.startswith(TEMPORARY_PREFIX)]
    merged = [path for path in found if path.name.startswith(MERGED_PREFIX)]
    replaced = {path.with_name(name) for path in merged for name in replaced_by(path)}
    return sorted(path for path in found if path not in replaced)


def replaced_by(part: Path) -> Sequence[str]:
    """The names of the parts that a merged part replaces; none for another part."""
    try:
        names: list[str] = json.loads(list_of(part).read_bytes())
    except FileNotFoundError:
        return ()
    return names


def unseen(parts: Sequence[Path], known: Collection[str]) -> list[Path] | None:
    """The parts with rows that the parts of these names did not hold, of the current ones; a merged part may hold none.

    None if a known part is gone and no part replaced it: rows may be gone.
    """
    replaced = {path: set(replaced_by(path)) for path in parts if path.name.startswith(MERGED_PREFIX)}
    seen = set(known)
    if not seen <= {path.name for path in parts}.union(*replaced.values()):
        return None
    for path, names in replaced.items():
        # What was merged twice since is listed with both steps.
        seen.update(*(replaced_by(path.with_name(name)) for name in names & seen if name.startswith(MERGED_PREFIX)))
    return [path for path in parts if path.name not in seen and not set() < replaced.get(path, set()) <= seen]


def groups_to_merge(parts: Sequence[Path], *, more_than: int, most_rows: int | None) -> list[list[Path]]:
    """The parts to merge with each other, if there are more than `more_than`: all of them.

    With `most_rows`, parts of so many rows or more don't count and stay. The others form groups of less than twice as
    many rows, which bounds the memory of a merge, and its cost by what was added.
    """
    if most_rows is None:
        return [list(parts)] if len(parts) > more_than else []
    rows = {part: pq.read_metadata(part).num_rows for part in parts}
    small = [part for part in parts if rows[part] < most_rows]
    if len(small) <= more_than:
        return []
    groups: list[list[Path]] = [[]]
    for part in small:
        if sum(rows[one] for one in groups[-1]) >= most_rows:
            groups.append([])
        groups[-1].append(part)
    return [group for group in groups if len(group) > 1]


def list_of(part: Path) -> Path:
    """Where the list of what a part replaces lies."""
    return part.with_suffix(".json")


def remove_replaced(root: Path, *, before: dt.datetime, keeps_lists: bool = False) -> list[Path]:
    """Deletes the parts under `root` that were replaced before `before`; returns them.

    `keeps_lists`: what the merged parts replaced stays known, so that nobody takes their rows for new ones.
    """
    removed: list[Path] = []
    for listing in written_before(before, root, f"{MERGED_PREFIX}*.json"):
        merged = listing.with_suffix(".parquet")
        names = replaced_by(merged) if merged.exists() else ()  # else the run was killed before it had merged
        old = [path for name in names if (path := merged.with_name(name)).exists()]
        for path in old:
            remove_part(path)
        if not (keeps_lists and merged.exists()):
            listing.unlink(missing_ok=True)
        removed += old
    return removed


def written_before(instant: dt.datetime, root: Path, pattern: str) -> list[Path]:
    """The files under `root` of that name that were last written before `instant`; other runs may remove some."""
    found = []
    for path in root.rglob(pattern):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < instant.timestamp():
                found.append(path)
    return found


def remove_part(part: Path) -> None:
    """Deletes a part, then its list: while the part is there, what it replaces must not come back."""
    part.unlink(missing_ok=True)
    if part.name.startswith(MERGED_PREFIX):
        list_of(part).unlink(missing_ok=True)
