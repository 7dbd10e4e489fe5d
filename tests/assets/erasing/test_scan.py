"""A trace of an id is found in every format, and a longer id is not taken for it."""

import gzip
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import lmdb
import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from assets.erasing.scan import find_traces
from models.fitting.user_vectors import UserVectors
from serving.contract.keys import DICTIONARY_KEY

ID = "canary-7f3e"
OTHER = "canary-7f3e1"


def text(path: Path, word: str) -> None:
    path.write_text(f'{{"user_id": "{word}"}}\n' * 3)


def escaped_text(path: Path, word: str) -> None:
    path.write_text(json.dumps({"user_id": word}))


def log_line(path: Path, word: str) -> None:
    path.write_text("x" * 20_000_000 + f" user={word}; done")


def parquet(path: Path, word: str) -> None:
    pl.DataFrame({"n": range(1000), "user_id": ["u"] * 999 + [word]}).write_parquet(path, compression="zstd")


def parquet_of_json(path: Path, word: str) -> None:
    pl.DataFrame({"raw": ["{}", json.dumps({"user_id": word})]}).write_parquet(path)


def nested_parquet(path: Path, word: str) -> None:
    items = [{"names": ["a", word], "n": 1}]
    pl.DataFrame({"items": [items, [], None]}).write_parquet(path)


def parquet_notes(path: Path, word: str) -> None:
    pl.DataFrame({"n": [1]}).write_parquet(path, metadata={"made_of": f"part {word}"})


def lmdb_key(path: Path, word: str) -> None:
    with lmdb.open(str(path), subdir=False) as env, env.begin(write=True) as change:
        change.put(f"digest:{word}\n2026-03-01".encode(), b"{}")


def lmdb_value(path: Path, word: str) -> None:
    value = json.dumps({"url": f"https://a.example/?u={word}"}).encode()
    dictionary = zstandard.ZstdCompressionDict(b'{"url": "https://a.example/' * 20)
    with lmdb.open(str(path), subdir=False) as env, env.begin(write=True) as change:
        change.put(DICTIONARY_KEY, dictionary.as_bytes())
        change.put(b"digest:x", zstandard.ZstdCompressor(dict_data=dictionary).compress(value))


def model(path: Path, word: str) -> None:
    ids = pl.Series("user_id", ["u1", word, "u2"])
    n, none = len(ids), np.zeros(0, np.int32)
    vectors = np.zeros((n, 2), np.float16)
    UserVectors(ids, vectors, vectors[:0], none, np.ones(n, bool), np.ones(n, bool)).save(path)


def numpy_strings(path: Path, word: str) -> None:
    np.savez_compressed(path, names=np.array(["a", word]))


def sqlite(path: Path, word: str) -> None:
    with sqlite3.connect(path) as con:
        con.execute("create table event_logs (event text)")
        con.execute("insert into event_logs values (?)", [json.dumps({"preview": f"| {word} |"})])


def sqlite_after_deletion(path: Path, word: str) -> None:
    sqlite(path, word)
    with sqlite3.connect(path) as con:
        con.execute("pragma secure_delete = off")
        con.execute("delete from event_logs")


def duck(path: Path, word: str) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("create table t as select 'u' || range as id, range as n from range(5000)")
        con.execute("insert into t values (?, 1)", [word])


def packed(path: Path, word: str) -> None:
    path.write_bytes(gzip.compress(f"user {word}".encode()))


def zstd(path: Path, word: str) -> None:
    made = zstandard.ZstdCompressor()
    path.write_bytes(made.compress(b"first frame ") + made.compress(f"user {word}".encode()))


def archive(path: Path, word: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("word/document.xml", f"<t>{word}</t>")


def wide(path: Path, word: str) -> None:
    path.write_bytes(word.encode("utf-16-le"))


FORMATS: dict[str, Callable[[Path, str], None]] = {
    "a.jsonl": text, "b.json": escaped_text, "c.log": log_line, "d.parquet": parquet, "e.parquet": nested_parquet,
    "f.parquet": parquet_notes, "g.mdb": lmdb_key, "h.mdb": lmdb_value, "i.npz": model, "j.npz": numpy_strings,
    "k.db": sqlite, "l.db": sqlite_after_deletion, "m.duckdb": duck, "n.jsonl.gz": packed, "o.zst": zstd,
    "p.docx": archive, "q.txt": wide,
}  # fmt: skip
EXACT = [name for name in FORMATS if name not in ("j.npz", "k.db", "l.db", "m.duckdb", "p.docx", "q.txt")]


@pytest.mark.parametrize("name", FORMATS)
def test_a_planted_id_is_found_in_every_format(tmp_path: Path, name: str) -> None:
    FORMATS[name](tmp_path / name, ID)
    assert {trace.path for trace in find_traces([tmp_path], [ID])} == {tmp_path / name}


@pytest.mark.parametrize("name", EXACT)
def test_another_id_that_begins_the_same_is_no_trace(tmp_path: Path, name: str) -> None:
    FORMATS[name](tmp_path / name, OTHER)
    assert list(find_traces([tmp_path], [ID])) == []


def test_the_name_of_a_file_is_a_place_and_two_names_of_one_file_are_read_once(tmp_path: Path) -> None:
    (tmp_path / f"{ID}.pdf").write_bytes(b"%PDF")
    text(tmp_path / "a.jsonl", ID)
    os.link(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    found = [(trace.path.name, trace.place) for trace in find_traces([tmp_path], [ID])]
    assert found == [("a.jsonl", "bytes of the file"), (f"{ID}.pdf", "name of the file")]


@pytest.mark.parametrize(
    "body", [b"PAR1", b"PAR1" * 50, b"SQLite format 3\0" + b"x" * 99, b"PK\x03\x04zz", b"\x1f\x8bzz"]
)
def test_a_file_that_can_not_be_read_in_its_format_is_named(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "broken").write_bytes(body)
    assert [trace.place.split(" as ")[0] for trace in find_traces([tmp_path], [ID])] == ["could not be read"]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters='"'), min_size=1, max_size=20),
    st.sampled_from([text, escaped_text, parquet, parquet_of_json, nested_parquet, lmdb_key, model]),
)
def test_ids_of_any_signs_are_found(
    tmp_path_factory: pytest.TempPathFactory, word: str, plant: Callable[[Path, str], None]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    path = folder / ("planted.mdb" if plant is lmdb_key else "planted")
    plant(path, word)
    assert path in [trace.path for trace in find_traces([folder], [word])]
