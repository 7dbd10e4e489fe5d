"""Writes numbered texts: jobs and reasons that feeds refer to by number, each stored once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from assets.lake import write_parquet
from assets.sql import query_text
from models.explanations.templates import render
from serving.contract.feed_codec import UNKNOWN
from serving.contract.tables import JOB_REFERENCE_CODES, LANGUAGES
from serving.contract.text_tables import TEXT_TABLE_STARTS, TEXT_TABLE_WIDTHS, offsets_path, text_ids_path

_BATCH_ROWS = 16_384
# A private-use character that stands for the title while a sentence is cut around it.
_TITLE = "\uf8ff"
REASON_KEY = ("code", "ref", "value", "names_job")
TEXT_ID_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "jobs": {"number": pl.UInt32, "job_id": pl.String},
    "reasons": {
        "number": pl.UInt32,
        "code": pl.String,
        "ref": pl.String,
        "value": pl.Float64,
        "names_job": pl.Boolean,
    },
}


class TextTableWriter:
    """A text table being written: `add` batches, leave the context, and texts, places and names are on disk."""

    def __init__(self, path: Path, kind: str, *, is_base: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._kind, self._is_base = path, kind, is_base
        self._handle = path.open("w+b")
        self._n_bytes = 0
        self._places: list[NDArray[np.int64]] = []
        self._names: list[pl.DataFrame] = []
        self._write_header()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_header()
            width = TEXT_TABLE_WIDTHS[self._kind] + (0 if self._is_base else 1)
            places = np.concatenate([np.zeros((0, width), np.int64), *self._places])
            np.save(offsets_path(str(self._path)), places)
            names = pl.concat([no_text_ids(self._kind), *self._names])
            write_parquet(names, Path(text_ids_path(str(self._path))))
        self._handle.close()

    def copy(self, path: Path) -> None:
        """Takes over another file of changes, before anything is added."""
        texts = np.load(path, allow_pickle=False)
        self._handle.write(texts.tobytes())
        self._n_bytes += len(texts)
        self._places.append(np.load(offsets_path(str(path)), allow_pickle=False))
        self._names.append(pl.read_parquet(text_ids_path(str(path))))

    def add(self, texts: bytes, places: NDArray[np.int64], numbers: NDArray[Any], names: pl.DataFrame) -> None:
        """Adds texts with their places within `texts`, for these numbers; `names` are those that are new."""
        placed = places.copy()
        placed[:, TEXT_TABLE_STARTS[self._kind]] += self._n_bytes
        self._handle.write(texts)
        self._n_bytes += len(texts)
        self._places.append(placed if self._is_base else np.column_stack([numbers.astype(np.int64), placed]))
        self._names.append(names.select(list(TEXT_ID_SCHEMAS[self._kind])))

    def _write_header(self) -> None:
        # NumPy leaves room in the header for the length to grow.
        self._handle.seek(0)
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._n_bytes,)}
        np.lib.format.write_array_header_1_0(self._handle, header)
        self._handle.seek(0, 2)


@dataclass
class TextIds:
    """What has which number so far: TEXT_ID_SCHEMAS. New reasons are numbered as they are met, and their texts kept."""

    jobs: pl.DataFrame
    reasons: pl.DataFrame
    templates: Mapping[str, Mapping[str, str]]
    new_reasons: list[pl.DataFrame] = field(default_factory=list)

    def of_jobs(self, job_ids: pl.Series) -> pl.Series:
        """The number of each job, UNKNOWN for those that are not published."""
        found = pl.DataFrame({"job_id": job_ids}).join(self.jobs, on="job_id", how="left", maintain_order="left")
        return found["number"].fill_null(UNKNOWN)

    def of_reasons(self, reasons: pl.DataFrame) -> pl.Series:
        """The number of each reason (REASON_KEY); those met for the first time get the next ones."""
        key = list(REASON_KEY)
        distinct = reasons.unique(maintain_order=True)
        new = distinct.join(self.reasons, on=key, how="anti", nulls_equal=True, maintain_order="left")
        if len(new):
            first = len(self.reasons)
            new = new.select(pl.int_range(first, first + pl.len(), dtype=pl.UInt32).alias("number"), *key)
            self.reasons = pl.concat([self.reasons, new])
            self.new_reasons.append(new)
        joined = reasons.join(self.reasons, on=key, how="left", nulls_equal=True, maintain_order="left")
        return joined["number"]

    def write_new_reasons(self, file: TextTableWriter) -> None:
        """Writes the texts of the reasons that were numbered since the last time."""
        for names in self.new_reasons:
            texts, places = reason_texts(names, self.templates)
            file.add(texts, places, names["number"].to_numpy(), names)
        self.new_reasons.clear()


def templates_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The published reason templates: language -> code -> text."""
    found: dict[str, dict[str, str]] = {}
    for code, language, template in con.sql("select code, language, template from reason_templates").fetchall():
        found.setdefault(language, {})[code] = template
    return found


def no_text_ids(kind: str) -> pl.DataFrame:
    """Nothing numbered yet."""
    return pl.DataFrame(schema=dict(TEXT_ID_SCHEMAS[kind]))


def read_text_ids(files: Sequence[Path]) -> pl.DataFrame:
    """What has which number in numbered texts, the base first."""
    return pl.concat([pl.read_parquet(text_ids_path(str(path))) for path in files])


def write_job_texts(con: duckdb.DuckDBPyConnection, file: TextTableWriter, known: pl.DataFrame) -> pl.DataFrame:
    """Writes the texts of the jobs that `con` has; returns `known` (number, job_id) with those that are new."""
    reader = con.sql(query_text("publish/lookup_jobs")).to_arrow_reader(_BATCH_ROWS)
    for batch in reader:
        ids = pl.Series("job_id", batch.column("job_id"))
        numbered = pl.DataFrame({"job_id": ids}).join(known, on="job_id", how="left", maintain_order="left")
        new = numbered.filter(pl.col("number").is_null()).select(
            pl.int_range(len(known), len(known) + pl.len(), dtype=pl.UInt32).alias("number"), "job_id"
        )
        known = pl.concat([known, new])
        numbers = pl.DataFrame({"job_id": ids}).join(known, on="job_id", how="left", maintain_order="left")["number"]
        titles, title_starts = _joined(batch.column("title_text"))
        cards, card_starts = _joined(batch.column("card_text"))
        lengths = [
            batch.column(name).to_numpy()
            for name in ("id_length", "title_length", "card_length", "title_length_at_end")
        ]
        places = np.column_stack([title_starts, *lengths, len(titles) + card_starts]).astype(np.int64)
        file.add(titles + cards, places, numbers.to_numpy(), new)
    return known


def write_gone_jobs(file: TextTableWriter, job_ids: pl.Series, known: pl.DataFrame) -> None:
    """Says that these jobs are shown no more; of their texts only the id is left."""
    gone = pl.DataFrame({"job_id": job_ids}).join(known, on="job_id", how="inner", maintain_order="left")
    pieces = [orjson.dumps(job_id) for job_id in gone["job_id"]]
    titled = [piece + piece[1:-1] for piece in pieces]
    ends = np.cumsum([0, *map(len, titled)], dtype=np.int64)
    lengths = np.array([(len(piece), len(piece) - 2, 0, len(piece) - 2) for piece in pieces], np.int64).reshape(-1, 4)
    places = np.column_stack([ends[:-1], lengths, ends[:-1]])
    file.add(b"".join(titled), places, gone["number"].to_numpy(), gone.clear())


def reason_texts(names: pl.DataFrame, templates: Mapping[str, Mapping[str, str]]) -> tuple[bytes, NDArray[np.int64]]:
    """The texts of reasons (REASON_KEY) in all languages, and their places; `templates`: language -> code -> text."""
    pieces: list[bytes] = []
    places = np.zeros((len(names), TEXT_TABLE_WIDTHS["reasons"]), np.int64)
    at = 0
    for row, (code, ref, value, names_job) in enumerate(names.select(list(REASON_KEY)).iter_rows()):
        for column, language in enumerate(LANGUAGES):
            template = templates.get(language, {}).get(code) or templates.get(LANGUAGES[0], {}).get(code, code)
            parts = _parts(code, ref, value, template, language, names_job=names_job)
            places[row, 4 * column : 4 * column + 4] = at, *map(len, parts)
            pieces += parts
            at += sum(map(len, parts))
    return b"".join(pieces), places


def names_a_job(code: str, templates: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a reason is stored once for all jobs that it may name: its sentence holds their title, once."""
    return code in JOB_REFERENCE_CODES and all(
        templates.get(language, {}).get(code, "").count("{ref}") == 1 for language in LANGUAGES
    )


def _parts(
    code: str, ref: str | None, value: float | None, template: str, language: str, *, names_job: bool
) -> Sequence[bytes]:
    head = b'{"code":' + orjson.dumps(code) + b',"ref":'
    middle = b',"value":' + orjson.dumps(value) + b',"text":"'
    if not names_job:
        return head + orjson.dumps(ref) + middle + _inner(render(template, ref, value, language)) + b'"}', b"", b""
    before, _, after = render(template, _TITLE, value, language).partition(_TITLE)
    return head, middle + _inner(before), _inner(after) + b'"}'


def _inner(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


def _joined(texts: pa.Array) -> tuple[bytes, NDArray[np.int64]]:
    """The bytes of all strings of an array, and where each begins."""
    large = texts.cast(pa.large_string())
    offsets = np.frombuffer(large.buffers()[1], np.int64)[large.offset : large.offset + len(large) + 1]
    if not len(large):
        return b"", np.zeros(0, np.int64)
    data = large.buffers()[2]
    body = data.slice(int(offsets[0]), int(offsets[-1] - offsets[0])).to_pybytes() if data is not None else b""
    return body, offsets[:-1] - offsets[0]
