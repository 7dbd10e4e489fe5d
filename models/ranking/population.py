"""All users of a run as arrays: profiles, interactions and learned preferences, encoded once and cut into batches."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Csr
from models.ranking.interaction_arrays import InteractionArrays, JobIndex, encode_interactions, join_interactions
from models.ranking.user_arrays import UserTable, encode_preferences, encode_users


@dataclass(frozen=True)
class Population:
    """Users in the order of their ids.

    `affinity` (times confidence) and `affinity_confidence` are users x preference features.
    """

    users: UserTable
    interactions: InteractionArrays
    affinity: Csr
    affinity_confidence: Csr

    def take(self, rows: NDArray[Any]) -> "Population":
        """The users at the given ascending positions."""
        return Population(
            users=UserTable(*(column[rows] for column in _columns(self.users))),
            interactions=self.interactions.take(rows),
            affinity=self.affinity[rows],
            affinity_confidence=self.affinity_confidence[rows],
        )


def encode_population(
    profiles: pl.DataFrame, *, interactions: pl.DataFrame, preferences: pl.DataFrame, index: JobIndex
) -> Population:
    """The users of `profiles` (USER_PROFILES); INTERACTIONS and PREFERENCES of others are skipped.

    Users who opted out of personalisation get no learned preferences.
    """
    users = encode_users(profiles, index.jobs)
    consenting = users.ids.filter(pl.Series(users.is_personalised))
    learned = preferences.filter(pl.col("user_id").is_in(consenting.implode()))
    features = index.jobs.vocabularies["preference_feature"]
    affinity, confidence = encode_preferences(learned, users.ids, features)
    return Population(users, encode_interactions(interactions, users.ids, index), affinity, confidence)


def join_populations(parts: Sequence[Population]) -> Population:
    """Several groups of users as one population; the ids must ascend from group to group."""
    if len(parts) == 1:
        return parts[0]
    return Population(
        users=UserTable(*(_joined(columns) for columns in zip(*(_columns(part.users) for part in parts), strict=True))),
        interactions=join_interactions([part.interactions for part in parts]),
        affinity=_joined([part.affinity for part in parts]),
        affinity_confidence=_joined([part.affinity_confidence for part in parts]),
    )


def _columns(users: UserTable) -> list[Any]:
    return [getattr(users, field.name) for field in fields(users)]


def _joined(values: Sequence[Any]) -> Any:
    if isinstance(values[0], pl.Series):
        return pl.concat(values, rechunk=True)
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    return sparse.vstack(values, format="csr")
