"""Sentence-transformers models as encoders.

torch and sentence-transformers take ten seconds to import and half a gigabyte: this module is imported only where such
a model embeds new texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from models.arrays import Floats
from models.fitting.embeddings import EmbedderError, Kind, TextModel


@dataclass(frozen=True)
class SentenceEmbedder:
    """An `Embedder` around a loaded `SentenceTransformer`, with the first `dimensions` of its vectors."""

    text_model: TextModel
    model: Any
    dimensions: int
    batch_size: int

    def encode(self, texts: Sequence[str], kind: Kind) -> Floats:
        """See `Embedder`."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        # Models give the empty string a direction of its own, and so all empty texts would be similar.
        filled = [number for number, text in enumerate(texts) if text.strip()]
        if not filled:
            return vectors
        # Both also choose the part of a model that has one for each kind.
        encode = self.model.encode_query if kind == "query" else self.model.encode_document
        try:
            vectors[filled] = encode(
                [texts[number] for number in filled],
                prompt=self.text_model.prompt(kind),
                batch_size=self.batch_size,
                convert_to_numpy=True,
                normalize_embeddings=True,
                truncate_dim=self.dimensions,
                show_progress_bar=False,
            )
        except RuntimeError as error:  # of torch: too little memory for the batch, mostly
            raise EmbedderError(
                f"failed on {len(filled)} texts, {self.batch_size} at once: {_first_lines(error)}"
            ) from error
        return vectors


def load_sentence_embedder(
    name: str,
    text_model: TextModel,
    *,
    revision: str | None,
    truncate_dim: int | None,
    device: str | None,
    batch_size: int,
    is_local: bool,
) -> SentenceEmbedder:
    """The model in the folder `name`, or of that name on the Hugging Face Hub.

    `is_local`: nothing is asked of the hub; the model must be in its cache. `device` None: the best one there is.
    Code that comes with a model is never run. Raises EmbedderError.
    """
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]  # logs are no terminals
    try:
        model = SentenceTransformer(name, revision=revision, device=device, local_files_only=is_local)
    # A model is many files that many libraries read, each with errors of its own.
    except Exception as error:
        raise EmbedderError(f"can't be loaded: {type(error).__name__}: {_first_lines(error)}") from error
    n_dimensions = int(model.get_embedding_dimension() or 0)
    if n_dimensions <= 0:
        raise EmbedderError(
            "does not say how many dimensions its vectors have; expected a model of sentence embeddings"
        )
    if truncate_dim is not None and truncate_dim > n_dimensions:
        raise EmbedderError(f"its vectors have {n_dimensions} dimensions, and truncate_dim asks for {truncate_dim}")
    return SentenceEmbedder(text_model, model, truncate_dim or n_dimensions, batch_size)


def _first_lines(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
