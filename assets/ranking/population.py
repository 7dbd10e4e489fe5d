"""Loads who is ranked, chunk by chunk of sorted ids: the tables are sorted too, so that a chunk reads its part."""

import polars as pl

from assets.ranking.inputs import Tables
from models.ranking.interaction_arrays import Catalog, counts_for_ranking
from models.ranking.job_arrays import JobTable
from models.ranking.population import Population, encode_population, joined

CHUNK_USERS = 50_000


def load_population(
    tables: Tables, user_ids: pl.Series, *, jobs: JobTable, known: Catalog, chunk_users: int = CHUNK_USERS
) -> Population:
    """The users of `user_ids` (sorted, distinct) with all that the tables tell of them."""
    parts = []
    for start in range(0, max(len(user_ids), 1), chunk_users):
        chunk = user_ids.slice(start, chunk_users)
        parts.append(
            encode_population(
                pl.DataFrame({"user_id": chunk}).join(_of(chunk, tables.profiles).collect(), on="user_id", how="left"),
                interactions=_of(chunk, tables.interactions).filter(counts_for_ranking()).collect(),
                preferences=_of(chunk, tables.preferences).collect(),
                jobs=jobs,
                known=known,
            )
        )
    return joined(parts)


def _of(user_ids: pl.Series, table: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of these users; the range of ids lets Parquet pass over whole row groups."""
    if user_ids.is_empty():
        return table.filter(pl.lit(False))
    user = pl.col("user_id")
    return table.filter(user.is_between(pl.lit(user_ids[0]), pl.lit(user_ids[-1])), user.is_in(user_ids.implode()))
