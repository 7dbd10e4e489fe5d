"""What an ingest asset tells of its run: per source how many entries were read and what became of each.

Counting and showing only; runs are kept by assets.ingest.run_log.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import dagster as dg
import polars as pl

from assets.ingest.landing import LandingManifest
from features.errors import JobfeedError

_COLUMNS = (
    "source", "status", "fetched", "read", "parsed", "new", "changed", "unchanged", "quarantined", "reasons", "seconds",
)  # fmt: skip
_TOTALS = ("n_fetched", "n_read", "n_parsed", "n_new", "n_changed", "n_unchanged", "n_quarantined")
_NAMES_TOLD = 3


class AccountingError(JobfeedError, AssertionError):
    """Entries were read of which it is not known what became."""


@dataclass
class SourceCounts:
    """Counts of one source in one run; `n_read` = new + changed + unchanged + quarantined.

    `n_fetched`: answers and files; `n_listed`: jobs in one whole listing of the source, if one was read; `reasons`: of
    what was quarantined; `is_failed`: a reading was tried and gave nothing.
    """

    source: str
    n_fetched: int = 0
    n_read: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_quarantined: int = 0
    n_listed: int | None = None
    reasons: dict[str, int] = field(default_factory=dict)
    is_failed: bool = False
    seconds: float = 0.0
    statuses: list[str] = field(default_factory=list)

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
        if sum(self.reasons.values()) != self.n_quarantined:
            raise AccountingError(f"{self.source}: {self.n_quarantined} entries were quarantined for {self.reasons}")


@dataclass
class RunReport:
    """Counts of all sources of one asset's run; `left_out`: fields, by reason, of entries that were kept."""

    sources: dict[str, SourceCounts] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    n_files_read: int = 0
    n_files_skipped: int = 0

    @property
    def reasons(self) -> dict[str, int]:
        """How many rejects of all sources there were for each reason."""
        found: dict[str, int] = {}
        for counts in self.sources.values():
            for reason, n in counts.reasons.items():
                found[reason] = found.get(reason, 0) + n
        return found

    def of(self, source: str) -> SourceCounts:
        """The counts of `source`, to add to."""
        return self.sources.setdefault(source, SourceCounts(source))

    def add_rejects(self, source: str, rejects: pl.DataFrame) -> None:
        """Counts refused entries (a frame with the column `reason`) as read and quarantined."""
        counts = self.of(source)
        counts.n_read += rejects.height
        counts.n_quarantined += rejects.height
        for reason, n in rejects["reason"].value_counts().iter_rows():
            counts.reasons[reason] = counts.reasons.get(reason, 0) + n

    def add_warnings(self, warnings: pl.DataFrame) -> None:
        """Counts by reason what was left out of entries that were kept (a frame with the column `reason`)."""
        for reason, n in warnings["reason"].value_counts().iter_rows():
            self.left_out[reason] = self.left_out.get(reason, 0) + n

    def add_outcome(self, outcome: pl.DataFrame) -> None:
        """Adds a frame of (source, n_read, n_new, n_changed, n_unchanged)."""
        for source, n_read, n_new, n_changed, n_unchanged in outcome.iter_rows():
            counts = self.of(source)
            counts.n_read += n_read
            counts.n_new += n_new
            counts.n_changed += n_changed
            counts.n_unchanged += n_unchanged

    def add_files(self, manifest: LandingManifest) -> None:
        """Counts the files that a manifest gave out and passed over: the former are what its kind fetched."""
        self.count_files(manifest, source=manifest.kind)
        self.of(manifest.kind).n_fetched += manifest.n_read

    def count_files(self, manifest: LandingManifest, *, source: str) -> None:
        """Counts the files of a manifest whose sources are counted one by one; that some could not be opened is told of
        `source`."""
        self.n_files_read += manifest.n_read
        self.n_files_skipped += manifest.n_skipped
        if manifest.unreadable:
            n_more = len(manifest.unreadable) - _NAMES_TOLD
            told = ", ".join(manifest.unreadable[:_NAMES_TOLD]) + (f" and {n_more} more" if n_more > 0 else "")
            self.of(source).statuses.append(f"could not be opened: {told}")
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
            (c.source, c.status, c.n_fetched, c.n_read, c.n_parsed, c.n_new, c.n_changed, c.n_unchanged,
             c.n_quarantined, ", ".join(f"{reason} {n}" for reason, n in sorted(c.reasons.items())), f"{c.seconds:.1f}")
            for c in ordered
        ]  # fmt: skip
        totals = {name: sum(getattr(counts, name) for counts in ordered) for name in _TOTALS}
        return {
            "sources": dg.MetadataValue.md(markdown_table(_COLUMNS, rows)),
            "rejects": dg.MetadataValue.md(markdown_table(("reason", "entries"), sorted(self.reasons.items()))),
            "left_out": dg.MetadataValue.md(markdown_table(("reason", "fields"), sorted(self.left_out.items()))),
            **{name: dg.MetadataValue.int(n) for name, n in totals.items()},
            "n_files_read": dg.MetadataValue.int(self.n_files_read),
            "n_files_skipped": dg.MetadataValue.int(self.n_files_skipped),
        }


def markdown_table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; cells are escaped, since names of sources and reasons come from outside."""
    names = list(columns)
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")[:200]
