"""What is fitted: embeddings and similar jobs. Models themselves are files, not tables."""

import polars as pl

from features.schemas.table import Column, Table, published

TEXT_EMBEDDINGS = Table(
    "text_embeddings",
    "Embeddings of texts, without the texts; one row per distinct text of one embedding model",
    {
        "text_hash": Column(pl.String, "Hash of the text and the model"),
        "vector": Column(pl.List(pl.Float32), "Embedding of length 1; each model has its number of dimensions"),
    },
    key=("text_hash",),
)
SIMILAR_JOBS = published("similar_jobs")
