"""Counts of one run of an ingest asset: per source, how many entries were read and what became of them.

Counting and rendering only; assets.ingest.run_log stores the runs.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
import polars as pl

from assets.ingest.landing import LandingManifest
from features.errors import JobfeedError

_COLUMNS = (
    "source", "status", "fetched", "read", "parsed", "new", "changed", "unchanged", "quarantined", "reasons", "seconds",
)  # fmt: skip
COUNTS = ("n_fetched", "n_read", "n_parsed", "n_new", "n_changed", "n_unchanged", "n_quarantined")
_NAMES_SHOWN = 3


class AccountingError(JobfeedError, AssertionError):
    """The outcomes of the entries that were read do not add up to their number."""


@dataclass
class SourceCounts:
    """Counts of one source in one run; `n_read` = new + changed + unchanged + quarantined.

    `n_fetched` counts answers and files. `n_listed` is the number of jobs in one whole listing of the source, if one
    was read. `reasons` counts the quarantined entries. `is_failed`: a reading was tried and gave nothing.
    """

    source: str
    n_fetched: int = 0
    n_read: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_quarantined: int = 0
    n_listed: int | None = None
    reasons: Counter[str] = field(default_factory=Counter)
    is_failed: bool = False
    seconds: float = 0.0
    statuses: list[str] = field(default_factory=list)

    def add(self, *, n_read: int, n_new: int, n_changed: int = 0) -> None:
        """Adds entries that were kept; those that are neither new nor changed are unchanged."""
        self.n_read += n_read
        self.n_new += n_new
        self.n_changed += n_changed
        self.n_unchanged += n_read - n_new - n_changed

    @property
    def n_parsed(self) -> int:
        return self.n_read - self.n_quarantined

    @property
    def status(self) -> str:
        return "; ".join(self.statuses) or ("nothing to read" if self.is_idle else "read")

    @property
    def is_idle(self) -> bool:
        """Whether nothing was read and nothing went wrong."""
        return not (self.is_failed or self.n_fetched or self.n_read)

    def check(self) -> None:
        """Raises AccountingError unless everything that was read is accounted for."""
        accounted = self.n_new + self.n_changed + self.n_unchanged + self.n_quarantined
        if accounted != self.n_read:
            raise AccountingError(f"{self.source}: {self.n_read} entries were read, {accounted} are accounted for")
        if self.reasons.total() != self.n_quarantined:
            raise AccountingError(
                f"{self.source}: {self.n_quarantined} entries were quarantined for {dict(self.reasons)}"
            )


@dataclass
class RunReport:
    """Counts of all sources of one asset's run. `left_out` counts, by reason, the fields left out of kept entries."""

    sources: dict[str, SourceCounts] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    n_files_read: int = 0
    n_files_skipped: int = 0

    @property
    def reasons(self) -> Counter[str]:
        """How many rejects of all sources each reason has."""
        return sum((counts.reasons for counts in self.sources.values()), Counter())

    def of(self, source: str) -> SourceCounts:
        """The counts of `source`, to add to."""
        return self.sources.setdefault(source, SourceCounts(source))

    @contextmanager
    def timed(self, source: str | None) -> Iterator[None]:
        """Adds the seconds of the block to `source`, if one is given."""
        started = time.perf_counter()
        yield
        if source is not None:
            self.of(source).seconds += time.perf_counter() - started

    def add_rejects(self, source: str, rejects: pl.DataFrame) -> None:
        """Counts refused entries (a frame with the column `reason`) as read and quarantined."""
        counts = self.of(source)
        counts.n_read += rejects.height
        counts.n_quarantined += rejects.height
        counts.reasons.update(rejects["reason"].to_list())

    def add_warnings(self, warnings: pl.DataFrame) -> None:
        """Counts by reason the fields that were left out of kept entries (a frame with the column `reason`)."""
        self.left_out.update(warnings["reason"].to_list())

    def count_files(self, manifest: LandingManifest, *, source: str) -> None:
        """Counts the files that were read and skipped. Files that can't be opened are a failure of `source`."""
        self.n_files_read += manifest.n_read
        self.n_files_skipped += manifest.n_skipped
        if manifest.unreadable:
            n_more = len(manifest.unreadable) - _NAMES_SHOWN
            names = ", ".join(manifest.unreadable[:_NAMES_SHOWN]) + (f" and {n_more} more" if n_more > 0 else "")
            self.of(source).statuses.append(f"could not be opened: {names}")
            self.of(source).is_failed = True

    def check(self) -> None:
        """Raises AccountingError unless everything that was read of every source is accounted for."""
        for counts in self.sources.values():
            counts.check()

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """For the Dagster UI: the table by source, rejects by reason, and totals to plot. Raises AccountingError."""
        self.check()
        ordered = sorted(self.sources.values(), key=lambda counts: counts.source)
        rows = [
            (c.source, c.status, *(getattr(c, name) for name in COUNTS),
             ", ".join(f"{reason} {n}" for reason, n in sorted(c.reasons.items())), f"{c.seconds:.1f}")
            for c in ordered
        ]  # fmt: skip
        totals = {name: sum(getattr(counts, name) for counts in ordered) for name in COUNTS}
        return {
            "sources": markdown_table(_COLUMNS, rows),
            "rejects": markdown_table(("reason", "entries"), sorted(self.reasons.items())),
            "left_out": markdown_table(("reason", "fields"), sorted(self.left_out.items())),
            **{name: dg.MetadataValue.int(n) for name, n in totals.items()},
            "n_files_read": dg.MetadataValue.int(self.n_files_read),
            "n_files_skipped": dg.MetadataValue.int(self.n_files_skipped),
        }


def markdown_table(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> dg.MarkdownMetadataValue:
    """A Markdown table. Cells are escaped, since names of sources and reasons come from outside."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")[:200]
