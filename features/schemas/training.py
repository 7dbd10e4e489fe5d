"""What is fitted: embeddings and similar jobs. Models themselves are files, not tables."""

import polars as pl

from features.schemas.table import Table

EMBEDDING_DIMENSIONS = 512
# Grain: one distinct text for one embedding model; the text itself is not stored.
TEXT_EMBEDDINGS = Table(
    "text_embeddings",
    {"text_hash": pl.String, "vector": pl.Array(pl.Float32, EMBEDDING_DIMENSIONS)},
    key=("text_hash",),
)
SCORED_JOB = pl.Struct({"job_id": pl.String, "score": pl.Float32})
SIMILAR_JOBS = Table("similar_jobs", {"job_id": pl.String, "items": pl.List(SCORED_JOB)}, key=("job_id",))
