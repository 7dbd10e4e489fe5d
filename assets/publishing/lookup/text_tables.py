"""The texts of jobs and reasons that feeds refer to by text id; the format is in serving/contract/text_tables.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from assets.lake import write_parquet
from assets.sql import query_text
from features.localisation.jobs import facts
from models.explanations.names import Names
from models.explanations.templates import render
from serving.contract.feed_codec import UNKNOWN
from serving.contract.tables import JOB_REFERENCE_CODES, LANGUAGES
from serving.contract.text_tables import TEXT_TABLE_WIDTHS, Offsets, TextTableWriter, text_ids_path

_BATCH_ROWS = 16_384
# A private-use character: it replaces the title while a sentence is cut around it.
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


class IdentifiedTexts(TextTableWriter):
    """Writes a text table and beside it the file of its text ids."""

    def __init__(self, path: Path, kind: str, *, is_base: bool) -> None:
        super().__init__(path, kind, is_base=is_base)
        self._ids = [no_text_ids(kind)]

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        super().__exit__(kind, *error)
        if kind is None:
            write_parquet(pl.concat(self._ids), Path(text_ids_path(str(self._path))))

    def copy(self, path: Path) -> None:
        """Takes over the table of an earlier delta, before anything is added."""
        super().copy(path)
        self._ids.append(pl.read_parquet(text_ids_path(str(path)), glob=False))

    def add_new(self, new: pl.DataFrame) -> None:
        """Records new text ids (TEXT_ID_SCHEMAS)."""
        self._ids.append(new.select(self._ids[0].columns))


@dataclass
class TextIds:
    """The text ids given so far (TEXT_ID_SCHEMAS). A reason gets one when it occurs for the first time."""

    jobs: pl.DataFrame
    reasons: pl.DataFrame
    templates: Mapping[str, Mapping[str, str]]
    names: Names = field(default_factory=Names)
    new_reasons: list[pl.DataFrame] = field(default_factory=list)

    def of_jobs(self, job_ids: pl.Series) -> pl.Series:
        """The text id of each job, UNKNOWN for jobs that are not published."""
        found = pl.DataFrame({"job_id": job_ids}).join(self.jobs, on="job_id", how="left", maintain_order="left")
        return found["number"].fill_null(UNKNOWN)

    def of_reasons(self, reasons: pl.DataFrame) -> pl.Series:
        """The text id of each reason (REASON_KEY); reasons that occur for the first time get the next ones."""
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

    def write_new_reasons(self, table: IdentifiedTexts) -> None:
        """Writes the texts of the reasons that got a text id since the last call."""
        for reasons in self.new_reasons:
            texts, offsets = reason_texts(reasons, self.templates, self.names)
            table.add(texts, offsets, reasons["number"].to_numpy())
            table.add_new(reasons)
        self.new_reasons.clear()


def templates_of(con: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The published reason templates: language -> code -> text."""
    found: dict[str, dict[str, str]] = {}
    for code, language, template in con.sql("select code, language, template from reason_templates").fetchall():
        found.setdefault(language, {})[code] = template
    return found


def names_of(con: duckdb.DuckDBPyConnection) -> Names:
    """The published names of skills, roles and tags."""
    return Names(con.sql("select kind, name, language, text from display_names").fetchall())


def no_text_ids(kind: str) -> pl.DataFrame:
    """No text ids yet."""
    return pl.DataFrame(schema=dict(TEXT_ID_SCHEMAS[kind]))


def read_text_ids(files: Sequence[Path]) -> pl.DataFrame:
    """The text ids in text tables, the base first."""
    return pl.concat([pl.read_parquet(text_ids_path(str(path)), glob=False) for path in files])


def write_job_texts(
    con: duckdb.DuckDBPyConnection, table: IdentifiedTexts, known: pl.DataFrame, names: Names
) -> pl.DataFrame:
    """Writes the texts of the jobs that `con` has; returns `known` (number, job_id) with the new ones."""
    reader = con.sql(query_text("publish/lookup_jobs")).to_arrow_reader(_BATCH_ROWS)
    for batch in reader:
        ids = pl.Series("job_id", batch.column("job_id"))
        found = pl.DataFrame({"job_id": ids}).join(known, on="job_id", how="left", maintain_order="left")
        new = found.filter(pl.col("number").is_null()).select(
            pl.int_range(len(known), len(known) + pl.len(), dtype=pl.UInt32).alias("number"), "job_id"
        )
        known = pl.concat([known, new])
        text_ids = pl.DataFrame({"job_id": ids}).join(known, on="job_id", how="left", maintain_order="left")["number"]
        titles, title_starts = _joined(batch.column("title_text"))
        ends = _card_ends(pl.DataFrame(batch), names)
        whole = ends.select(pl.concat_str("card_text", *LANGUAGES)).to_series()
        cards, card_starts = _joined(whole.to_arrow())
        lengths = [
            batch.column(name).to_numpy()
            for name in ("id_length", "title_length", "card_length", "title_length_at_end")
        ]
        tails = [ends[language].str.len_bytes().to_numpy() for language in LANGUAGES]
        offsets = np.column_stack([title_starts, *lengths, len(titles) + card_starts, *tails]).astype(np.int64)
        table.add(titles + cards, offsets, text_ids.to_numpy())
        table.add_new(new)
    return known


def _card_ends(jobs: pl.DataFrame, names: Names) -> pl.DataFrame:
    """Columns card_text and, for each language, what the cards end with; empty without a card."""
    ends = []
    for language in LANGUAGES:
        said = facts(language, names.of_kind("place", language))
        city = pl.struct(said.pop("city").alias("city")).struct.json_encode().str.slice(1)
        texts = pl.struct(text.alias(name) for name, text in said.items()).struct.json_encode()
        end = pl.concat_str(pl.lit(","), city.str.head(-1), pl.lit(',"texts":'), texts, pl.lit("}"))
        ends.append(pl.when(pl.col("card_text") != "").then(end).otherwise(pl.lit("")).alias(language))
    return jobs.select("card_text", *ends)


def write_gone_jobs(table: IdentifiedTexts, job_ids: pl.Series, known: pl.DataFrame) -> None:
    """Hides these jobs: only the ids remain of their texts."""
    gone = pl.DataFrame({"job_id": job_ids}).join(known, on="job_id", how="inner", maintain_order="left")
    pieces = [orjson.dumps(job_id) for job_id in gone["job_id"]]
    titled = [piece + piece[1:-1] for piece in pieces]
    ends = np.cumsum([0, *map(len, titled)], dtype=np.int64)
    lengths = np.array([(len(piece), len(piece) - 2, 0, len(piece) - 2) for piece in pieces], np.int64).reshape(-1, 4)
    tails = np.zeros((len(pieces), len(LANGUAGES)), np.int64)
    offsets = np.column_stack([ends[:-1], lengths, ends[:-1], tails])
    table.add(b"".join(titled), offsets, gone["number"].to_numpy())


def reason_texts(
    reasons: pl.DataFrame, templates: Mapping[str, Mapping[str, str]], names: Names
) -> tuple[bytes, Offsets]:
    """The texts of reasons (REASON_KEY) in all languages, and their offsets; `templates`: language -> code -> text."""
    pieces: list[bytes] = []
    offsets = np.zeros((len(reasons), TEXT_TABLE_WIDTHS["reasons"]), np.int64)
    at = 0
    for row, (code, ref, value, names_job) in enumerate(reasons.select(list(REASON_KEY)).iter_rows()):
        for column, language in enumerate(LANGUAGES):
            template = templates.get(language, {}).get(code) or templates.get(LANGUAGES[0], {}).get(code, code)
            shown = names.reference(code, ref, language)
            text = render(template, _TITLE if names_job else shown, value, language)
            parts = _parts(code, ref, value, text, names_job=names_job)
            offsets[row, 4 * column : 4 * column + 4] = at, *map(len, parts)
            pieces += parts
            at += sum(map(len, parts))
    return b"".join(pieces), offsets


def names_a_job(code: str, templates: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a reason is stored once for all jobs that it may name: it is if its sentence holds the title once."""
    return code in JOB_REFERENCE_CODES and all(
        templates.get(language, {}).get(code, "").count("{ref}") == 1 for language in LANGUAGES
    )


def _parts(code: str, ref: str | None, value: float | None, text: str, *, names_job: bool) -> Sequence[bytes]:
    head = b'{"code":' + orjson.dumps(code) + b',"ref":'
    middle = b',"value":' + orjson.dumps(value) + b',"text":"'
    if not names_job:
        return head + orjson.dumps(ref) + middle + _inner(text) + b'"}', b"", b""
    before, _, after = text.partition(_TITLE)
    return head, middle + _inner(before), _inner(after) + b'"}'


def _inner(text: str) -> bytes:
    return orjson.dumps(text)[1:-1]


def _joined(texts: pa.Array) -> tuple[bytes, Offsets]:
    """The bytes of all strings of an array, and where each begins."""
    large = texts.cast(pa.large_string())
    starts = np.frombuffer(large.buffers()[1], np.int64)[large.offset : large.offset + len(large) + 1]
    if not len(large):
        return b"", np.zeros(0, np.int64)
    data = large.buffers()[2]
    body = data.slice(int(starts[0]), int(starts[-1] - starts[0])).to_pybytes() if data is not None else b""
    return body, starts[:-1] - starts[0]
