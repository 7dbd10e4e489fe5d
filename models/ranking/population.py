"""Everybody who is ranked, as arrays: profiles, behaviour and learned likings, encoded once and cut into shards."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Csr
from models.ranking.interaction_arrays import Behaviour, Catalog, encode_behaviour
from models.ranking.interaction_arrays import joined as joined_behaviour
from models.ranking.job_arrays import JobTable, UserTable, encode_preferences, encode_users


@dataclass(frozen=True)
class Population:
    """Users in the order of their ids; `affinity` (times confidence) and its confidence are users x facets."""

    users: UserTable
    behaviour: Behaviour
    affinity: Csr
    affinity_confidence: Csr

    def take(self, rows: NDArray[Any]) -> "Population":
        """The users at the given ascending positions."""
        return Population(
            users=_taken(self.users, rows),
            behaviour=self.behaviour.take(rows),
            affinity=self.affinity[rows],
            affinity_confidence=self.affinity_confidence[rows],
        )


def encode_population(
    profiles: pl.DataFrame, *, interactions: pl.DataFrame, preferences: pl.DataFrame, jobs: JobTable, known: Catalog
) -> Population:
    """The users of `profiles` (USER_PROFILES); INTERACTIONS and PREFERENCES of others are passed over.

    Who switched personalisation off is not known by learned likings.
    """
    users = encode_users(profiles, jobs)
    willing = users.ids.filter(pl.Series(users.is_personalised))
    learned = preferences.filter(pl.col("user_id").is_in(willing.implode()))
    affinity, confidence = encode_preferences(learned, users.ids, jobs.vocabularies["facet"])
    return Population(users, encode_behaviour(interactions, users.ids, known), affinity, confidence)


def joined(parts: Sequence[Population]) -> Population:
    """Several groups of users, whose ids ascend from group to group, as one population."""
    if len(parts) == 1:
        return parts[0]
    return Population(
        users=_joined_users([part.users for part in parts]),
        behaviour=joined_behaviour([part.behaviour for part in parts]),
        affinity=sparse.vstack([part.affinity for part in parts], format="csr"),
        affinity_confidence=sparse.vstack([part.affinity_confidence for part in parts], format="csr"),
    )


def _taken(users: UserTable, rows: NDArray[Any]) -> UserTable:
    made: dict[str, Any] = {}
    for field in fields(UserTable):
        values = getattr(users, field.name)
        made[field.name] = values.gather(rows) if isinstance(values, pl.Series) else values[rows]
    return UserTable(**made)


def _joined_users(parts: Sequence[UserTable]) -> UserTable:
    made: dict[str, Any] = {}
    for field in fields(UserTable):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(values[0], pl.Series):
            made[field.name] = pl.concat(values, rechunk=True)
        elif isinstance(values[0], np.ndarray):
            made[field.name] = np.concatenate(values)
        else:
            made[field.name] = sparse.vstack(values, format="csr")
    return UserTable(**made)
