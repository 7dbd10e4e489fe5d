"""Jobs as vectors in the encoder's space: sums of the vectors of their texts."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import Floats, Ints, rows_or_zeros, unit_rows
from models.fitting.artifacts import Artifact
from models.fitting.embeddings import TextVectors

TITLE_WEIGHT, SKILLS_WEIGHT = 0.6, 0.4
_BLOCK_JOBS = 2_048  # whose sums fit into the caches of a core


@dataclass(frozen=True, eq=False)
class JobVectors(Artifact):
    """Jobs (n) with their vectors (n, d) float32 of length 1 or 0, ids sorted.

    The self-description of a company is kept once: `about_vectors` (m, d), `about_rows` (n), -1 for none.
    `model` is the identity of the `TextModel` that they are made with.
    """

    job_ids: pl.Series
    vectors: Floats
    about_vectors: Floats
    about_rows: Ints
    model: str = ""


def build_job_vectors(texts: pl.DataFrame, embedded: TextVectors, *, model: str) -> JobVectors:
    """JOB_TEXTS to vectors: 0.6 * title + 0.4 * mean of the skills (the extract without any), normalised."""
    texts = texts.sort("job_id")
    title_rows, extract_rows = embedded.rows_of(texts["title"]), embedded.rows_of(texts["extract"])
    mean_skill = embedded.mean_matrix(texts["skills"])
    vectors = np.zeros((len(texts), embedded.vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(texts), _BLOCK_JOBS):
        rows = slice(start, start + _BLOCK_JOBS)
        title = rows_or_zeros(embedded.vectors, title_rows[rows])
        skills = unit_rows(mean_skill[rows] @ embedded.vectors)
        # A job has skills or an extract, never both.
        rest = skills + rows_or_zeros(embedded.vectors, extract_rows[rows])
        vectors[rows] = unit_rows(TITLE_WEIGHT * title + SKILLS_WEIGHT * rest)
    about_vectors, about_rows = embedded.distinct(texts["about"])
    return JobVectors(texts["job_id"].rechunk(), vectors, about_vectors, about_rows, model)
