"""Jobs as vectors in the encoder's space: sums of the vectors of their texts."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import Floats, Ints, unit_rows
from models.fitting.artifacts import Artifact
from models.fitting.embeddings import TextVectors

TITLE_WEIGHT, SKILLS_WEIGHT = 0.6, 0.4


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
    title = embedded.vectors_of(texts["title"])
    mean_skill = embedded.mean_matrix(texts["skills"]) @ embedded.vectors if len(texts) else title
    extract = embedded.vectors_of(texts["extract"])
    # A job has skills or an extract, never both.
    vectors = TITLE_WEIGHT * title + SKILLS_WEIGHT * (unit_rows(mean_skill) + extract)
    about_vectors, about_rows = embedded.distinct(texts["about"])
    units = unit_rows(vectors.astype(np.float32))
    return JobVectors(texts["job_id"].rechunk(), units, about_vectors, about_rows, model)
