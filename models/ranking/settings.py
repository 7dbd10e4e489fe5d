"""The settings of ranking: recipes and experiment arms, limits of retrieval, list lengths and caps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.ranking.experiments import Arm

COLLABORATIVE = "collaborative"
EXACT_JOBS = 20_000  # above this number of jobs, vectors are searched by clusters
REACHED_USERS = 2_500
MOST_FEED_ITEMS = 1_000  # that a feed can be configured to have


@dataclass(frozen=True)
class Recipe:
    """Weights of components (normalised to sum 1), the value of unknown ones, and the shape of the list.

    `collaborative_cap` is the most that the collaborative component adds to a score, None for no limit.
    `exploration_from_rank` is the first rank that may explore. A score is `base` + `scale` * the weighted sum, so that
    scores of recipes with other weights can mean the same.
    """

    name: str
    weights: Mapping[str, float]
    neutral: float = 0.5
    diversity: float = 0.15
    exploration_share: float = 0.1
    exploration_from_rank: int = 1
    collaborative_cap: float | None = 0.10  # the behaviour of others adds at most ten points
    scale: float = 1.0
    base: float = 0.0

    def normalised(self) -> Mapping[str, float]:
        """The weights above 0 as shares of their sum."""
        total = sum(self.weights.values())
        return {name: weight / total for name, weight in self.weights.items() if weight > 0}

    def scaled(self) -> Mapping[str, float]:
        """What a component of 1 adds to a score."""
        return {name: self.scale * weight for name, weight in self.normalised().items()}

    def most(self, component: str) -> float | None:
        """The most that the component may add to a score, None for no limit."""
        return self.collaborative_cap if component == COLLABORATIVE else None


@dataclass(frozen=True)
class CompanyCap:
    """At most `most` jobs of one company among the first `top` ranks."""

    most: int
    top: int


@dataclass(frozen=True)
class Limits:
    """Jobs per user and retriever, the cap of their union, and its least size (while there are jobs)."""

    per_retriever: Mapping[str, int]
    cap: int
    least: int


@dataclass(frozen=True)
class Settings:
    """All settings of a ranking run. Without `arms` every user gets the default recipe.

    `reached_users` are ranked again in a run for the sake of new and changed jobs.
    """

    recipes: Mapping[str, Recipe]
    default_recipe: str
    limits: Limits
    company_cap: CompanyCap
    feed_items: int = 100
    component_items: int = 20
    arms: Sequence[Arm] = ()
    salt: str = ""
    seed: int = 0
    n_threads: int = 1
    exact_jobs: int = EXACT_JOBS
    reached_users: int = REACHED_USERS
