"""Neighbours that ranking reads, and lists equal for all, as recommenders: so the contract covers them too."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.arrays import Csr, Floats, csr_rows_or_empty, positions
from models.evaluation.recommenders import NO_OPINION
from models.fitting.item_knn import JobNeighbours
from models.fitting.user_knn import UserNeighbours


@dataclass(frozen=True, eq=False)
class Popularity:
    """The same scores for all users: popularity, recency or any other value of a job. NaN is no opinion."""

    job_ids: pl.Series
    values: Floats

    def score(self, user_ids: pl.Series) -> Floats:
        known = np.where(np.isnan(self.values), NO_OPINION, self.values).astype(np.float32)
        return np.repeat(known[None, :], len(user_ids), axis=0)


@dataclass(frozen=True, eq=False)
class ItemKnn:
    """Sum of the similarities of a user's jobs to the job: `history` is users x the jobs of `neighbours`."""

    user_ids: pl.Series
    history: Csr
    neighbours: JobNeighbours

    @property
    def job_ids(self) -> pl.Series:
        return self.neighbours.job_ids

    def score(self, user_ids: pl.Series) -> Csr:
        return csr_rows_or_empty(self.history, positions(self.user_ids, user_ids)) @ self.neighbours.matrix()


@dataclass(frozen=True, eq=False)
class UserKnn:
    """Sum of the histories of similar users."""

    neighbours: UserNeighbours

    @property
    def job_ids(self) -> pl.Series:
        return self.neighbours.job_ids

    def score(self, user_ids: pl.Series) -> Csr:
        rows = positions(self.neighbours.user_ids, user_ids)
        return csr_rows_or_empty(self.neighbours.matrix(), rows) @ self.neighbours.history()
