"""Every recipe judged by the explored positions of feeds, from what the log says of the jobs that were drawn for them.

The jobs drawn for a feed are put into its explored positions in random order: given these jobs, each of them stands in
a position with the same chance. The estimators are in off_policy.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schemas.insight import POLICY_VALUES
from models.arrays import Doubles, Longs
from models.evaluation.off_policy import (
    PolicyValue,
    cross_fitted_means,
    doubly_robust,
    expected_under_greedy,
    greedy_weights,
    snips,
)
from models.ranking.scoring import score_pairs
from models.ranking.settings import Recipe
from serving.contract.tables import COMPONENTS

REWARDS: Mapping[str, str] = {"ctr": "is_clicked", "apply_rate": "is_applied"}
_UNKNOWN = 0.5


@dataclass(frozen=True)
class _Slots:
    """Shown slots, and the drawn jobs of each: `slot` is the slot of a drawn job, `user` the user of a slot."""

    user: Longs
    slot: Longs
    shown: NDArray[np.bool_]
    logged: Doubles
    components: Mapping[str, Doubles]

    @property
    def fold(self) -> Longs:
        """0 or 1 per slot, the same for all slots of a user."""
        return self.user % 2


def policy_values(reactions: pl.DataFrame, recipes: Sequence[Recipe]) -> pl.DataFrame:
    """POLICY_VALUES of each recipe if it chose which of the drawn jobs to show, by both estimators.

    `reactions` has the rows of query insight/reactions. Without an explored position that was shown, there are no rows.
    """
    explored = reactions.filter(pl.col("explored"), pl.col("drawn").list.len() > 1).sort("user_id", "job_id", "surface")
    is_logged = pl.col("drawn").list.eval(pl.element().struct.field("job_id")).list.contains(pl.col("job_id"))
    explored = explored.filter(is_logged)
    rows = list(_rows(explored, recipes)) if len(explored) else []
    table = pl.DataFrame(rows, schema=dict(POLICY_VALUES.columns), strict=False)
    known = table.with_columns(pl.selectors.float().fill_nan(None).round(6)).drop_nulls("value")
    return known.sort(list(POLICY_VALUES.key))


def _rows(explored: pl.DataFrame, recipes: Sequence[Recipe]) -> Iterator[dict[str, object]]:
    slots = _slots(explored)
    features = np.column_stack([np.nan_to_num(values, nan=_UNKNOWN) for values in slots.components.values()])
    scores = {recipe.name: _scores(slots, recipe) for recipe in recipes}
    for metric, column in REWARDS.items():
        rewards = explored[column].cast(pl.Float64).to_numpy()
        predicted = cross_fitted_means(
            features[slots.shown], rewards, fold=slots.fold, asked=features, asked_fold=slots.fold[slots.slot]
        )
        for recipe, score in scores.items():
            weights = greedy_weights(score, slots.logged, slot=slots.slot, shown=slots.shown)
            robust = doubly_robust(
                rewards,
                weights,
                predicted=predicted[slots.shown],
                predicted_of_policy=expected_under_greedy(predicted, score, slot=slots.slot),
                user=slots.user,
            )
            yield _row(recipe, metric, "snips", snips(rewards, weights, user=slots.user))
            yield _row(recipe, metric, "doubly_robust", robust)


def _row(recipe: str, metric: str, estimator: str, found: PolicyValue) -> dict[str, object]:
    return {"recipe": recipe, "metric": metric, "estimator": estimator, **vars(found)}


def _slots(explored: pl.DataFrame) -> _Slots:
    drawn = explored.select("job_id", "drawn").with_row_index("slot").explode("drawn").unnest("drawn", separator=".")
    components = drawn["drawn.components"].struct.unnest()
    return _Slots(
        user=explored["user_id"].rank("dense").cast(pl.Int64).to_numpy() - 1,
        slot=drawn["slot"].cast(pl.Int64).to_numpy(),
        shown=(drawn["drawn.job_id"] == drawn["job_id"]).to_numpy(),
        logged=drawn["drawn.propensity"].cast(pl.Float64).to_numpy(),
        components={name: components[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in COMPONENTS},
    )


def _scores(slots: _Slots, recipe: Recipe) -> Doubles:
    values = {name: column[:, None].astype(np.float32) for name, column in slots.components.items()}
    return score_pairs(values, [recipe], np.zeros(len(slots.slot), dtype=np.int32)).score[:, 0]
