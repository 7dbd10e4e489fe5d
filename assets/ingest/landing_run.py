"""One run over the landed files of one kind: what every kind does around its parser."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from assets.ingest.landing import GROWS_FOR, LandedFile, LandingManifest, RefusedFileError
from assets.ingest.quarantine import UNREADABLE, QuarantineBuffer, whole_file
from assets.ingest.report import RunReport
from assets.lake import Lake
from features.schemas.table import Table
from features.sources.lines import READ_FAILED, UnreadableFileError, is_read_failure, read_blocks
from features.sources.parsed import Parsed, rejects

MAX_REJECTS = 10_000  # of one file; more of them say nothing new and fill the disk
# A file of which so many entries were refused, and more than half, is read no further: small files may hold millions.
MAX_REFUSED = 1_000_000


@contextmanager
def landing_run(
    lake: Lake, kind: str, report: RunReport, *, as_of: dt.datetime, source: str | None = None, repeats: bool = False
) -> Iterator["LandingRun"]:
    """Locks the landed files of `kind`, and saves their manifest if the block ends without an error.

    Store all rows inside the block: what the manifest lists is not read again. Files and seconds are counted for
    `source`; give None where the block counts them for several sources. `repeats` as in LandingManifest.
    """
    with report.timed(source), lake.lock(f"bronze/landing_files/{kind}"):
        run = LandingRun(
            LandingManifest.load(lake, kind, as_of=as_of, repeats=repeats), report, QuarantineBuffer(lake, as_of)
        )
        yield run
        run.refused.flush()
        run.manifest.save(lake)
    report.count_files(run.manifest, source=source or kind)
    if source is not None:
        report.of(source).n_fetched += run.manifest.n_read


@dataclass
class LandingRun:
    """An open run; see `landing_run`."""

    manifest: LandingManifest
    report: RunReport
    refused: QuarantineBuffer

    def read(
        self,
        files: Iterable[LandedFile],
        parse: Callable[[LandedFile], Iterable[Parsed]],
        table: Table,
        *,
        retry_at: Callable[[pl.DataFrame], dt.datetime | None] = lambda _: None,
    ) -> Iterator[tuple[LandedFile, Parsed]]:
        """The pieces of every file that was not read yet; the manifest records a file after its last piece.

        A file that `parse` refuses with RefusedFileError gives one reject and no row of `table`. After MAX_REJECTS, the
        rejects of a file are only counted, in one reject more; after MAX_REFUSED, if they are most of its entries, the
        rest of the file is not read. `retry_at` gets the rejects of a piece and says when the file is worth reading
        again; the earliest answer counts. A file of which reading failed is read again later, with its rejects.
        """
        for listed, digest in self.manifest.unread(files):
            file = replace(listed, may_grow=listed.changed_about(self.manifest.as_of))
            n_rows, n_rejects, n_warnings, ending = 0, 0, 0, ""
            has_failed = False
            instants: list[dt.datetime] = []
            if file.may_grow and file.ends_within_a_line():  # the rest of the line may come
                instants.append(max(self.manifest.as_of, _written_at(file)) + GROWS_FOR)
            for parsed in _pieces(file, parse, table):
                n_rows += parsed.rows.height
                if parsed.rejects.height:
                    has_failed = has_failed or READ_FAILED in parsed.rejects["reason"]
                    if (instant := retry_at(parsed.rejects)) is not None:
                        instants.append(instant)
                yield file, _bounded(parsed, n_rejects=n_rejects, n_warnings=n_warnings)
                n_rejects, n_warnings = n_rejects + parsed.rejects.height, n_warnings + parsed.warnings.height
                if n_rejects > max(MAX_REFUSED, n_rows):
                    ending = "; the rest of the file was not read"
                    break
            if n_rejects > MAX_REJECTS:
                detail = f"{n_rejects} entries were refused; the first {MAX_REJECTS} are listed{ending}"
                yield file, Parsed(table.empty(), whole_file("too_many_rejects", detail=detail))
            first = min(instants, default=None)
            self.manifest.record(
                file, digest, n_rows=n_rows, n_rejects=n_rejects, retry_at=first, has_failed=has_failed
            )

    def refuse(self, file: LandedFile, parsed: Parsed) -> None:
        """Counts and quarantines the rejects and the warnings of a piece, under the kind of the run."""
        self.report.add_rejects(self.manifest.kind, parsed.rejects)
        self.report.add_warnings(parsed.warnings)
        self.refused.add(pl.concat([parsed.rejects, parsed.warnings]), source=self.manifest.kind, file=file.name)


def _bounded(parsed: Parsed, *, n_rejects: int, n_warnings: int) -> Parsed:
    """The piece with its rejects and warnings up to the first MAX_REJECTS of its file."""
    return Parsed(
        parsed.rows,
        parsed.rejects.head(max(0, MAX_REJECTS - n_rejects)),
        parsed.warnings.head(max(0, MAX_REJECTS - n_warnings)),
    )


def _pieces(file: LandedFile, parse: Callable[[LandedFile], Iterable[Parsed]], table: Table) -> Iterator[Parsed]:
    try:
        yield from parse(file)
    except RefusedFileError as error:
        yield Parsed(table.empty(), error.rejects)


def _written_at(file: LandedFile) -> dt.datetime:
    return dt.datetime.fromtimestamp(file.mtime_ns / 1e9, dt.UTC)


def parse_in_blocks(path: Path, parse: Callable[[bytes], Parsed], *, may_grow: bool = False) -> Iterator[Parsed]:
    """`parse` of each block of a plain, gzip or zstd text file, so that memory does not follow the file's size.

    `line N` entries are counted within the file. A file that can't be read to its end gives a last piece with one
    reject. A last line without an end is left out of a file that `may_grow`.
    """
    last_line = 0
    try:
        for block in read_blocks(path, whole_lines=may_grow):
            last_line = block.first_line
            parsed = parse(block.lines)
            too_long = rejects((f"line {number}", "too_long", "", head) for number, head in block.too_long)
            by = block.first_line - 1
            refused = pl.concat([_renumbered(parsed.rejects, by=by), too_long])
            yield Parsed(parsed.rows, refused, _renumbered(parsed.warnings, by=by))
    except (UnreadableFileError, OSError) as error:
        kind = str(error) if isinstance(error, UnreadableFileError) else type(error).__name__
        reason = READ_FAILED if is_read_failure(error) else UNREADABLE
        refused = rejects([(f"after line {last_line}", reason, kind, b"")])
        yield Parsed(parse(b"").rows, refused)


def _renumbered(refused: pl.DataFrame, *, by: int) -> pl.DataFrame:
    entry = pl.col("entry")
    number = entry.str.extract(r"^line (\d+)").cast(pl.Int64) + by
    rest = entry.str.replace(r"^line \d+", "")
    return refused.with_columns(
        entry=pl.when(number.is_null()).then(entry).otherwise(pl.format("line {}{}", number, rest))
    )
