"""The registry of collaborative models, and the one that an installation has chosen: a model or a blend of several.

The choice is made in models.fitting.tuning; how users are ranked by it is in models.ranking.collaborative.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from models.arrays import Csr, Ints, Longs, csr_from_coordinates, csr_of_shape, positions, sorted_ids
from models.fitting.als import AlsModel, AlsSettings, fit_als
from models.fitting.artifacts import Artifact
from models.fitting.item_knn import ItemKnnSettings, fit_item_knn
from models.fitting.knn import largest_of_rows, stack_rows
from models.fitting.linear_items import LinearItemSettings, fit_linear_items
from models.fitting.sparse_models import (
    SparseModel,
    history_of,
    popularity_scale,
    scale_columns,
    sparse_model,
    users_per_job,
)
from models.fitting.user_knn import UserKnnSettings, describe_users, fit_user_knn, rarity
from models.fitting.weights import WeightMatrix

ALS, ITEM_KNN, USER_KNN, LINEAR_ITEMS, POPULARITY = "als", "item_knn", "user_knn", "linear_items", "popularity"
# A user who is folded in is compared with at most so many users of each job, which bounds the cost.
_FOLD_IN_USERS, _FOLD_IN_ROWS = 1_000, 1_024
_POPULAR_JOBS = 2_000  # that popularity has an opinion on


@dataclass(frozen=True)
class PopularitySettings:
    """Popularity is the sum of decayed weights, or the number of users if `is_binary`."""

    is_binary: bool = False
    half_life_days: float = 60.0


def fit_popularity(weights: WeightMatrix, settings: PopularitySettings) -> SparseModel:
    """The same scores for all users: the floor that every other model has to beat."""
    history = history_of(weights.values, is_binary=settings.is_binary)
    total = np.asarray(history.sum(axis=0), dtype=np.float64).ravel()
    everyone = sparse.csr_matrix(np.ones((len(weights.user_ids), 1), dtype=np.float32))
    share = sparse.csr_matrix((total / max(total.max(initial=0), 1e-12)).astype(np.float32)[None, :])
    return sparse_model(weights, everyone, largest_of_rows(share, _POPULAR_JOBS), popularity_power=0.0)


@dataclass(frozen=True)
class ModelKind:
    """A model of the registry: its settings (a dataclass), and its fit from weights, settings, seed and threads."""

    settings: type[Any]
    fit: Callable[[WeightMatrix, Any, int, int], AlsModel | SparseModel]


MODELS: Mapping[str, ModelKind] = {
    POPULARITY: ModelKind(PopularitySettings, lambda weights, chosen, _seed, _n: fit_popularity(weights, chosen)),
    USER_KNN: ModelKind(UserKnnSettings, lambda weights, chosen, _seed, n: fit_user_knn(weights, chosen, n_threads=n)),
    ITEM_KNN: ModelKind(ItemKnnSettings, lambda weights, chosen, _seed, n: fit_item_knn(weights, chosen, n_threads=n)),
    ALS: ModelKind(
        AlsSettings, lambda weights, chosen, seed, _n: fit_als(weights, settings=chosen, as_of="", seed=seed)
    ),
    LINEAR_ITEMS: ModelKind(
        LinearItemSettings, lambda weights, chosen, _seed, n: fit_linear_items(weights, chosen, n_threads=n)
    ),
}


@dataclass(frozen=True)
class Member:
    """One model of a choice: its name in MODELS, its weight (> 0; all sum to 1) and its settings."""

    model: str
    weight: float
    settings: Any

    def as_json(self) -> dict[str, Any]:
        return {"model": self.model, "weight": self.weight, "settings": asdict(self.settings)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Member":
        """Raises KeyError or TypeError for an unknown model or setting, ValueError for a weight of 0 or less."""
        if not kept["weight"] > 0:
            raise ValueError(f"the weight of {kept['model']} is {kept['weight']}; it must be greater than 0")
        return cls(kept["model"], float(kept["weight"]), MODELS[kept["model"]].settings(**kept["settings"]))


@dataclass(frozen=True, eq=False)
class Collaborative(Artifact):
    """The fitted members of a choice, those that are sparse side by side; the factors of ALS are a model of their own.

    `members`: JSON of `Member.as_json` in order. Columns `starts[i]` to `starts[i + 1]` of `left`, and these rows of
    `right`, belong to the i-th sparse member. Terms are all `job_ids` for models of items, `term_users` for user-kNN.
    """

    as_of: str
    members: str
    user_ids: pl.Series
    job_ids: pl.Series
    term_users: pl.Series
    left: Csr
    right: Csr
    starts: Longs

    def chosen(self) -> tuple[Member, ...]:
        return tuple(Member.from_json(member) for member in json.loads(self.members))

    def sparse_members(self) -> list[tuple[Member, slice]]:
        """Each sparse member with its terms: columns of `left`, rows of `right`."""
        members = [member for member in self.chosen() if member.model != ALS]
        return [
            (member, slice(start, stop))
            for member, (start, stop) in zip(members, pairwise(self.starts.tolist()), strict=True)
        ]


@dataclass(frozen=True, eq=False)
class FoldedIn:
    """Rows of users x terms that stand in place of the model's `left` for users with new interactions."""

    user_ids: pl.Series
    left: Csr


def combine(members: Sequence[Member], fitted: Sequence[SparseModel], *, as_of: str) -> Collaborative:
    """`fitted` are the models of those members that are not ALS, in their order."""
    no_ids = pl.Series([], dtype=pl.String)
    users = sorted_ids(no_ids, *(model.user_ids for model in fitted))
    jobs = sorted_ids(no_ids, *(model.job_ids for model in fitted))
    lefts, rights = [], []
    names = [member.model for member in members if member.model != ALS]
    for name, model in zip(names, fitted, strict=True):
        row, column = positions(users, model.user_ids), positions(jobs, model.job_ids)
        term = {USER_KNN: row, POPULARITY: np.zeros(1, dtype=np.int32)}.get(name, column)
        n_terms = {USER_KNN: len(users), POPULARITY: 1}.get(name, len(jobs))
        lefts.append(_moved(model.left, row, term, shape=(len(users), n_terms)))
        rights.append(_moved(model.right, term, column, shape=(n_terms, len(jobs))))
    return Collaborative(
        as_of=as_of,
        members=json.dumps([member.as_json() for member in members]),
        user_ids=users,
        job_ids=jobs,
        term_users=users,
        left=sparse.hstack(lefts, format="csr") if lefts else csr_of_shape(len(users), 0),
        right=sparse.vstack(rights, format="csr") if rights else csr_of_shape(0, len(jobs)),
        starts=np.cumsum([0, *(left.shape[1] for left in lefts)], dtype=np.int64),
    )


def fold_in_history(model: Collaborative, weights: Sequence[pl.DataFrame]) -> FoldedIn:
    """The rows of the users of `weights`, made anew; users who are new to the model are among them.

    `weights` has a frame (user_id, job_id, weight: all of each user's) for each sparse member. Jobs that the model does
    not know are ignored. The model itself is not copied: the cost follows the users, not the size of the model.
    """
    no_ids = pl.Series([], dtype=pl.String)
    changed = sorted_ids(no_ids, *(frame["user_id"] for frame in weights))
    made = [csr_of_shape(len(changed), 0)]
    for (member, terms), frame in zip(model.sparse_members(), weights if len(changed) else (), strict=False):
        row, column = positions(changed, frame["user_id"]), positions(model.job_ids, frame["job_id"])
        shape = (len(changed), len(model.job_ids))
        values = csr_from_coordinates(row, column, frame["weight"].to_numpy(), shape=shape)
        made.append(_terms_of(member, values, model.right[terms], positions(model.term_users, changed)))
    return FoldedIn(changed, sparse.hstack(made, format="csr"))


def _terms_of(member: Member, values: Csr, right: Csr, own: Ints) -> Csr:
    """Rows of `left` for users with these weights; `own` are their rows in `right`, -1 for none."""
    if member.model == POPULARITY:
        return sparse.csr_matrix(np.ones((values.shape[0], 1), dtype=np.float32))
    history = history_of(values, is_binary=member.settings.is_binary)
    if member.model != USER_KNN:
        return history
    by_job, described = _described(member, history, right)
    parts = []
    for start in range(0, values.shape[0], _FOLD_IN_ROWS):
        block = slice(start, start + _FOLD_IN_ROWS)
        similar = (described[block] @ by_job).tocsr()
        similar.data[similar.indices == np.repeat(own[block], np.diff(similar.indptr))] = 0
        parts.append(largest_of_rows(similar, member.settings.n_neighbours))
    return stack_rows(parts, (values.shape[0], right.shape[0]))


def _described(member: Member, history: Csr, right: Csr) -> tuple[Csr, Csr]:
    """The model's users by the jobs of `history` (jobs x users), and the users of `history`, as user-kNN compares them.

    Of `right` (users x jobs) only the entries of those jobs are taken out.
    """
    power, n_users = member.settings.rarity_power, users_per_job(right)
    plain = 1 / popularity_scale(right, power=member.settings.popularity_power)
    factor = np.asarray(plain * rarity(n_users, n_users=right.shape[0], power=power), dtype=np.float32)
    squares = scale_columns(right, factor)
    squares.data *= squares.data
    length = np.sqrt(np.asarray(squares.sum(axis=1), dtype=np.float64).ravel())
    is_wanted = np.zeros(right.shape[1], dtype=np.bool_)
    is_wanted[history.indices] = True
    entry = np.flatnonzero(is_wanted[right.indices])
    user, job = np.searchsorted(right.indptr, entry, side="right") - 1, right.indices[entry]
    value = right.data[entry] * factor[job] / np.maximum(length[user], 1e-12)
    by_job = csr_from_coordinates(job, user, value, shape=(right.shape[1], right.shape[0]))
    described = describe_users(history, n_users, rarity_power=power, n_users=right.shape[0])
    return largest_of_rows(by_job, _FOLD_IN_USERS), described


def _moved(values: Csr, row_of: Any, column_of: Any, *, shape: tuple[int, int]) -> Csr:
    """The entries of `values` at other rows and columns; those with a target of -1 are left out."""
    row = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    return csr_from_coordinates(row_of[row], column_of[values.indices], values.data, shape=shape)
