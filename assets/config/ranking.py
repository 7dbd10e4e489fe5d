"""The settings of `ranking.yaml`: recipes, retrieval, limits of the lists, and the experiment.

Defaults that ranking itself has are those of models.ranking.settings.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from assets.config.yaml_files import Name, Share, Strict
from features.metrics import EVERY
from models.learning.registry import LEARNED
from models.ranking import settings
from models.ranking.experiments import DEFAULT_ARM, Arm
from serving.contract.tables import COMPONENTS

AUTO = "auto"  # the learned recipe once it is promoted, until then the configured one
FALLBACK_RECIPE = "marketplace"
_TAKEN = {
    AUTO: "the learned recipe is fitted, not written",
    LEARNED: "the learned recipe is fitted, not written",
    EVERY: "metrics have it for all recipes and arms together",
    DEFAULT_ARM: "feeds have it for users outside of an experiment",
}
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Recipe(Strict):
    """Component weights (normalised to sum 1), the neutral value, and the shape of the list."""

    weights: dict[str, Weight]
    neutral: Share = settings.Recipe.neutral
    diversity: Share = settings.Recipe.diversity
    exploration_share: Share = settings.Recipe.exploration_share
    exploration_from_rank: int = Field(settings.Recipe.exploration_from_rank, ge=1, le=settings.MOST_FEED_ITEMS)
    collaborative_cap: Share | None = settings.Recipe.collaborative_cap

    @model_validator(mode="after")
    def _weights_are_of_known_components(self) -> Self:
        unknown = sorted(set(self.weights) - set(COMPONENTS))
        if unknown:
            raise ValueError(f"weights: unknown components {unknown}; known are {sorted(COMPONENTS)}")
        if sum(self.weights.values()) <= 0:
            raise ValueError("weights: at least one must be greater than 0")
        return self


class ExperimentArm(Strict):
    """One arm: its share of users and its recipe."""

    name: Name
    share: Share
    recipe: str


class Experiment(Strict):
    """A running comparison of recipes; users are assigned by a stable hash of user and salt."""

    name: Name
    salt: str = Field(min_length=1)
    arms: list[ExperimentArm] = Field(min_length=1)

    @property
    def written_arms(self) -> list[Arm]:
        """The arms with the recipes that the file names, also while there is no fit of `learned`."""
        return [Arm(arm.name, arm.share, arm.recipe) for arm in self.arms]

    @model_validator(mode="after")
    def _arms_can_be_told_apart(self) -> Self:
        names = [arm.name for arm in self.arms]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"arms: the names {repeated} are given twice; each arm needs a name of its own")
        for name in (DEFAULT_ARM, EVERY):
            if name in names:
                raise ValueError(f"arms: the name {name!r} is taken: {_TAKEN[name]}; choose another")
        return self

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = sum(arm.share for arm in self.arms)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"arms: shares sum to {total:g}; they must sum to 1")
        return self


class Retrieval(Strict):
    """Candidates per user and retriever, and the cap of their union.

    Up to `exact_jobs` jobs, vectors are compared with all of them; above, with the most similar clusters.
    """

    collaborative: int = Field(100, ge=0, le=2000)
    content: int = Field(100, ge=0, le=2000)
    neighbours: int = Field(50, ge=0, le=2000)
    also_applied: int = Field(50, ge=0, le=2000)
    skills: int = Field(100, ge=0, le=2000)
    nearby: int = Field(50, ge=0, le=2000)
    trending: int = Field(30, ge=0, le=2000)
    new: int = Field(30, ge=0, le=2000)
    followed: int = Field(30, ge=0, le=2000)
    cap: int = Field(400, ge=20, le=5000)
    exact_jobs: int = Field(settings.Settings.exact_jobs, ge=0)


class Matches(Strict):
    """Which items of a feed are broken down into what speaks for and against them.

    The first `items` of a feed that score at least `min_compatibility` by `recipe` are kept. Only items with components
    (`component_items`) can be. `min_confidence`: the least share of the recipe's weight that is known; without skills,
    experience and pay, a place alone is no match.
    """

    recipe: str = "match"
    items: int = Field(10, ge=0, le=100)
    min_compatibility: int = Field(60, ge=0, le=100)
    min_confidence: Share = 0.5


class Ranking(Strict):
    """`ranking.yaml`.

    At most `reached_users` are ranked again in an hourly run because of new or changed jobs; the others follow in the
    next runs.
    """

    default_recipe: str = AUTO
    feed_items: int = Field(settings.Settings.feed_items, ge=1, le=settings.MOST_FEED_ITEMS)
    component_items: int = Field(settings.Settings.component_items, ge=0, le=100)
    company_cap: int = Field(3, ge=1)
    company_cap_top: int = Field(20, ge=1)
    shard_users: int = Field(5_000, ge=100, le=1_000_000)
    reached_users: int = Field(settings.REACHED_USERS, ge=1, le=10_000_000)
    recipes: dict[str, Recipe] = Field(min_length=1)
    retrieval: Retrieval = Retrieval()
    matches: Matches = Matches()
    experiment: Experiment | None = None

    @model_validator(mode="after")
    def _recipes_exist(self) -> Self:
        for name in (AUTO, LEARNED, EVERY):
            if name in self.recipes:
                raise ValueError(f"recipes: the name {name!r} is taken: {_TAKEN[name]}; choose another")
        arms = [arm.recipe for arm in (self.experiment.arms if self.experiment else [])]
        for recipe in (self.configured_recipe, self.matches.recipe, *(name for name in arms if name != LEARNED)):
            if recipe not in self.recipes:
                raise ValueError(f"recipe {recipe!r} is not defined; recipes are {sorted([*self.recipes, LEARNED])}")
        return self

    @property
    def configured_recipe(self) -> str:
        """The recipe that ranks by default as long as no learned one is promoted."""
        return FALLBACK_RECIPE if self.default_recipe in (AUTO, LEARNED) else self.default_recipe
