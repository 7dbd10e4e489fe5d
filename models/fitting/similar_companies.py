"""Companies that seek the like: cosine of what their open postings ask for, in blocks of companies."""

import numpy as np
import polars as pl
from scipy import sparse

MOST = 5
MIN_SCORE = 0.3
_BLOCK = 256
_COLUMNS = {"roles": "value", "skills": "skill"}


def similar_companies(profiles: pl.DataFrame) -> pl.DataFrame:
    """The most similar companies of each, for rows with company_id, company, roles and skills.

    A role or skill weighs the square root of its postings times its rarity among companies (log of companies over
    companies that seek it). Returns company_id and similar_companies, the best first, ties by company_id.
    """
    ordered = profiles.sort("company_id").with_row_index("row")
    asked = pl.concat(
        [
            ordered.select("row", item=pl.col(column))
            .explode("item")
            .drop_nulls()
            .select(
                "row",
                name=pl.concat_str(pl.lit(f"{column}:"), pl.col("item").struct.field(field)),
                n=pl.col("item").struct.field("n_jobs"),
            )
            for column, field in _COLUMNS.items()
        ]
    )
    columns = asked["name"].rank("dense").cast(pl.Int64).to_numpy() - 1
    counts = np.bincount(columns)
    weights = np.sqrt(asked["n"].to_numpy()) * np.log(ordered.height / counts[columns])
    matrix = sparse.csr_array((weights, (asked["row"].to_numpy(), columns)), shape=(ordered.height, len(counts)))
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    unit = sparse.diags_array(1 / np.where(lengths > 0, lengths, 1)) @ matrix
    found = [_best(unit, first) for first in range(0, ordered.height, _BLOCK)]
    pairs = pl.concat(found) if found else pl.DataFrame(schema=_PAIRS)
    others = ordered.select(other="row", other_id="company_id", company="company")
    return (
        pairs.join(others, on="other", maintain_order="left")
        .join(ordered.select("row", "company_id"), on="row", maintain_order="left")
        .group_by("company_id", maintain_order=True)
        .agg(similar_companies=pl.struct(pl.col("other_id").alias("company_id"), "company", "score"))
    )


_PAIRS = {"row": pl.UInt32, "other": pl.UInt32, "score": pl.Float64}


def _best(unit: sparse.csr_array, first: int) -> pl.DataFrame:
    scores = (unit[first : first + _BLOCK] @ unit.T).tocoo()
    return (
        pl.DataFrame({"row": scores.row + first, "other": scores.col, "score": scores.data})
        .select(pl.col(name).cast(kind) for name, kind in _PAIRS.items())
        .filter((pl.col("row") != pl.col("other")) & (pl.col("score") >= MIN_SCORE))
        .with_columns(pl.col("score").round(6).clip(0, 1))
        .sort("row", "score", "other", descending=[False, True, False])
        .group_by("row", maintain_order=True)
        .head(MOST)
    )
