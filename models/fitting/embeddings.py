"""Texts to vectors, whatever the encoder: the hash under which the vector of a text is stored, and look-ups by it.

The encoders are in `usem3_encoder` and `sentence_encoder`; which one is used is `assets.training.embedding_models`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import polars as pl

from features.errors import JobfeedError
from features.schemas.training import TEXT_EMBEDDINGS
from models.arrays import Csr, Floats, Ints, csr_from_coordinates, positions

# What users say of themselves is looked for (query) in what jobs say (passage): many models encode both differently.
Kind = Literal["query", "passage"]
KEYED_TEXTS = {"text_hash": pl.String, "text": pl.String, "kind": pl.String}


class EmbedderError(JobfeedError, ValueError):
    """The configured model can't be used."""


@dataclass(frozen=True)
class TextModel:
    """An encoder as stored vectors know it. `identity` names model, version and settings: vectors of different
    identities are not comparable.

    `query` and `passage` are put in front of texts. `is_routed`: the model has a part of its own for each kind, so that
    their vectors differ even with equal prompts.
    """

    identity: str
    query: str = ""
    passage: str = ""
    is_routed: bool = False

    def prompt(self, kind: Kind) -> str:
        return self.query if kind == "query" else self.passage

    def space(self, kind: Kind) -> str:
        """What a text's vector depends on beside the text; the same for both kinds if nothing tells them apart."""
        told_apart = f"{kind}\1{self.prompt(kind)}" if self.is_routed else self.prompt(kind)
        return f"{self.identity}\1{told_apart}" if told_apart else self.identity


class Embedder(Protocol):
    """Turns texts into vectors. The texts beside a text change at most the last bits of its vector."""

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats:
        """(n, d), rows of length 1; an empty text gives a row of zeros."""


def text_hash(space: str, text: str) -> str:
    """The key of `text` in the space of a `TextModel`: 128 bits of BLAKE2b, in hexadecimal."""
    return hashlib.blake2b(f"{space}\0{text}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def text_hashes(space: str, texts: pl.Series) -> pl.Series:
    """`text_hash` of each text; null stays null."""
    distinct = texts.drop_nulls().unique()
    keys = pl.DataFrame({"text": distinct, "text_hash": [text_hash(space, text) for text in distinct]})
    return (
        pl.DataFrame({"text": texts})
        .join(keys.cast(pl.String), on="text", how="left", maintain_order="left")["text_hash"]
        .alias("text_hash")
    )


def keyed_texts(model: TextModel, *, passages: pl.Series, queries: pl.Series) -> pl.DataFrame:
    """KEYED_TEXTS of texts without null, sorted by hash; a text of both kinds is there once if they share vectors."""
    kinds: tuple[tuple[Kind, pl.Series], ...] = (("passage", passages), ("query", queries))
    parts = [
        pl.DataFrame({"text_hash": text_hashes(model.space(kind), texts), "text": texts}).with_columns(
            kind=pl.lit(kind, pl.String)
        )
        for kind, texts in kinds
    ]
    return pl.concat(parts).unique("text_hash", keep="first", maintain_order=True).sort("text_hash")


def embed(keyed: pl.DataFrame, embedder: Embedder) -> pl.DataFrame:
    """TEXT_EMBEDDINGS of KEYED_TEXTS, sorted by hash."""
    parts = []
    kinds: tuple[Kind, ...] = ("passage", "query")
    for kind in kinds:
        texts = keyed.filter(pl.col("kind") == kind)
        if len(texts):
            vectors = embedder.encode(texts["text"].to_list(), kind)
            column = pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))
            parts.append(pl.DataFrame({"text_hash": texts["text_hash"], "vector": column}))
    if not parts:
        return TEXT_EMBEDDINGS.empty()
    return pl.concat(parts).cast(pl.Schema(TEXT_EMBEDDINGS.columns)).sort("text_hash")


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Vectors (n, d) of texts of one kind, looked up by the hashes of the texts in `space`, see `TextModel`."""

    space: str
    hashes: pl.Series
    vectors: Floats

    def rows_of(self, texts: pl.Series) -> Ints:
        """The row of each text, -1 for null and for a text that was never embedded."""
        return positions(self.hashes, text_hashes(self.space, texts))

    def mean_matrix(self, lists: pl.Series) -> Csr:
        """A matrix (rows, texts). Its product with `vectors` is the mean vector of each row's list of texts."""
        flat = pl.DataFrame({"text": lists}).with_row_index("row").explode("text").drop_nulls("text")
        column = self.rows_of(flat["text"])
        row = flat["row"].to_numpy().astype(np.int64)
        n_found = np.bincount(row[column >= 0], minlength=len(lists))
        shape = (len(lists), len(self.hashes))
        return csr_from_coordinates(row, column, 1 / np.maximum(n_found[row], 1), shape=shape)

    def distinct(self, texts: pl.Series) -> tuple[Floats, Ints]:
        """The vectors that `texts` use, once each, and the row of each text in them, -1 for none."""
        rows = self.rows_of(texts)
        used, inverse = np.unique(rows[rows >= 0], return_inverse=True)
        row_in_used = np.full(len(rows), -1, dtype=np.int32)
        row_in_used[rows >= 0] = inverse
        return self.vectors[used], row_in_used


def text_vectors(embeddings: pl.LazyFrame, *, space: str, texts: pl.Series) -> TextVectors:
    """The vectors of `texts`, chosen from TEXT_EMBEDDINGS; of 0 dimensions if none of them has one."""
    wanted = text_hashes(space, texts).drop_nulls().unique().to_frame()
    found = embeddings.join(wanted.lazy(), on="text_hash", how="semi").collect()
    found = found.unique("text_hash", keep="first").sort("text_hash")
    n_dimensions = len(found["vector"][0]) if len(found) else 0
    vectors = found["vector"].list.to_array(n_dimensions).to_numpy() if n_dimensions else np.zeros((0, 0))
    return TextVectors(space, found["text_hash"], np.ascontiguousarray(vectors, dtype=np.float32))
