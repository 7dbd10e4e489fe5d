"""What an ingest asset tells of its run: per source how many entries were read and what became of each. Not stored."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import dagster as dg
import polars as pl

from assets.ingest.landing import Ledger

_COLUMNS = ("source", "status", "read", "new", "changed", "unchanged", "quarantined", "seconds")


class AccountingError(AssertionError):
    """Entries were read of which it is not known what became."""


@dataclass
class SourceCounts:
    """Counts of one source in one run; `n_read` = new + changed + unchanged + quarantined."""

    source: str
    n_read: int = 0
    n_new: int = 0
    n_changed: int = 0
    n_unchanged: int = 0
    n_quarantined: int = 0
    seconds: float = 0.0
    statuses: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises AccountingError unless everything that was read is accounted for."""
        accounted = self.n_new + self.n_changed + self.n_unchanged + self.n_quarantined
        if accounted != self.n_read:
            raise AccountingError(f"{self.source}: {self.n_read} entries were read, {accounted} are accounted for")


@dataclass
class RunReport:
    """Counts of all sources of one asset's run, and how many rejects there were for each reason."""

    sources: dict[str, SourceCounts] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    n_files_read: int = 0
    n_files_skipped: int = 0

    def of(self, source: str) -> SourceCounts:
        """The counts of `source`, to add to."""
        return self.sources.setdefault(source, SourceCounts(source))

    def add_rejects(self, source: str, rejects: pl.DataFrame) -> None:
        """Counts refused entries (a frame with the column `reason`) as read and quarantined."""
        counts = self.of(source)
        counts.n_read += rejects.height
        counts.n_quarantined += rejects.height
        for reason, n in rejects["reason"].value_counts().iter_rows():
            self.reasons[reason] = self.reasons.get(reason, 0) + n

    def add_outcome(self, outcome: pl.DataFrame) -> None:
        """Adds a frame of (source, n_read, n_new, n_changed, n_unchanged)."""
        for source, n_read, n_new, n_changed, n_unchanged in outcome.iter_rows():
            counts = self.of(source)
            counts.n_read += n_read
            counts.n_new += n_new
            counts.n_changed += n_changed
            counts.n_unchanged += n_unchanged

    def add_files(self, ledger: Ledger) -> None:
        """Counts the files that a ledger gave out and passed over."""
        self.n_files_read += ledger.n_read
        self.n_files_skipped += ledger.n_skipped

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """For the Dagster UI: the table by source, rejects by reason, and totals to plot. Raises AccountingError."""
        for counts in self.sources.values():
            counts.check()
        rows = [
            (c.source, "; ".join(c.statuses) or "read", c.n_read, c.n_new, c.n_changed, c.n_unchanged, c.n_quarantined,
             f"{c.seconds:.1f}")
            for c in sorted(self.sources.values(), key=lambda c: c.source)
        ]  # fmt: skip
        total = SourceCounts("total")
        for c in self.sources.values():
            total.n_read += c.n_read
            total.n_new += c.n_new
            total.n_changed += c.n_changed
            total.n_unchanged += c.n_unchanged
            total.n_quarantined += c.n_quarantined
        return {
            "sources": dg.MetadataValue.md(markdown_table(_COLUMNS, rows)),
            "rejects": dg.MetadataValue.md(markdown_table(("reason", "entries"), sorted(self.reasons.items()))),
            "n_read": dg.MetadataValue.int(total.n_read),
            "n_new": dg.MetadataValue.int(total.n_new),
            "n_changed": dg.MetadataValue.int(total.n_changed),
            "n_unchanged": dg.MetadataValue.int(total.n_unchanged),
            "n_quarantined": dg.MetadataValue.int(total.n_quarantined),
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
